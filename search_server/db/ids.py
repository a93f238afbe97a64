"""Identifiers: opaque to everyone else, ordered by time of creation here."""

import secrets
from datetime import datetime


def new_id(prefix: str, now: datetime) -> str:
    """Return an identifier such as ``job_0006534f2c1a9e4b1f0c22``: microseconds, then random digits."""
    return f"{prefix}_{round(now.timestamp() * 1e6):014x}{secrets.token_hex(4)}"
