import pytest
from sqlalchemy import insert

from regraft.errors import StateError
from regraft.state import ledger, versions
from regraft.state.database import transaction
from regraft.state.tables import runs
from regraft.state.versions import Version


@pytest.fixture
def three(engine):
    """Three versions, the first one is champion."""
    with transaction(engine) as connection:
        row = {"key": "k", "kind": "update", "date": "2025-01-01", "state": "running", "step": "", "fence": 1}
        connection.execute(insert(runs).values(id=1, details="{}", begun=0, **row))
        for number in (1, 2, 3):
            assert versions.next_number(connection) == number
            name = versions.version_name("shop", number)
            versions.add(connection, Version(name, number, "stack", 1, 10 * number, "m", {"seed": 0}, "good", number))
        versions.move(connection, "champion", "shop-v000001", None, "promoted", {}, at=1)
    return engine


def test_names_are_numbered_and_found_again(three):
    with transaction(three) as connection:
        assert [v.name for v in versions.listed(connection)] == ["shop-v000001", "shop-v000002", "shop-v000003"]
        assert versions.version(connection, "shop-v000002").lineage == {"seed": 0}


def test_an_unknown_version_is_named_beside_known_ones(three):
    with transaction(three) as connection, pytest.raises(StateError, match="shop-v000003"):
        versions.version(connection, "shop-v000009")


def test_a_move_is_one_step_with_history_and_ledger(three):
    with transaction(three) as connection:
        moved = versions.move(connection, "champion", "shop-v000002", "shop-v000001", "promoted", {"auc": 0.7}, at=2)
        assert moved.epoch == 2
        assert [a.version for a in versions.history(connection, "champion")] == ["shop-v000001", "shop-v000002"]
        last = ledger.entries(connection)[-1]
    assert last.details == {"alias": "champion", "auc": 0.7, "from": "shop-v000001", "to": "shop-v000002"}


def test_a_decision_on_an_old_state_is_refused(three):
    with transaction(three) as connection:
        versions.move(connection, "champion", "shop-v000002", "shop-v000001", "promoted", {}, at=2)
        with pytest.raises(StateError, match="points to shop-v000002"):
            versions.move(connection, "champion", "shop-v000003", "shop-v000001", "promoted", {}, at=3)


def test_a_move_that_changes_nothing_says_so(three):
    with transaction(three) as connection, pytest.raises(StateError, match="nothing would change"):
        versions.move(connection, "champion", "shop-v000001", "shop-v000001", "rolled back", {}, at=3)


def test_a_rollback_raises_the_epoch(three):
    with transaction(three) as connection:
        versions.move(connection, "champion", "shop-v000002", "shop-v000001", "promoted", {}, at=2)
        assert versions.move(connection, "champion", "shop-v000001", "shop-v000002", "rolled back", {}, at=3).epoch == 3


def test_an_alias_cannot_point_to_nothing(three):
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError), transaction(three) as connection:
        versions.move(connection, "champion", "shop-v000099", "shop-v000001", "promoted", {}, at=2)
