"""What an error of the database means to whoever waits for an answer: come again, or look into it.

Sources: the result codes of SQLite, and the SQLSTATE classes in appendix A of PostgreSQL's manual.
"""

import sqlite3
from typing import Literal

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

Failure = Literal["busy", "unreachable", "broken"]

_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "40001", "40P01", "55P03", "57014")
"""In PostgreSQL: serialization failure, deadlock, lock not available, statement over its time."""
_UNREACHABLE = ("SQLITE_CANTOPEN", "08", "53300", "57P")
"""In PostgreSQL: connection lost, too many connections, shutting down or starting."""
_NO_ANSWER = "08001"
"""The connection was never made, so the server could not say a code of its own."""


def is_outage(error: DBAPIError) -> bool:
    """Tell whether the database went away or is busy, so that the same work may succeed later."""
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated


def failure_of(error: OperationalError) -> Failure:
    """Return why the database did not do what it was asked.

    ``busy``: another one holds a lock; ``unreachable``: it does not answer or cannot be opened;
    ``broken``: anything else, such as a full disk or a table that is missing. Only the last one needs
    somebody to do something.
    """
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorname", "")
    else:
        code = getattr(error.orig, "sqlstate", None) or _NO_ANSWER
    if code.startswith(_BUSY):
        return "busy"
    return "unreachable" if code.startswith(_UNREACHABLE) else "broken"
