import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, update

from regraft.errors import StateError
from regraft.state import ledger
from regraft.state.database import transaction
from regraft.state.tables import ledger as table


@pytest.fixture
def written(engine):
    with transaction(engine) as connection:
        for number in range(1, 5):
            ledger.append(connection, "promoted", {"version": f"shop-v{number:06d}", "why": "für alle"}, at=number)
    return engine


def test_entries_come_back_in_order_with_their_details(written):
    with transaction(written) as connection:
        found = ledger.entries(connection)
    assert [entry.id for entry in found] == [1, 2, 3, 4]
    assert found[2].details == {"version": "shop-v000003", "why": "für alle"}


@pytest.mark.parametrize(
    "edit",
    [
        update(table).where(table.c.id == 2).values(details='{"version":"another"}'),
        update(table).where(table.c.id == 2).values(at=99),
        update(table).where(table.c.id == 2).values(kind="erased"),
        update(table).where(table.c.id == 2).values(hash="f" * 64),
        delete(table).where(table.c.id == 2),
        delete(table).where(table.c.id == 1),
    ],
)
def test_an_edit_shows_at_the_entry_where_it_happened(written, edit):
    with transaction(written) as connection:
        connection.execute(edit)
        with pytest.raises(StateError, match=r"ledger, entry [12]"):
            ledger.entries(connection)


def test_swapped_entries_show(written):
    with transaction(written) as connection:
        for old, new in ((2, 9), (3, 2), (9, 3)):
            connection.execute(update(table).where(table.c.id == old).values(id=new))
        with pytest.raises(StateError, match="entry 2"):
            ledger.entries(connection)


def test_equal_details_are_written_with_equal_bytes():
    assert ledger.canonical({"b": 1, "a": [1.5, None]}) == ledger.canonical({"a": [1.5, None], "b": 1})


def test_the_newest_entry_of_a_kind_is_found_and_an_edit_of_it_shows(written):
    with transaction(written) as connection:
        ledger.append(connection, "erased", {}, at=5)
        assert ledger.newest(connection, "promoted").details["version"] == "shop-v000004"
        assert ledger.newest(connection, "kept") is None
        connection.execute(update(table).where(table.c.id == 4).values(details="{}"))
        with pytest.raises(StateError, match="entry 4"):
            ledger.newest(connection, "promoted")


def test_two_who_write_at_once_both_get_an_entry(engine):
    def write(who: int) -> None:
        with transaction(engine) as connection:
            ledger.append(connection, "promoted", {"who": who}, at=1)
            time.sleep(0.05)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    with transaction(engine) as connection:
        found = ledger.entries(connection)
    assert sorted(entry.details["who"] for entry in found) == list(range(8))
