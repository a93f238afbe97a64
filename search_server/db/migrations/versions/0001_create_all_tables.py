"""Create all tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_artifacts"),
    )
    op.create_table(
        "devices",
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("is_imported", sa.Boolean(), nullable=False),
        sa.Column("agent_url", sa.String(length=500), nullable=True),
        sa.Column("agent_token", sa.String(length=500), nullable=True),
        sa.Column("environment", sa.JSON(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("device_id", name="pk_devices"),
    )
    op.create_index(
        "uq_devices_name_present",
        "devices",
        ["name"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )

    op.create_table(
        "tokens",
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_tokens_device_id_devices"),
        sa.PrimaryKeyConstraint("token_id", name="pk_tokens"),
    )
    op.create_index("ix_tokens_device_id", "tokens", ["device_id"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("space", sa.String(length=500), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("conditions_key", sa.String(length=32), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("snapshot", sa.String(length=32), nullable=True),
        sa.Column("other_snapshots", sa.JSON(), nullable=False),
        sa.Column("stage", sa.String(length=200), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("parent_job_id", sa.String(length=64), nullable=True),
        sa.Column("token_id", sa.String(length=64), nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("worker_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("num_windows", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_jobs_device_id_devices"),
        sa.ForeignKeyConstraint(["parent_job_id"], ["jobs.job_id"], name="fk_jobs_parent_job_id_jobs"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.token_id"], name="fk_jobs_token_id_tokens"),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
        sa.UniqueConstraint("token_id", "idempotency_key", name="uq_jobs_token_id_idempotency_key"),
    )
    op.create_index("ix_jobs_device_id", "jobs", ["device_id"], unique=False)
    op.create_index("ix_jobs_kind_status", "jobs", ["kind", "status"], unique=False)
    op.create_index("ix_jobs_parent_job_id", "jobs", ["parent_job_id"], unique=False)

    op.create_table(
        "latency_tables",
        sa.Column("table_id", sa.String(length=64), nullable=False),
        sa.Column("snapshot", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("space", sa.String(length=500), nullable=False),
        sa.Column("runtime", sa.String(length=32), nullable=False),
        sa.Column("conditions_key", sa.String(length=32), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("anchor_us", sa.Double(), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("parent", sa.String(length=32), nullable=True),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.device_id"], name="fk_latency_tables_device_id_devices"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_latency_tables_job_id_jobs"),
        sa.PrimaryKeyConstraint("table_id", name="pk_latency_tables"),
        sa.UniqueConstraint("snapshot", name="uq_latency_tables_snapshot"),
    )
    op.create_index(
        "ix_latency_tables_device_space",
        "latency_tables",
        ["device_id", "space", "conditions_key"],
        unique=False,
    )
    op.create_index("ix_latency_tables_job_id", "latency_tables", ["job_id"], unique=False)
    op.create_index("ix_latency_tables_parent", "latency_tables", ["parent"], unique=False)

    op.create_table(
        "table_checks",
        sa.Column("check_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("snapshot", sa.String(length=32), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_table_checks_job_id_jobs"),
        sa.ForeignKeyConstraint(
            ["snapshot"], ["latency_tables.snapshot"], name="fk_table_checks_snapshot_latency_tables"
        ),
        sa.PrimaryKeyConstraint("check_id", name="pk_table_checks"),
        sa.UniqueConstraint("job_id", name="uq_table_checks_job_id"),
    )
    op.create_index("ix_table_checks_snapshot", "table_checks", ["snapshot"], unique=False)

    op.create_table(
        "leases",
        sa.Column("lease_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("group_index", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("ttl_s", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("device_s", sa.Double(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name="fk_leases_device_id_devices"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_leases_job_id_jobs"),
        sa.PrimaryKeyConstraint("lease_id", name="pk_leases"),
    )
    op.create_index("ix_leases_job_id", "leases", ["job_id"], unique=False)
    op.create_index("ix_leases_status_device_id", "leases", ["status", "device_id"], unique=False)
    op.create_index(
        "uq_leases_device_id_leased",
        "leases",
        ["device_id"],
        unique=True,
        sqlite_where=sa.text("status = 'leased'"),
        postgresql_where=sa.text("status = 'leased'"),
    )

    op.create_table(
        "measured_latencies",
        sa.Column("measured_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("space", sa.String(length=500), nullable=False),
        sa.Column("conditions_key", sa.String(length=32), nullable=False),
        sa.Column("snapshot", sa.String(length=32), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.device_id"], name="fk_measured_latencies_device_id_devices"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_measured_latencies_job_id_jobs"),
        sa.PrimaryKeyConstraint("measured_id", name="pk_measured_latencies"),
    )
    op.create_index(
        "ix_measured_latencies_device_space", "measured_latencies", ["device_id", "space"], unique=False
    )
    op.create_index("ix_measured_latencies_job_id", "measured_latencies", ["job_id"], unique=False)

    op.create_table(
        "search_architectures",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_search_architectures_job_id_jobs"),
        sa.PrimaryKeyConstraint("position", name="pk_search_architectures"),
        sa.UniqueConstraint(
            "job_id", "role", "architecture", name="uq_search_architectures_job_id_role_architecture"
        ),
    )
    op.create_table(
        "search_steps",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("step", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_search_steps_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "step", name="pk_search_steps"),
    )
    op.create_table(
        "lease_artifacts",
        sa.Column("lease_id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["lease_id"], ["leases.lease_id"], name="fk_lease_artifacts_lease_id_leases"
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["artifacts.sha256"], name="fk_lease_artifacts_sha256_artifacts"
        ),
        sa.PrimaryKeyConstraint("lease_id", "sha256", name="pk_lease_artifacts"),
    )
    op.create_index("ix_lease_artifacts_sha256", "lease_artifacts", ["sha256"], unique=False)

    op.create_table(
        "results",
        sa.Column("result_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("lease_id", sa.String(length=64), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lease_id"], ["leases.lease_id"], name="fk_results_lease_id_leases"),
        sa.PrimaryKeyConstraint("result_id", name="pk_results"),
        sa.UniqueConstraint("lease_id", "fence", "item_id", name="uq_results_lease_id_fence_item_id"),
    )


def downgrade() -> None:
    op.drop_table("results")
    op.drop_table("lease_artifacts")
    op.drop_table("search_steps")
    op.drop_table("search_architectures")
    op.drop_table("measured_latencies")
    op.drop_table("leases")
    op.drop_table("table_checks")
    op.drop_table("latency_tables")
    op.drop_table("jobs")
    op.drop_table("tokens")
    op.drop_table("devices")
    op.drop_table("artifacts")
