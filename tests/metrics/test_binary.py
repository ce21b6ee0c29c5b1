"""AUC, UAUC, log-loss, Brier and CTR against hand-computed values and scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from regraft.errors import DataError
from regraft.metrics.binary import auc, auc_by_group, brier, ctr, log_loss, uauc

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=40
)  # label, score with many ties, user


def test_auc_is_one_when_every_liked_row_is_above_every_other():
    assert auc([0, 1, 0, 1], [-2.0, 0.5, -1.0, 3.0]) == 1.0


def test_auc_is_zero_when_the_order_is_turned_round():
    assert auc([1, 0], [-1.0, 1.0]) == 0.0


def test_auc_counts_a_tie_as_one_half():
    assert auc([1, 0], [0.3, 0.3]) == 0.5
    assert auc([1, 0, 0], [0.3, 0.3, 0.1]) == 0.75  # one pair won, one tied


def test_auc_is_nan_for_one_class_and_for_no_rows():
    assert math.isnan(auc([1, 1], [0.1, 0.2]))
    assert math.isnan(auc([0], [0.1]))
    assert math.isnan(auc([], []))


@given(ROWS)
def test_auc_equals_scikit_learn_with_ties(rows):
    label, score, _ = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(label)) == 2:
        assert auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@given(ROWS)
def test_auc_by_group_equals_auc_of_each_group_alone(rows):
    label, score, user = (np.array(column) for column in zip(*rows, strict=True))
    found = auc_by_group(label, score, user)
    for name, value, n, positives in zip(*found, strict=True):
        here = user == name
        np.testing.assert_allclose(value, auc(label[here], score[here]), atol=1e-12)
        assert (n, positives) == (here.sum(), label[here].sum())


def test_uauc_weighs_users_by_their_rows_and_leaves_out_users_with_one_class():
    users = ["ann", "ann", "bob", "bob", "bob", "bob", "cat", "cat"]
    label = [1, 0, 1, 0, 0, 0, 1, 1]
    score = [2.0, 1.0, 1.0, 0.0, 1.0, 2.0, 5.0, 6.0]
    # ann: AUC 1 on 2 rows; bob: (1 + 0.5 + 0) / 3 = 0.5 on 4 rows; cat: liked everything
    found = uauc(label, score, users)
    assert found.value == pytest.approx((2 * 1 + 4 * 0.5) / 6)
    assert (found.users_used, found.rows_used) == (2, 6)
    assert (found.share_of_users, found.share_of_rows) == (pytest.approx(2 / 3), 0.75)
    assert uauc(label, score, users, unweighted=True).value == pytest.approx(0.75)


def test_uauc_is_blind_to_what_is_constant_inside_users():
    label, score, users = [1, 0, 1, 0], [0.2, 0.1, 0.4, 0.3], [0, 0, 1, 1]
    shifted = [0.2, 0.1, 9.4, 9.3]
    assert uauc(label, score, users) == uauc(label, shifted, users)
    assert uauc(label, [7.0, 7.0, 3.0, 3.0], users).value == 0.5


def test_uauc_is_nan_and_says_zero_users_when_nobody_has_both_classes():
    found = uauc([1, 0], [0.3, 0.1], [0, 1])
    assert math.isnan(found.value)
    assert found[1:] == (0, 0, 0.0, 0.0)


def test_a_coin_has_log_loss_log_2_and_brier_a_quarter():
    assert log_loss([1, 0], [0.0, 0.0]) == pytest.approx(math.log(2))
    assert brier([1, 0], [0.0, 0.0]) == 0.25


def test_log_loss_and_brier_of_three_to_one_odds():
    assert log_loss([1, 0], [math.log(3)] * 2) == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
    assert brier([1, 0], [math.log(3)] * 2) == pytest.approx((0.25**2 + 0.75**2) / 2)


def test_log_loss_is_exact_where_probabilities_round_to_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert log_loss([0], [800.0]) == 800.0
        assert log_loss([1], [800.0]) == 0.0
        assert log_loss([1], [40.0]) == pytest.approx(math.exp(-40))
        assert brier([0, 1], [800.0, -800.0]) == 1.0


def test_log_loss_and_brier_equal_scikit_learn():
    rng = np.random.default_rng(0)
    label, score = rng.random(200) < 0.4, rng.normal(size=200)
    probability = 1 / (1 + np.exp(-score))
    assert log_loss(label, score) == pytest.approx(sklearn_log_loss(label, probability))
    assert brier(label, score) == pytest.approx(brier_score_loss(label, probability))


def test_log_loss_and_brier_of_no_rows_are_nan():
    assert math.isnan(log_loss([], []))
    assert math.isnan(brier([], []))


def test_a_missing_score_is_an_error_that_counts_the_rows():
    with pytest.raises(DataError) as caught:
        auc([1, 0, 1], [0.1, float("nan"), float("inf")])
    assert str(caught.value) == (
        "metric: row 1 has score nan\n"
        "Expected a finite log-odds. 2 of 3 rows are like this.\n"
        "Rows are never dropped: give every case a score, for instance that of the base rate."
    )


def test_a_rating_is_not_taken_for_a_label():
    with pytest.raises(DataError, match="row 1 has label 5") as caught:
        auc([1, 5, 3], [0.1, 0.2, 0.3])
    assert "2 of 3 rows are like this" in str(caught.value)


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match=r"labels of shape \(2,\) and scores of shape \(3,\)"):
        auc([1, 0], [0.1, 0.2, 0.3])
    with pytest.raises(DataError, match="found 2 labels, 1 groups"):
        uauc([1, 0], [0.1, 0.2], [7])


def test_ctr_is_clicks_per_impression():
    assert ctr(3, 12) == 0.25
    assert math.isnan(ctr(0, 0))


def test_more_clicks_than_impressions_is_an_error():
    with pytest.raises(DataError, match="found 5 clicks on 4 impressions"):
        ctr(5, 4)
