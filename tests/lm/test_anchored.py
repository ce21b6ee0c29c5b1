"""The anchored calibration: what it adds to a stack, and that it adds nothing where nothing speaks for the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from regraft.lm.anchored import CELLS, Anchored, Served, fit_anchored
from regraft.metrics.binary import auc

COUNTS, LENGTHS = (0, 3, 20, 200), (1, 10, 50, 300)  # one of each bucket


def world(seed: int, rows: int, knows: float = 0.0, cold_only: bool = False, periods: int = 3) -> Served:
    """A stack that is right, and a model that says 0.5 + 0.8 s + a word of its own, worth `knows` log-odds."""
    rng = np.random.default_rng(seed)
    stack, word = rng.normal(0.3, 1.0, rows), rng.normal(size=rows)
    counts, lengths = rng.choice(COUNTS, rows), rng.choice(LENGTHS, rows)
    truth = stack + knows * word * ((counts == 0) if cold_only else 1)
    label = (rng.uniform(size=rows) < 1 / (1 + np.exp(-truth))).astype(np.int8)
    return Served(0.5 + 0.8 * stack + word, stack, label, counts, lengths, np.arange(rows) * periods // rows)


def said(anchored: Anchored, rows: Served) -> np.ndarray:
    return anchored.apply(rows.log_odds, rows.stack, rows.item_count, rows.history_length)


def gains(draws: int, rows: int, knows: float) -> np.ndarray:
    """AUC over the stack's on 20,000 rows that nothing was fitted on, per draw."""
    found = []
    for seed in range(draws):
        test = world(1000 + seed, 20_000, knows)
        anchored, _ = fit_anchored(world(seed, rows, knows))
        found.append(auc(test.label, said(anchored, test)) - auc(test.label, test.stack))
    return np.array(found)


# -- what is added ----------------------------------------------------------------------------------


def test_the_residual_is_what_the_line_through_the_stack_leaves_of_the_model():
    anchored = Anchored(0.5, 2.0, tuple(np.arange(CELLS) / 10))
    rows = anchored.apply(np.array([4.5, 1.0]), np.array([1.0, 1.0]), np.array([0, 10]), np.array([5, 100]))
    assert rows.tolist() == [1 + 0.1 * 2.0, 1 + 1.1 * -1.5]


def test_every_pair_of_buckets_is_a_cell_and_edges_belong_to_the_upper_one():
    counts, lengths = np.meshgrid([0, 1, 9, 10, 49, 50], [0, 4, 5, 19, 20, 99, 100], indexing="ij")
    rows = np.array([0, 1, 1, 2, 2, 3])[:, None] * 4 + np.array([0, 0, 1, 1, 2, 2, 3])
    assert Anchored().cells(counts.ravel(), lengths.ravel()).tolist() == rows.ravel().tolist()
    assert rows.max() == CELLS - 1


# -- harm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [0.0, 0.3, -7.0])
def test_a_model_that_always_says_the_same_leaves_the_stack_as_it_is(constant: float):
    rows = world(0, 2000)
    anchored, why = fit_anchored(replace(rows, log_odds=np.full(2000, constant)))
    np.testing.assert_array_equal(said(anchored, rows), rows.stack)
    assert why == "beta 0: the model adds nothing to the stack on 2,000 rows of 3 periods"


def test_a_model_that_repeats_the_stack_leaves_it_as_it_is():
    rows = world(0, 2000)
    anchored, _ = fit_anchored(replace(rows, log_odds=1.5 * rows.stack - 0.2))
    np.testing.assert_array_equal(said(anchored, rows), rows.stack)


def test_pure_noise_costs_at_most_half_a_thousandth_of_auc():
    found = gains(50, 5000, knows=0.0)
    assert found.mean() > -0.0005
    assert found.min() > -0.002


def test_no_row_no_second_period_or_too_few_rows_give_no_weight():
    rows = world(0, 4000, knows=0.5)
    none = fit_anchored(rows.only(np.zeros(4000, bool)))
    few = fit_anchored(rows.only(np.arange(4000) % 21 == 0))
    one = fit_anchored(rows.only(rows.period == 1))
    assert [found for found, _ in (none, few, one)] == [Anchored()] * 3
    assert none[1] == "beta 0: nothing was served yet"
    assert few[1] == "beta 0: 191 rows of 3 periods served, of 200 rows and 2 periods needed"
    assert one[1] == "beta 0: 1,333 rows of 1 period served, of 200 rows and 2 periods needed"


def test_a_model_that_helped_before_and_harms_in_the_newest_period_gets_no_weight():
    rows = world(0, 6000, knows=0.6)
    newest = rows.period == 2
    turned = replace(rows, log_odds=np.where(newest, 1 + 1.6 * rows.stack - rows.log_odds, rows.log_odds))
    assert any(fit_anchored(rows)[0].betas)
    anchored, why = fit_anchored(turned)
    assert anchored == Anchored()
    assert why.startswith("beta 0: no gain forward (-0.")


def test_rows_of_one_label_are_no_error():
    rows = world(0, 1000)
    anchored, _ = fit_anchored(replace(rows, label=np.ones(1000, np.int8)))
    assert np.isfinite(said(anchored, rows)).all()


# -- help -------------------------------------------------------------------------------------------


def test_a_model_that_knows_more_is_heard():
    found = gains(10, 5000, knows=0.5)
    assert found.min() > 0.01


def test_with_many_rows_beta_is_what_the_models_word_is_worth():
    anchored, why = fit_anchored(world(0, 200_000, knows=0.4))
    assert anchored.slope == pytest.approx(0.8, abs=0.01)
    assert anchored.intercept == pytest.approx(0.5, abs=0.01)
    assert anchored.betas == pytest.approx([0.4] * CELLS, abs=0.06)
    assert why.startswith("beta 0.3") or why.startswith("beta 0.4")
    assert " pooled on 200,000 rows of 3 periods, " in why and why.endswith(" log-loss forward")


def test_the_scale_of_the_model_plays_no_part():
    rows = world(0, 5000, knows=0.5)
    one, _ = fit_anchored(rows)
    other, _ = fit_anchored(replace(rows, log_odds=100 * rows.log_odds))
    np.testing.assert_allclose(np.array(other.betas) * 100, one.betas, rtol=1e-9)


def test_a_word_that_points_the_wrong_way_is_not_turned_around():
    rows = world(0, 5000, knows=-0.5)
    anchored, why = fit_anchored(rows)
    np.testing.assert_array_equal(said(anchored, rows), rows.stack)
    assert why == "beta 0: the model adds nothing to the stack on 5,000 rows of 3 periods"


def test_a_model_that_knows_cold_items_alone_is_heard_there():
    betas = np.array(fit_anchored(world(0, 8000, knows=1.0, cold_only=True))[0].betas).reshape(4, 4)
    assert betas[0].min() > 1.5 * betas[1:].max()
    assert betas[0].mean() > 2.5 * betas[1:].mean()
