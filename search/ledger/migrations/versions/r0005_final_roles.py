"""Why something was trained in full, and what each phase of a job cost."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # All final trainings of earlier versions were of finalists.
    op.add_column("finalists", sa.Column("role", sa.String(16), nullable=False, server_default="finalist"))
    op.add_column("jobs", sa.Column("phases", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("jobs", "phases")
    op.drop_column("finalists", "role")
