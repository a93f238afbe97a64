"""Rows for every table of a database, whatever its schema, and what is in them."""

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, insert, select
from sqlalchemy.types import JSON, Boolean, DateTime, Float, Integer, LargeBinary

from tests.search_server.tables import known_table

Rows = Mapping[str, list[dict[str, Any]]]

_RESULT = {
    "nodes": [{"name": "stem/0", "segment": "stem", "op_type": "Conv", "wall_us": [10.0, 30.0, 20.0]}]
}
KNOWN: Mapping[tuple[str, str], Any] = {
    ("leases", "status"): "done",
    ("results", "status"): "ok",
    ("results", "body"): zlib.compress(json.dumps(_RESULT).encode()),
    ("latency_tables", "content"): known_table("device_id 1").to_json(),
}
"""What migrations look into."""


def tables_of(connection: Connection) -> MetaData:
    """Return all tables that are there."""
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata


def fill(connection: Connection, num_rows: int = 2) -> None:
    """Put rows into every table; all that can have a value has one."""
    for table in tables_of(connection).sorted_tables:
        if table.name != "alembic_version":
            rows = [
                {column.name: _value(table, column, number) for column in table.columns}
                for number in range(1, num_rows + 1)
            ]
            connection.execute(insert(table), rows)


def rows_of(connection: Connection) -> Rows:
    """Return all rows of all tables, in an order that does not depend on the database."""
    return {
        table.name: sorted((dict(row) for row in connection.execute(select(table)).mappings()), key=repr)
        for table in tables_of(connection).sorted_tables
        if table.name != "alembic_version"
    }


def common(rows: Rows, others: Rows) -> Rows:
    """Return the rows as they would be with only the tables and columns that the others have too."""
    return {
        name: sorted(
            ({key: row[key] for key in row if key in _columns(others[name])} for row in rows[name]),
            key=repr,
        )
        for name in rows
        if name in others
    }


def _columns(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key for row in rows for key in row}


def _value(table: Table, column: Column[Any], number: int) -> Any:
    known = KNOWN.get((table.name, column.name))
    if known is not None:
        return known
    for key in column.foreign_keys:
        target = key.column
        # A job whose parent is itself is as good as any.
        return _value(target.table, target, number)
    match column.type:
        case Boolean():
            return False
        case Integer():
            return number
        case Float():
            return number + 0.5
        case DateTime():
            zone = UTC if column.type.timezone else None
            return datetime(2026, 1, number, 12, 30, tzinfo=zone)
        case JSON():
            return {"number": number}
        case LargeBinary():
            return bytes([number])
    return f"{column.name} {number}"
