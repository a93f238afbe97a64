"""The cells of a snapshot as rows, for those who ask in SQL: ``docs/sql.md``."""

from sqlalchemy.orm import Session

from search_server.db.bulk import insert_rows
from search_server.db.models import LatencyEntryRow
from search_server.latency.table import LatencyTable


def write_entries(session: Session, snapshot: str, table: LatencyTable) -> None:
    """Write a row for the stem, for each candidate of each layer, and for the head."""
    rows = [
        {
            "snapshot": snapshot,
            "position": position,
            "layer": cell.layer,
            "block": cell.block,
            "segment_key": cell.key,
            "latency_us": cell.latency_us,
            "sigma_us": cell.sigma_us,
            "num_samples": cell.num_samples,
            "status": cell.status,
        }
        for position, cell in enumerate(table.cells())
    ]
    insert_rows(session, LatencyEntryRow, rows)
