"""Which batches the rows of a compacted file came with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    number = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
    op.create_table(
        "merged",
        sa.Column("batch", number, nullable=False),
        sa.Column("source", number, nullable=False),
        sa.Column("first_row", sa.BigInteger(), nullable=False),
        sa.Column("last_row", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"], name=op.f("fk_merged_batch")),
        sa.ForeignKeyConstraint(["source"], ["batches.id"], name=op.f("fk_merged_source")),
        sa.PrimaryKeyConstraint("batch", "source", name=op.f("pk_merged")),
    )
