"""Arms are functions of who somebody is: stable, independent, and the same on every server."""

import numpy as np
import pytest

from regraft.data.assign import ARMS, CHAMPION, COMPARED, HOLDOUT, RAMP, Split, arm, place

PEOPLE = [f"{k:064x}" for k in range(20_000)]


def shares(split: Split) -> dict[str, float]:
    arms = [split.arm(who) for who in PEOPLE]
    return {name: arms.count(name) / len(arms) for name in ARMS}


def test_without_a_pilot_or_a_holdout_everybody_is_served_by_the_champion() -> None:
    assert shares(Split()) == {CHAMPION: 1.0, "control": 0.0, "treatment": 0.0, HOLDOUT: 0.0}


@pytest.mark.parametrize("share", RAMP)
def test_a_pilot_enrols_its_share_and_splits_it_in_halves(share: float) -> None:
    found = shares(Split("salt", share))
    near = 4 * (share / 2 / len(PEOPLE)) ** 0.5
    assert found["control"] == pytest.approx(share / 2, abs=near)
    assert found["treatment"] == pytest.approx(share / 2, abs=near)


def test_a_pilot_that_grows_moves_nobody_to_another_arm() -> None:
    before: dict[str, str] = {}
    for share in RAMP:
        now = {who: Split("salt", share).arm(who) for who in PEOPLE[:4000]}
        assert all(now[who] == name for who, name in before.items() if name in COMPARED)
        before = now


def test_the_holdout_stays_the_same_under_every_pilot_and_is_in_none() -> None:
    held = [{who for who in PEOPLE if Split(salt, 1.0, 0.1).arm(who) == HOLDOUT} for salt in ("one", "two")]
    assert held[0] == held[1]
    assert len(held[0]) / len(PEOPLE) == pytest.approx(0.1, abs=0.01)


def test_enrolment_and_arm_and_two_pilots_are_independent() -> None:
    enrolled = np.array([place("one", "enrolled", who) for who in PEOPLE])
    for purpose, salt in (("arm", "one"), ("enrolled", "two"), ("arm", "two")):
        other = np.array([place(salt, purpose, who) for who in PEOPLE])
        assert abs(np.corrcoef(enrolled, other)[0, 1]) < 4 / len(PEOPLE) ** 0.5


def test_an_arm_is_the_same_for_ever() -> None:
    assert [arm("salt", who) for who in PEOPLE[:6]] == [
        "treatment", "treatment", "treatment", "treatment", "treatment", "control",
    ]  # fmt: skip
