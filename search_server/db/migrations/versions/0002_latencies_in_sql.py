"""Latencies as rows: the cells of snapshots and the measured nodes, filled from what is stored."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import context, op

from shared.search_space import search_space
from shared.workload import IDENTITY_KEY, segment_key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    entries = op.create_table(
        "latency_entries",
        sa.Column("snapshot", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("segment_key", sa.String(length=32), nullable=False),
        sa.Column("latency_us", sa.Double(), nullable=True),
        sa.Column("sigma_us", sa.Double(), nullable=True),
        sa.Column("num_samples", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot"],
            ["latency_tables.snapshot"],
            name="fk_latency_entries_snapshot_latency_tables",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("snapshot", "position", name="pk_latency_entries"),
    )
    nodes = op.create_table(
        "measured_nodes",
        sa.Column("result_id", sa.Integer(), nullable=False),
        sa.Column("node_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("op_type", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("num_runs", sa.Integer(), nullable=False),
        sa.Column("median_us", sa.Double(), nullable=False),
        sa.Column("q10_us", sa.Double(), nullable=False),
        sa.Column("q90_us", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["results.result_id"],
            name="fk_measured_nodes_result_id_results",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("result_id", "node_index", name="pk_measured_nodes"),
    )
    op.execute(
        "CREATE VIEW node_latencies AS "
        "SELECT leases.device_id, leases.job_id, results.lease_id, results.item_id, node_index, node, "
        "op_type, segment, num_runs, median_us, q10_us, q90_us FROM measured_nodes "
        "JOIN results ON results.result_id = measured_nodes.result_id "
        "JOIN leases ON leases.lease_id = results.lease_id"
    )
    if not context.is_offline_mode():  # statements that are only printed cannot read what is stored
        _fill(op.get_bind(), entries, nodes)


def downgrade() -> None:
    op.execute("DROP VIEW node_latencies")
    op.drop_table("measured_nodes")
    op.drop_table("latency_entries")


def _fill(connection: sa.Connection, entries: sa.Table, nodes: sa.Table) -> None:
    """Write the rows of one snapshot, then of one result, at a time."""
    for snapshot in connection.execute(sa.text("SELECT snapshot FROM latency_tables")).scalars().all():
        find = sa.text("SELECT content FROM latency_tables WHERE snapshot = :snapshot")
        content = json.loads(connection.execute(find, {"snapshot": snapshot}).scalar_one())
        rows = list(_cells(content))
        connection.execute(sa.insert(entries), [{"snapshot": snapshot, **row} for row in rows])
    counted = sa.text(
        "SELECT results.result_id FROM results JOIN leases ON leases.lease_id = results.lease_id "
        "WHERE leases.status = 'done' AND results.fence = leases.fence AND results.status = 'ok'"
    )
    for result_id in connection.execute(counted).scalars().all():
        find = sa.text("SELECT body FROM results WHERE result_id = :result_id")
        body = connection.execute(find, {"result_id": result_id}).scalar_one()
        rows = list(_nodes(json.loads(zlib.decompress(body))))
        if rows:
            connection.execute(sa.insert(nodes), [{"result_id": result_id, **row} for row in rows])


def _cells(table: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a stored table: stem, every candidate of every layer, head."""
    space = search_space(table["space"])
    last = space.layers[-1]
    size = -(-last.resolution // last.stride)
    cells = [
        ("", space.stem(), space.input_shape),
        *(
            (block, space.candidate(layer, block), layer.input_shape)
            for layer in space.layers
            for block in space.candidates
        ),
        ("", space.head(), (last.out_channels, size, size)),
    ]
    anchor_us = table["anchor_us"]
    for position, (block, segment, shape) in enumerate(cells):
        key = segment_key(segment, shape)
        row = {"position": position, "layer": segment.name, "block": block, "segment_key": key}
        entry = table["entries"].get(key)
        if key == IDENTITY_KEY:
            yield {**row, "latency_us": 0.0, "sigma_us": 0.0, "num_samples": 0, "status": "identity"}
        elif entry is None:
            yield {**row, "latency_us": None, "sigma_us": None, "num_samples": 0, "status": "missing"}
        else:
            yield {
                **row,
                "latency_us": entry["latency_units"] * anchor_us,
                "sigma_us": entry["sigma_units"] * anchor_us,
                "num_samples": entry["num_samples"],
                "status": entry["status"],
            }


def _nodes(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a stored result."""
    for index, node in enumerate(result["nodes"]):
        if node["wall_us"]:
            q10_us, median_us, q90_us = np.quantile(node["wall_us"], (0.1, 0.5, 0.9)).tolist()
            yield {
                "node_index": index,
                "node": node["name"],
                "op_type": node["op_type"],
                "segment": node["segment"],
                "num_runs": len(node["wall_us"]),
                "median_us": median_us,
                "q10_us": q10_us,
                "q90_us": q90_us,
            }
