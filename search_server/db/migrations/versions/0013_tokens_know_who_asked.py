"""Tokens know with which token a person asked for them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("made_with", sa.String(length=64), nullable=True))
    op.create_index("ix_tokens_made_with", "tokens", ["made_with"])


def downgrade() -> None:
    op.drop_index("ix_tokens_made_with", "tokens")
    op.drop_column("tokens", "made_with")
