from itertools import count

import pytest

from regraft.errors import StateError
from regraft.state import vault
from regraft.state.database import transaction


def test_a_person_keeps_one_uid(engine):
    numbers = count()
    with transaction(engine) as connection:
        first = vault.uids(connection, ["a", "b", "a"], "key", lambda: f"uid{next(numbers)}")
        again = vault.uids(connection, ["b", "c"], "key", lambda: f"uid{next(numbers)}")
    assert first == {"a": "uid0", "b": "uid1"}
    assert again == {"b": "uid1", "c": "uid2"}


def test_strangers_are_left_out_unless_they_are_to_be_added(engine):
    with transaction(engine) as connection:
        assert vault.uids(connection, ["a"], "key") == {}


def test_thousands_are_looked_up_at_once(engine):
    numbers = count()
    names = [f"p{k}" for k in range(2500)]
    with transaction(engine) as connection:
        added = vault.uids(connection, names, "key", lambda: f"{next(numbers)}")
        assert vault.uids(connection, names, "key") == added


def test_another_key_would_give_everybody_a_second_uid_and_is_refused(engine):
    with transaction(engine) as connection:
        vault.uids(connection, ["a"], "key", lambda: "uid")
        with pytest.raises(StateError, match="id vault"):
            vault.uids(connection, ["a"], "other", lambda: "uid2")


def test_a_forgotten_person_is_a_stranger(engine):
    with transaction(engine) as connection:
        vault.uids(connection, ["a"], "key", lambda: "uid")
        assert vault.forget(connection, "a")
        assert not vault.forget(connection, "a")
        assert vault.uids(connection, ["a"], "key") == {}
