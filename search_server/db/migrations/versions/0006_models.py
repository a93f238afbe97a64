"""Models that people bring, their latencies, and the shapes of nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_VIEW = (
    "CREATE VIEW node_latencies AS "
    "SELECT leases.device_id, leases.job_id, results.lease_id, results.item_id, node_index, node, "
    "op_type, segment, {shapes}num_runs, median_us, q10_us, q90_us FROM measured_nodes "
    "JOIN results ON results.result_id = measured_nodes.result_id "
    "JOIN leases ON leases.lease_id = results.lease_id"
)


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["sha256"], ["artifacts.sha256"], name="fk_models_sha256_artifacts"),
        sa.PrimaryKeyConstraint("model_id", name="pk_models"),
    )
    op.create_index("ix_models_sha256", "models", ["sha256"])
    op.create_index(
        "uq_models_name_present",
        "models",
        ["name"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "model_latencies",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("model_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("conditions_key", sa.String(length=32), nullable=False),
        sa.Column("latency_us", sa.Double(), nullable=False),
        sa.Column("low_us", sa.Double(), nullable=False),
        sa.Column("high_us", sa.Double(), nullable=False),
        sa.Column("anchor_us", sa.Double(), nullable=False),
        sa.Column("profiled_us", sa.Double(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_model_latencies_job_id_jobs"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.model_id"], name="fk_model_latencies_model_id_models"
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.device_id"], name="fk_model_latencies_device_id_devices"
        ),
        sa.PrimaryKeyConstraint("job_id", name="pk_model_latencies"),
    )
    op.create_index("ix_model_latencies_model_id", "model_latencies", ["model_id"])
    op.execute("DROP VIEW node_latencies")
    op.add_column("measured_nodes", sa.Column("shapes", sa.Text(), server_default="", nullable=False))
    op.execute(_VIEW.format(shapes="shapes, "))


def downgrade() -> None:
    op.execute("DROP VIEW node_latencies")
    op.drop_column("measured_nodes", "shapes")
    op.execute(_VIEW.format(shapes=""))
    op.drop_table("model_latencies")
    # What was brought is forgotten; jobs, leases and results of it stay, as those of removed models do.
    op.drop_table("models")
