"""Things with rows: handed to pandas or polars, and shown as a table where a notebook shows them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from html import escape
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.protocol.wire import to_dict

if TYPE_CHECKING:
    import pandas
    import polars

SHOWN_ROWS = 20
SHOWN_COLUMNS = 12


class Tabular(ABC):
    """Has rows; each is a dataclass, whose fields are the columns."""

    __slots__ = ()

    @abstractmethod
    def table_rows(self) -> Iterable[object]:
        """Return the rows, in order."""

    @property
    def table_caption(self) -> str:
        """A line above the rows in a notebook."""
        return ""

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a DataFrame; a field within a field has a name such as ``job.status``.

        Raises:
            ImportError: pandas is not installed.
        """
        return _library("pandas").DataFrame(list(map(flat, self.table_rows())))

    def to_polars(self) -> "polars.DataFrame":
        """Return the same as a DataFrame of polars.

        Raises:
            ImportError: polars is not installed.
        """
        return _library("polars").DataFrame(list(map(flat, self.table_rows())), infer_schema_length=None)

    def _repr_html_(self) -> str:
        """Return the first rows and columns as HTML."""
        rows = [flat(row) for row in islice(self.table_rows(), SHOWN_ROWS + 1)]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        shown = columns[:SHOWN_COLUMNS]
        notes = [f"the first {SHOWN_ROWS} rows"] * (len(rows) > SHOWN_ROWS)
        notes += [f"{SHOWN_COLUMNS} of {len(columns)} columns"] * (len(columns) > SHOWN_COLUMNS)
        caption = escape("; ".join(filter(None, (self.table_caption, *notes))) or f"{len(rows)} rows")
        head = "".join(f"<th>{escape(name)}</th>" for name in shown)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(_shown(row.get(name)))}</td>' for name in shown)}</tr>"
            for row in rows[:SHOWN_ROWS]
        )
        table_head = f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        return f"{table_head}<tbody>{body}</tbody></table>"


def flat(row: object) -> dict[str, Any]:
    """Return the fields of a row by name; those of a field within it stand behind its name and a dot."""
    return dict(_flat(to_dict(row), ""))


def _flat(document: Mapping[str, Any], before: str) -> Iterable[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ImportError(f"a DataFrame of {name} needs it installed: pip install {name}") from None


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:80]
