"""What skips the tests of this folder where there is no browser."""

import pytest

from benchmarks.browser import CHROMIUM, NO_CHROMIUM

NEEDS_CHROMIUM = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]
"""For the ``pytestmark`` of every file here."""
