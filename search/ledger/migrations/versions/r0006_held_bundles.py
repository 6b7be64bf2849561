"""A bundle before the end, a search that is to finish early, jobs that are continued after their end."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("held", sa.JSON()))
    op.add_column("jobs", sa.Column("finishing", sa.JSON()))
    op.add_column("jobs", sa.Column("rounds", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in ("rounds", "finishing", "held"):
        op.drop_column("jobs", name)
