"""Pages read one measure over two years: an index that begins with it."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_aggregates_measure", "aggregates", ["measure", "arm", "segment", "day"])
