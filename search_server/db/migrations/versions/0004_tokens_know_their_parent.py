"""Tokens know from which one they came."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("parent_token_id", sa.String(length=64), nullable=True))
    op.create_index("ix_tokens_parent_token_id", "tokens", ["parent_token_id"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_tokens_parent_token_id", "tokens")
    op.drop_column("tokens", "parent_token_id")
