"""What a trial was measured by beside its score: latency, memory, energy."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # A column with a constant default is added in place by both databases: no table is copied.
    op.add_column("trials", sa.Column("measures", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    # In place as well: a batch would drop the old table, and with it, by cascade, all attempts and measurements.
    op.drop_column("trials", "measures")
