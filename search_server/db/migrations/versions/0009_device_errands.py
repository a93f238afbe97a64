"""Devices say what they wait for, and are asked to renew their credential or to upgrade."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("devices") as devices:
        devices.add_column(
            sa.Column("waiting_for", sa.String(length=200), server_default="", nullable=False)
        )
        devices.add_column(
            sa.Column("should_rotate", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        devices.add_column(
            sa.Column("should_upgrade", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        devices.add_column(
            sa.Column("upgrade_failure", sa.String(length=500), server_default="", nullable=False)
        )


def downgrade() -> None:
    for column in ("upgrade_failure", "should_upgrade", "should_rotate", "waiting_for"):
        op.drop_column("devices", column)
