"""The measured nodes of a lease as rows, for those who ask in SQL: ``docs/sql.md``."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from search_server.db.bulk import insert_rows
from search_server.db.models import LeaseRow, MeasuredNodeRow, ResultRow
from search_server.leases.stored_result import unpack_result
from shared.protocol.measurement import Result

_QUANTILES = (0.1, 0.5, 0.9)


def write_nodes(session: Session, lease: LeaseRow, at_hand: Mapping[int, Result]) -> None:
    """Write a row for each node of each network whose result counts.

    Args:
        session: open for writing.
        lease: all its results are there.
        at_hand: those of its results, by id, that need not be read.
    """
    statement = select(ResultRow.result_id, ResultRow.body, ResultRow.body_sha256).where(
        ResultRow.lease_id == lease.lease_id, ResultRow.fence == lease.fence, ResultRow.status == "ok"
    )
    results = {result_id: result for result_id, result in at_hand.items() if result.status == "ok"}
    for result_id, body, sha256 in session.execute(statement.where(ResultRow.result_id.not_in(at_hand))):
        results[result_id] = unpack_result(result_id, body, sha256)
    insert_rows(session, MeasuredNodeRow, _rows(results))


def _rows(results: Mapping[int, Result]) -> list[dict[str, object]]:
    nodes = [
        (result_id, index, node)
        for result_id, result in results.items()
        for index, node in enumerate(result.nodes)
        if node.wall_us
    ]
    quantiles_us = _quantiles_us([node.wall_us for _, _, node in nodes])
    return [
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
        for (result_id, index, node), (q10_us, median_us, q90_us) in zip(nodes, quantiles_us, strict=True)
    ]


def _quantiles_us(samples_us: Sequence[tuple[float, ...]]) -> list[list[float]]:
    """Return the 0.1, 0.5 and 0.9 quantiles of each."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, wall_us in enumerate(samples_us):
        by_length[len(wall_us)].append(index)
    found: dict[int, list[float]] = {}
    for places in by_length.values():  # mostly all are of one length, and one call does
        columns = np.quantile(np.array([samples_us[index] for index in places]), _QUANTILES, axis=1)
        found.update(zip(places, columns.T.tolist(), strict=True))
    return [found[index] for index in range(len(samples_us))]
