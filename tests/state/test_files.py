from dataclasses import dataclass

import pytest

from regraft.errors import StateError
from regraft.state import files
from regraft.state.database import transaction
from regraft.state.files import Counts


@dataclass(frozen=True)
class Written:
    name: str
    day: str
    sha256: str = "0" * 64
    rows: int = 3
    bytes: int = 100


COUNTS = Counts("log.csv", "0" * 64, rows_in=6, accepted=6, set_aside=0, already_there=0)


def test_files_are_listed_by_day(engine):
    with transaction(engine) as connection:
        batch = files.add(connection, COUNTS, [Written("b", "2025-01-07"), Written("a", "2025-01-06")], at=1)
        assert [(f.name, f.batch) for f in files.listed(connection)] == [("a", batch), ("b", batch)]
        assert [f.name for f in files.listed(connection, days=["2025-01-07"])] == ["b"]
        assert files.listed(connection, days=[]) == []


def test_a_batch_that_was_taken_out_of_use_is_listed_no_more(engine):
    with transaction(engine) as connection:
        first = files.add(connection, COUNTS, [Written("a", "2025-01-06")], at=1)
        files.add(connection, COUNTS, [Written("b", "2025-01-06")], at=2)
        files.set_state(connection, first, files.HELD)
        assert [f.name for f in files.listed(connection)] == ["b"]
        assert [f.name for f in files.listed(connection, states=[files.HELD])] == ["a"]
        files.set_state(connection, first, files.ACCEPTED)
        assert [f.name for f in files.listed(connection)] == ["a", "b"]


def test_numbers_are_given_out_once(engine):
    with transaction(engine) as connection:
        assert files.next_number(connection, "rows") == 0
        files.take_numbers(connection, "rows", 0, 3)
        files.take_numbers(connection, "rows", 3, 2)
        assert files.next_number(connection, "rows") == 5
        assert files.next_number(connection, "others") == 0
        with pytest.raises(StateError, match="given out meanwhile"):
            files.take_numbers(connection, "rows", 3, 2)
