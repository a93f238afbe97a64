"""The table's own JSON: what ``?format=json`` exports comes back as the same snapshot."""

from search_server.latency.formats.json_text import read_json
from search_server.latency.formats.reading import ImportedFile, ReadTable
from search_server.latency.table import LatencyTable
from shared.protocol.wire import from_dict
from shared.search_space import search_space


def read_own_json(file: ImportedFile) -> ReadTable:
    """Return the table of an exported JSON file.

    Raises:
        ValueError: not such a file, or its space is unknown.
    """
    file.forbid_conditions()
    return ReadTable(require_normal_space(from_dict(read_json(file.content), LatencyTable)))


def require_normal_space(table: LatencyTable) -> LatencyTable:
    """Return the table if its space exists and is written as this project writes it.

    Raises:
        ValueError: it is not.
    """
    space = search_space(table.space)
    if space.name != table.space:
        raise ValueError(f"space must be written {space.name!r}, got {table.space!r}")
    return table
