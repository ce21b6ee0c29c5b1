"""What Alembic runs: migrations inside the transaction that database.py has begun."""

from alembic import context

from regraft.state.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
