"""Results have a checksum, and after a while a summary in place of their samples."""

import hashlib

import sqlalchemy as sa
from alembic import context, op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("results", sa.Column("body_sha256", sa.String(64), server_default="", nullable=False))
    op.add_column("results", sa.Column("summary", sa.JSON(), nullable=True))
    if not context.is_offline_mode():  # statements that are only printed cannot read what is stored
        _fill(op.get_bind())


def downgrade() -> None:
    op.drop_column("results", "summary")
    op.drop_column("results", "body_sha256")


def _fill(connection: sa.Connection) -> None:
    """Write the checksums of what is stored, one result at a time."""
    find = sa.text("SELECT body FROM results WHERE result_id = :result_id")
    write = sa.text("UPDATE results SET body_sha256 = :sha256 WHERE result_id = :result_id")
    for result_id in connection.execute(sa.text("SELECT result_id FROM results")).scalars().all():
        body = connection.execute(find, {"result_id": result_id}).scalar_one()
        sha256 = hashlib.sha256(body).hexdigest()
        connection.execute(write, {"result_id": result_id, "sha256": sha256})
