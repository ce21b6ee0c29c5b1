"""Every check of a new version passes one that is as good as the champion and keeps the old one otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from regraft.release import gate
from regraft.release.asked import asked_twice
from regraft.release.evidence import Finding, Judged
from regraft.said import Said
from regraft.setup.config import ContenderOptions
from regraft.state.database import transaction
from regraft.workbench import Workbench
from site_world import SiteWorld

N, USERS = 2_000, 200
RNG = np.random.default_rng(0)
TRUTH = RNG.normal(0, 1.5, N)
LABELS = (RNG.random(N) < 1 / (1 + np.exp(-TRUTH))).astype(np.int8)
GOOD = Judged(
    LABELS, np.arange(N) % USERS, np.where(np.arange(N) < N // 2, 1, 2), 2, TRUTH + RNG.normal(0, 0.3, N),
    TRUTH + RNG.normal(0, 0.3, N), np.array(["new", "continuing"])[np.arange(N) % 2], {"seconds": 100.0, "usual": 90.0},
    anchor=TRUTH, known=np.arange(N) < N // 2, asked=(TRUTH[:9], TRUTH[:9] + 1e-6),
)  # fmt: skip
SHUFFLED = RNG.permutation(GOOD.new)
NEWEST, OLDER = GOOD.periods == 2, GOOD.periods == 1


def found(check: str, judged: Judged) -> Finding:
    (one,) = (f for f in gate.look(gate.checks({}, "after"), judged) if f.check == check)
    assert isinstance(one.reason, Said)  # or else it could not be told in Japanese
    return one


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        ("effect", replace(GOOD, new=np.where(NEWEST, SHUFFLED, GOOD.new))),
        ("trusted", replace(GOOD, new=np.where(OLDER, SHUFFLED, GOOD.new))),
        ("forgetting", replace(GOOD, new=np.where(OLDER, SHUFFLED, GOOD.new))),
        ("worst-group", replace(GOOD, new=np.where(GOOD.groups == "new", SHUFFLED, GOOD.new))),
        ("calibration", replace(GOOD, new=GOOD.new * 4)),
        ("churn", replace(GOOD, new=SHUFFLED)),
        ("cost", replace(GOOD, cost={"seconds": 900.0, "usual": 90.0})),
        ("parity", replace(GOOD, asked=(TRUTH[:9], TRUTH[:9] + 1e-3))),
        ("parity", replace(GOOD, asked=(TRUTH[:9], TRUTH[:9] * np.nan))),
        ("finite", replace(GOOD, new=np.where(np.arange(N) == 7, np.nan, GOOD.new))),
    ],
)
def test_a_check_passes_a_good_version_and_keeps_the_champion_otherwise(check: str, bad: Judged) -> None:
    assert found(check, GOOD).outcome == "pass"
    assert found(check, bad).outcome == "keep"


def test_another_contender_must_not_even_look_worse_on_older_rows() -> None:
    slightly = replace(GOOD, new=np.where(OLDER, GOOD.new + np.random.default_rng(1).normal(0, 0.9, N), GOOD.new))
    few = replace(slightly, users=np.where(np.arange(N) % 40, np.arange(N) % 50, np.arange(N) % USERS))
    lost = found("trusted", few)
    assert lost.values["difference"] < -0.01
    assert found("trusted", replace(few, another=True)).outcome == "keep"
    assert found("trusted", replace(GOOD, another=True)).outcome == "pass"


def test_a_version_as_good_as_the_champion_passes_the_whole_gate() -> None:
    findings = gate.look(gate.checks({}, "after"), GOOD)
    assert gate.outcome(findings) == "pass"
    assert {f.check for f in findings} >= {"effect", "trusted", "forgetting", "worst-group", "calibration", "churn"}


def test_scores_that_are_no_numbers_are_compared_with_nothing() -> None:
    findings = gate.look(gate.checks({}, "after"), replace(GOOD, new=np.full(N, np.inf)))
    assert gate.outcome(findings) == "keep"
    assert {f.check for f in findings} == {"finite", "cost"}


def test_the_effect_tells_of_every_challenger_with_its_interval() -> None:
    told = found("effect", replace(GOOD, challengers={"nano": TRUTH, "broken": TRUTH * np.nan}))
    assert "challenger nano: -0.0017 [-0.0086, +0.0054]" in told.reason
    assert "challenger broken: scores that are no numbers" in told.reason
    assert told.values["nano low"] < told.values["nano difference"] < told.values["nano high"]


def test_a_handful_of_rows_decides_nothing() -> None:
    few = replace(GOOD, periods=np.where(np.arange(N) < 10, 2, 1), new=np.where(np.arange(N) < 10, SHUFFLED, GOOD.new))
    assert "too few" in found("effect", few).reason
    assert gate.outcome(gate.look(gate.checks({}, "after"), few)) == "pass"


def test_seconds_below_the_floor_never_count() -> None:
    assert found("cost", replace(GOOD, cost={"seconds": 50.0, "usual": 1.0})).outcome == "pass"
    assert found("cost", replace(GOOD, cost={"seconds": 900.0, "usual": float("nan")})).outcome == "pass"


def test_a_contender_with_one_score_per_item_that_ranks_the_other_way_round_changes_every_pair() -> None:
    items = np.random.default_rng(2).integers(0, 8, N).astype(np.float64)
    assert found("churn", replace(GOOD, old=items, new=0.01 * items + 3)).values["changed"] == pytest.approx(0)
    turned = found("churn", replace(GOOD, old=items, new=-0.01 * items))
    assert turned.values["changed"] == pytest.approx(1) and turned.outcome == "keep"


def test_reasons_are_one_sentence() -> None:
    findings = gate.look(gate.checks({}, "after"), replace(GOOD, new=SHUFFLED))
    said = gate.because(findings, "keep")
    assert "churn (" in said and "effect (" in said and ";" in said


@pytest.mark.parametrize("use", ["stack", "popularity", "rates", "item-knn"])
def test_a_server_that_is_told_the_day_answers_as_the_trainer_does(world: SiteWorld, use: str) -> None:
    site = world.site
    with transaction(site.engine) as connection:
        cuts = site.cuts(connection)
    bench = Workbench(site, site.stream(cuts))
    contender = bench.new(ContenderOptions(use=use))
    contender.renew(bench.past(len(cuts.starts)))
    trained, served = asked_twice(bench, contender, len(cuts.starts))
    assert len(trained) == 300
    assert np.ptp(trained) > 0.1
    np.testing.assert_allclose(served, trained, atol=1e-9)
