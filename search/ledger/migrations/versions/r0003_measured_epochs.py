"""What was measured beside the score, by epoch: trials in the middle are compared by it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # A column with a constant default is added in place by both databases: no table is copied.
    op.add_column("measurements", sa.Column("measures", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("measurements", "measures")
