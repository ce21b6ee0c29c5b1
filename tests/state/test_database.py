import sqlite3

import pytest
from sqlalchemy import inspect, select, text, update

from regraft.errors import StateError
from regraft.state.database import journal_mode, open_database, transaction
from regraft.state.tables import counters, metadata


def test_migrations_make_the_tables_that_the_code_knows(engine):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with transaction(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_a_database_is_opened_again_as_it_was(url, engine):
    with transaction(engine) as connection:
        connection.execute(counters.insert().values(name="rows", value=7))
    again = open_database(url)
    with transaction(again) as connection:
        assert connection.execute(select(counters.c.value)).scalar() == 7
    again.dispose()


def test_an_error_rolls_everything_back(engine):
    def fails() -> None:
        with transaction(engine) as connection:
            connection.execute(counters.insert().values(name="rows", value=7))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with transaction(engine) as connection:
        assert connection.execute(select(counters)).all() == []


def test_two_writers_lose_no_update(engine):
    """Both read, then write what they read plus one: the second waits for the first instead of failing."""
    from concurrent.futures import ThreadPoolExecutor

    with transaction(engine) as connection:
        connection.execute(counters.insert().values(name="rows", value=0))

    def count(_: int) -> None:
        with transaction(engine) as connection:
            value = connection.execute(select(counters.c.value).with_for_update()).scalar_one()
            connection.execute(update(counters).values(value=value + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(40)))
    with transaction(engine) as connection:
        assert connection.execute(select(counters.c.value)).scalar() == 40


def test_sqlite_is_durable_and_forgets_what_is_deleted(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/state.db")
    with transaction(engine) as connection:
        pragma = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "secure_delete")
        }
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
    assert pragma == {"synchronous": 2, "secure_delete": 1}
    assert mode == journal_mode().lower()


def test_the_write_ahead_log_is_used_only_where_it_is_sound():
    assert journal_mode((3, 40, 1)) == "DELETE"
    assert journal_mode((3, 51, 2)) == "DELETE"
    assert journal_mode((3, 51, 3)) == "WAL"


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "state.db"
    path.write_text("not a database, but long enough to be looked at as one" * 40)
    with pytest.raises(StateError, match="cannot be opened"):
        open_database(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


def test_a_database_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "state.db"
    open_database(f"sqlite:///{path}").dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateError, match="later version"):
        open_database(f"sqlite:///{path}")
