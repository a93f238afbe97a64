"""Ids that begin or end with what somebody typed of one."""

from dataclasses import dataclass
from typing import Literal

IdKind = Literal["job", "search", "table", "model"]
MIN_PART = 4
"""Characters of an id that are worth looking for."""


@dataclass(frozen=True, slots=True)
class KnownId:
    """A whole id, and what it stands for in a few words."""

    id: str
    words: str
