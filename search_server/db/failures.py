"""What an error of the database means to whoever waits for an answer: come again, or look into it.

Sources: the result codes of SQLite, and the SQLSTATE classes in appendix A of PostgreSQL's manual.
"""

import sqlite3
from typing import Literal

from sqlalchemy.exc import OperationalError

Failure = Literal["busy", "unreachable", "broken"]

_SQLITE_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_SQLITE_UNREACHABLE = ("SQLITE_CANTOPEN",)
_POSTGRES_BUSY = ("40001", "40P01", "55P03", "57014")
"""Serialization failure, deadlock, lock not available, statement over its time."""
_POSTGRES_UNREACHABLE = ("08", "53300", "57P")
"""Connection lost, too many connections, shutting down or starting."""


def failure_of(error: OperationalError) -> Failure:
    """Return why the database did not do what it was asked.

    ``busy``: another one holds a lock; ``unreachable``: it does not answer or cannot be opened;
    ``broken``: anything else, such as a full disk or a table that is missing. Only the last one needs
    somebody to do something.
    """
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorname", "")
        busy, unreachable = _SQLITE_BUSY, _SQLITE_UNREACHABLE
    else:
        code = getattr(error.orig, "sqlstate", None)
        if code is None:  # the server never got to answer
            return "unreachable"
        busy, unreachable = _POSTGRES_BUSY, _POSTGRES_UNREACHABLE
    if code.startswith(busy):
        return "busy"
    return "unreachable" if code.startswith(unreachable) else "broken"
