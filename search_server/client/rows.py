"""Lists as a client returns them: with ``to_pandas()``, ``to_polars()`` and a picture in a notebook."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from search_server.resources.tabular import Tabular

T = TypeVar("T")


class Records(Tabular, tuple[T, ...]):
    """A list that came in one answer; made of anything iterable."""

    __slots__ = ()

    def table_rows(self) -> Iterator[T]:
        """Return the items."""
        return iter(self)


class Rows(Tabular, Iterator[T]):
    """A list whose pages are fetched while it is iterated; a frame or a picture of it fetches it anew."""

    __slots__ = ("_fetch", "_rest")

    def __init__(self, fetch: Callable[[], Iterator[T]]) -> None:
        self._fetch = fetch
        self._rest = fetch()

    def __next__(self) -> T:
        return next(self._rest)

    def table_rows(self) -> Iterator[T]:
        """Return all items from the first on, wherever the iteration is."""
        return self._fetch()
