"""Opening the database of a site: SQLite in its folder, or PostgreSQL by URL. Transactions are serial and durable.

SQLite: every transaction begins with BEGIN IMMEDIATE, so that one which reads and then writes waits instead of
failing; `synchronous=FULL`, so that what was committed survives a loss of power; `secure_delete`, so that what
was deleted is not left in free pages. WAL from 3.51.3 on: earlier versions can corrupt a database when two
connections write and checkpoint at once, and use a rollback journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from regraft.errors import StateError

SAFE_WAL = (3, 51, 3)  # first version of SQLite without the WAL-reset corruption
WAIT = 30.0  # seconds a transaction waits for another one
MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str) -> Engine:
    """The engine behind `url`, its tables brought up to date.

    Raises StateError where the database cannot be opened, or was written by a later version of regraft.
    """
    try:
        engine = _engine(url)
        with transaction(engine) as connection:
            _migrate(connection, url)
    except (SQLAlchemyError, OSError) as error:
        raise StateError(
            "database '{url}'", "cannot be opened: {reason}", "a database that can be opened",
            url=_shown(url), reason=_reason(error),
        ) from error  # fmt: skip
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back after an error."""
    with engine.begin() as connection:
        yield connection


def lock_table(connection: Connection, table: Table) -> None:
    """Until the transaction ends nobody else writes to the table: what it reads there and then adds fits together."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))


def tidy(engine: Engine) -> None:
    """SQLite gives back its free pages and empties its log; a PostgreSQL does so by itself, or by its keeper."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("VACUUM")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def revision(connection: Connection) -> str | None:
    """Name of the last migration that this database has seen."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """WAL where this SQLite is free of its corruption, else DELETE."""
    return "WAL" if version >= SAFE_WAL else "DELETE"


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction of its own
    for pragma in (
        f"journal_mode={journal_mode()}", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON",
        f"busy_timeout={round(WAIT * 1000)}",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _migrate(connection: Connection, url: str) -> None:
    newest = max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if revision(connection) == newest.partition("_")[0]:
        return  # nearly always: the library that migrates is not even loaded
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:  # it names a migration that this version does not have
        raise StateError(
            "database '{url}'", "was written by a later version of regraft", "this version or an earlier one",
            "Install the version that wrote it, or a later one", url=_shown(url),
        ) from error  # fmt: skip


def _shown(url: str) -> str:
    """The URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(cause).strip().splitlines()[0]
