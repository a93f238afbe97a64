"""Jobs have names and notes."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("name", sa.String(length=100), server_default="", nullable=False))
    op.add_column("jobs", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_jobs_name", "jobs", ["name"])


def downgrade() -> None:
    op.drop_index("ix_jobs_name", "jobs")
    for column in ("note", "name"):
        op.drop_column("jobs", column)
