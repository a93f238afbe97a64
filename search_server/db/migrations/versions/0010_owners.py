"""People and robots own tokens, jobs, tables, devices and models; what was there belongs to `shared`."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OWNED = ("tokens", "jobs", "latency_tables", "devices", "models")
_PRIVATE = ("jobs", "latency_tables")


def upgrade() -> None:
    users = op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("is_robot", sa.Boolean(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    op.execute(
        users.insert().values(
            name="shared", is_robot=False, is_admin=True, created_at=sa.func.current_timestamp()
        )
    )
    for table in _OWNED:
        column = sa.Column("owner", sa.String(length=64), server_default="shared", nullable=False)
        op.add_column(table, column)
    for table in _PRIVATE:
        column = sa.Column("is_private", sa.Boolean(), server_default=sa.false(), nullable=False)
        op.add_column(table, column)
    op.create_index("ix_jobs_owner", "jobs", ["owner"])


def downgrade() -> None:
    op.drop_index("ix_jobs_owner", "jobs")
    for table in _PRIVATE:
        op.drop_column(table, "is_private")
    for table in _OWNED:
        op.drop_column(table, "owner")
    op.drop_table("users")
