"""The measured nodes of a lease as rows, for those who ask in SQL: ``docs/sql.md``."""

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from search_server.db.models import LeaseRow, MeasuredNodeRow, ResultRow
from search_server.leases.stored_result import unpack_result
from shared.protocol.measurement import Result


def write_nodes(session: Session, lease: LeaseRow) -> None:
    """Write a row for each node of each network whose result counts."""
    statement = select(ResultRow.result_id, ResultRow.body, ResultRow.body_sha256).where(
        ResultRow.lease_id == lease.lease_id, ResultRow.fence == lease.fence, ResultRow.status == "ok"
    )
    rows = [
        row
        for result_id, body, sha256 in session.execute(statement)
        for row in _rows(result_id, unpack_result(result_id, body, sha256))
    ]
    if rows:
        session.execute(insert(MeasuredNodeRow), rows)


def _rows(result_id: int, result: Result) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for index, node in enumerate(result.nodes):
        if not node.wall_us:
            continue
        q10_us, median_us, q90_us = np.quantile(node.wall_us, (0.1, 0.5, 0.9)).tolist()
        rows.append(
            {
                "result_id": result_id,
                "node_index": index,
                "node": node.name,
                "op_type": node.op_type,
                "segment": node.segment,
                "shapes": node.shapes,
                "num_runs": len(node.wall_us),
                "median_us": median_us,
                "q10_us": q10_us,
                "q90_us": q90_us,
            }
        )
    return rows
