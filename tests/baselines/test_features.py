from __future__ import annotations

import numpy as np
import pytest

from regraft.baselines.features import FEATURES, features, log_odds
from regraft.baselines.logistic import demand_both_labels, fit_logistic
from regraft.data.regimes import Regime
from regraft.errors import DataError
from regraft.prompts.facts import fact_table
from worlds import tiny_stream

STREAM = tiny_stream("ann:heat+@1h ann:up-@2h bob:heat-@2h ann:big+@5h ann:heat+@5h bob:up+@30h")
FRESH = Regime()


def column(name: str, regime: Regime = FRESH) -> list[float]:
    return [float(v) for v in features(STREAM, regime, (name,))[:, 0]]


def test_every_example_has_every_column() -> None:
    found = features(STREAM, FRESH)
    assert found.shape == (6, len(FEATURES))
    assert np.isfinite(found).all()


def test_rates_come_as_log_odds_and_counts_as_logarithms() -> None:
    table = fact_table(STREAM, FRESH)
    rate = table["item_rate"].to_numpy()
    np.testing.assert_allclose(column("item_rate"), np.log(rate / (1 - rate)))
    np.testing.assert_allclose(column("item_count"), np.log([1, 1, 2, 1, 3, 2]))
    np.testing.assert_allclose(column("user_count"), np.log([1, 2, 1, 3, 3, 2]))
    np.testing.assert_allclose(column("recent"), table["recent"].to_numpy())


def test_the_share_among_the_last_three_is_smoothed_to_one_half() -> None:
    # ann: nothing, then like, then like and dislike (twice: rows of one instant hide each other); bob: 0 of 1.
    np.testing.assert_allclose(column("last_three"), [0.5, 1.5 / 2, 0.5, 1.5 / 3, 1.5 / 3, 0.5 / 2])


def test_the_pause_is_in_hours_since_the_users_last_event_and_a_year_without_one() -> None:
    year = 365 * 24
    np.testing.assert_allclose(column("pause"), np.log1p([year, 1, year, 3, 3, 28]))


def test_feedback_that_arrives_late_makes_the_pause_longer() -> None:
    # Four hours after the event is heard of: at 5 h ann's event of 1 h is known, at 30 h bob's of 2 h.
    year = 365 * 24
    np.testing.assert_allclose(column("pause", Regime.parse("delayed 4h")), np.log1p([year, year, year, 4, 4, 28]))


def test_a_row_is_described_by_what_lies_before_it_alone() -> None:
    longer = tiny_stream(
        "ann:heat+@1h ann:up-@2h bob:heat-@2h ann:big+@5h ann:heat+@5h bob:up+@30h cat:new-@31h ann:heat-@40h"
    )
    np.testing.assert_array_equal(features(longer, FRESH)[:6], features(STREAM, FRESH))


def test_log_odds_are_kept_finite() -> None:
    np.testing.assert_allclose(log_odds(np.array([0.0, 0.5, 1.0])), [-np.log(999), 0.0, np.log(999)])


def test_a_logistic_needs_both_labels() -> None:
    with pytest.raises(DataError) as caught:
        fit_logistic(np.zeros((3, 1)), np.ones(3), "baseline rates")
    assert str(caught.value) == (
        "baseline rates: 3 examples, all with one label\nExpected likes and dislikes to learn from"
    )


def test_so_does_anything_else_that_classifies() -> None:
    demand_both_labels(np.array([0, 1]), "x")
    with pytest.raises(DataError, match="x: 0 examples, all with one label"):
        demand_both_labels(np.zeros(0), "x")
