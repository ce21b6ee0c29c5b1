"""Names of sites, versions and contenders may be long: columns that are made of them hold them whole."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table, column in (("leases", "name"), ("aggregates", "segment")):
        with op.batch_alter_table(table) as batch:  # SQLite changes a column by a copy of its table
            batch.alter_column(column, existing_type=sa.String(64), type_=sa.String(255), existing_nullable=False)
