from __future__ import annotations

import numpy as np
import pytest

from regraft.data.stream import Stream
from regraft.lm.blend import Blend, average_probability
from regraft.metrics.binary import log_loss
from regraft.strategies.lsat_ensemble import LsatEnsemble, best_weight
from regraft.testing.fake_lab import FakeLab
from strategies.days import close, days, positions

FOUR_DAYS = days("heat+ heat- up+ up-", "heat+ heat+ up-", "heat- heat- up+", "heat- up+ up+")
# Day 1 tells what heat is like. Day 2 says the opposite, day 3 agrees with day 1: long-term memory is right.
RETURNING = days("heat+ " * 20 + "up-", "heat- " * 20 + "up+", "heat+ " * 20 + "up-")
CHANGED = days("heat+ " * 20 + "up-", "heat- " * 20 + "up+", "heat- " * 20 + "up+")


def closed(stream: Stream, periods: int, strategy: LsatEnsemble | None = None, first: int = 2) -> Blend:
    blend = None
    for period in range(first, periods + 1):
        blend = close(strategy or LsatEnsemble(), stream, period, blend)
    assert blend is not None
    return blend


def test_the_first_close_fits_all_for_the_long_term_and_the_newest_period_for_the_short_term() -> None:
    lab = FakeLab()
    blend = close(LsatEnsemble(), FOUR_DAYS, 2, lab=lab)
    long, short = lab.asked("fit")
    assert long.view is not None and short.view is not None
    assert (long.view.fingerprint, long.asked["start"]) == (FOUR_DAYS.until(3).fingerprint, None)
    assert (positions(short.view, 1), positions(short.view, 2), short.asked["start"]) == ([], [0, 1, 2], None)
    assert [weight for _, weight in blend.parts] == [0.5, 0.5]
    assert (set(blend.kept), blend.state, blend.mode) == ({"long", "short"}, {}, "ensemble")
    assert lab.notes == ["weight of the long-term adapter: 0.5"]


def test_the_long_term_adapter_is_frozen_and_the_short_term_one_is_new_every_period() -> None:
    first, lab = close(LsatEnsemble(), FOUR_DAYS, 2), FakeLab()
    second = close(LsatEnsemble(), FOUR_DAYS, 3, first, lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert (positions(fit.view, 2), positions(fit.view, 3), fit.asked["start"]) == ([], [0, 1, 2], None)
    assert second.kept["long"].hash == first.kept["long"].hash
    assert second.kept["short"].hash != first.kept["short"].hash
    assert [adapter for adapter, _ in second.parts] == [second.kept["long"], second.kept["short"]]


def test_what_is_remembered_was_said_by_the_old_adapters_before_they_could_learn_it() -> None:
    first = close(LsatEnsemble(), FOUR_DAYS, 2)
    state = close(LsatEnsemble(), FOUR_DAYS, 3, first).state
    newest, lab = FOUR_DAYS.cases(3), FakeLab()
    np.testing.assert_array_equal(state["scored.long"], lab.score_adapter(first.kept["long"], newest))
    np.testing.assert_array_equal(state["scored.short"], lab.score_adapter(first.kept["short"], newest))
    assert (state["scored.label"].tolist(), state["scored.period"].tolist()) == (newest.labels.tolist(), [3, 3, 3])


def test_only_the_newest_periods_are_remembered() -> None:
    state = closed(FOUR_DAYS, 4, LsatEnsemble(score_periods=2), first=1).state
    assert sorted(set(state["scored.period"].tolist())) == [3, 4]
    assert len(state["scored.long"]) == len(state["scored.short"]) == len(state["scored.label"]) == 6


def test_where_old_tastes_return_the_long_term_adapter_gets_the_weight() -> None:
    (_, long), (_, short) = closed(RETURNING, 3, LsatEnsemble(score_periods=1), first=1).parts
    # One adapter of day 1, one of day 2; day 3 agrees with day 1.
    assert (long, short) == (1.0, 0.0)


def test_where_tastes_changed_the_short_term_adapter_gets_the_weight() -> None:
    (_, long), (_, short) = closed(CHANGED, 3, LsatEnsemble(score_periods=1), first=1).parts
    assert (long, short) == (0.0, 1.0)


def test_a_weight_that_is_given_is_used() -> None:
    lab = FakeLab()
    blend = close(LsatEnsemble(weight=0.25), FOUR_DAYS, 3, close(LsatEnsemble(weight=0.25), FOUR_DAYS, 2), lab)
    assert [weight for _, weight in blend.parts] == [0.25, 0.75]
    assert lab.notes == ["weight of the long-term adapter: 0.25"]


def test_before_anything_is_known_both_count_alike() -> None:
    assert best_weight({}) == 0.5


def test_the_best_weight_has_the_lowest_log_loss_of_the_grid() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    label = (rng.uniform(size=4000) < 1 / (1 + np.exp(-2 * truth))).astype(np.int64)
    state = {
        "scored.long": 2 * truth + rng.normal(size=4000),
        "scored.short": 2 * truth + 2 * rng.normal(size=4000),
        "scored.label": label,
        "scored.period": np.ones(4000, np.int64),
    }
    both = np.stack([state["scored.long"], state["scored.short"]])
    losses = {a: log_loss(label, average_probability(both, np.array([a, 1 - a]))) for a in np.linspace(0, 1, 11)}
    found = best_weight(state)
    assert found == pytest.approx(min(losses, key=lambda a: losses[a]))
    assert 0.5 < found < 1.0  # both know something, the long-term adapter more


def test_the_newest_period_must_be_stored() -> None:
    assert LsatEnsemble().stored(FOUR_DAYS.until(4)) == 3


@pytest.mark.parametrize("settings", [{"weight": -0.1}, {"weight": 1.1}, {"score_periods": 0}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        LsatEnsemble(**settings)  # type: ignore[arg-type]
