"""A pilot's life: planned, running, stopped or decided, one at a time, every step in the ledger."""

import pytest

from regraft.errors import StateError
from regraft.state import ledger, pilots
from regraft.state.database import transaction


def test_a_pilot_is_planned_started_ramped_and_decided_and_the_ledger_says_so(engine):
    with transaction(engine) as connection:
        planned = pilots.add(connection, "one", {"primary": "clicks"}, at=1)
        assert (planned.state, planned.share, planned.plan, len(planned.salt)) == (
            "planned", 0.0, {"primary": "clicks"}, 32,
        )  # fmt: skip
        assert pilots.running(connection) is None
        assert pilots.start(connection, "one", 0.05, begun=2, at=2) == pilots.running(connection)
        pilots.ramp(connection, "one", 0.25, at=3)
        done = pilots.end(connection, "one", pilots.DECIDED, {"decision": "roll out"}, ended=4, at=4)
        assert (done.state, done.share, done.begun, done.ended, done.salt) == ("decided", 0.25, 2, 4, planned.salt)
        assert pilots.running(connection) is None
        found = [(e.at, e.kind, e.details.get("decision")) for e in ledger.entries(connection)]
    assert found == [
        (1, "pilot planned", None), (2, "pilot started", None), (3, "pilot ramped", None),
        (4, "pilot decided", "roll out"),
    ]  # fmt: skip


def test_nobody_is_in_two_pilots(engine):
    with transaction(engine) as connection:
        for name in ("one", "two"):
            pilots.add(connection, name, {}, at=1)
        pilots.start(connection, "one", 0.05, begun=2, at=2)
        with pytest.raises(StateError, match="'one': is running"):
            pilots.start(connection, "two", 0.05, begun=3, at=3)
        pilots.end(connection, "one", pilots.STOPPED, {}, ended=4, at=4)
        assert pilots.start(connection, "two", 0.05, begun=5, at=5).name == "two"


def test_a_pilot_never_shrinks(engine):
    with transaction(engine) as connection:
        pilots.add(connection, "one", {}, at=1)
        pilots.start(connection, "one", 0.25, begun=2, at=2)
        with pytest.raises(StateError, match="cannot unsee"):
            pilots.ramp(connection, "one", 0.05, at=3)


def test_what_was_stopped_can_still_be_decided_and_what_was_decided_is_final(engine):
    with transaction(engine) as connection:
        pilots.add(connection, "one", {}, at=1)
        pilots.start(connection, "one", 1.0, begun=2, at=2)
        assert pilots.end(connection, "one", pilots.STOPPED, {}, ended=3, at=3).ended == 3
        assert pilots.end(connection, "one", pilots.DECIDED, {}, ended=9, at=9).ended == 3
        with pytest.raises(StateError, match="is decided"):
            pilots.end(connection, "one", pilots.DECIDED, {}, ended=10, at=10)


def test_names_are_used_once_and_unknown_ones_are_answered_with_known_ones(engine):
    with transaction(engine) as connection:
        pilots.add(connection, "one", {}, at=1)
        with pytest.raises(StateError, match="exists already"):
            pilots.add(connection, "one", {}, at=2)
        with pytest.raises(StateError, match="one of one"):
            pilots.named(connection, "two")
