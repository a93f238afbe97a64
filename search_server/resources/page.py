"""Part of a list."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; ``next_cursor`` fetches the rest and is None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None
