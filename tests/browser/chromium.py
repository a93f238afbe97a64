"""The browser that the tests start, and what skips them where it is not there."""

import os
import shutil

import pytest

CHROMIUM = os.environ.get("EDGENAS_CHROMIUM") or shutil.which("chromium")
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: install the package chromium, or set EDGENAS_CHROMIUM"
    ),
]
"""For the ``pytestmark`` of every file here."""
