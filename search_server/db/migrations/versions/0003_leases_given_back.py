"""Leases count how often an agent gave them back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leases", sa.Column("num_given_back", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("leases", "num_given_back")
