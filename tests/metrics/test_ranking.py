"""Ranking metrics against hand-computed values, and the edge cases first."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from regraft.errors import DataError
from regraft.metrics.ranking import coverage, gini, hit_rate, mrr, ndcg, of_each, recall, target_ranks

RANKS = [1, 3, 11, np.inf]  # four requests with one wanted item each


def test_without_positives_every_metric_is_nan():
    for metric in (hit_rate, recall, mrr, ndcg):
        assert math.isnan(metric([], 10))


def test_hit_rate_and_recall_are_the_share_in_the_top_k_when_one_item_is_wanted():
    assert hit_rate(RANKS, 10) == recall(RANKS, 10) == 0.5
    assert hit_rate(RANKS, 1) == 0.25
    assert hit_rate(RANKS, 11) == 0.75


def test_mrr_counts_nothing_below_the_top_k():
    assert mrr(RANKS, 10) == pytest.approx((1 + 1 / 3) / 4)


def test_ndcg_discounts_by_the_logarithm_of_the_rank():
    assert ndcg(RANKS, 10) == pytest.approx((1 + 1 / math.log2(4)) / 4)


def test_several_wanted_items_of_one_request_count_as_one_case():
    ranks, cases = [2, 5, 30, 4], ["a", "a", "a", "b"]
    assert hit_rate(ranks, 4, cases) == 1.0
    assert recall(ranks, 5, cases) == pytest.approx((2 / 3 + 1) / 2)
    assert mrr(ranks, 5, cases) == pytest.approx((1 / 2 + 1 / 4) / 2)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    expected = (1 / math.log2(3) + 1 / math.log2(6)) / ideal
    assert ndcg(ranks, 5, cases) == pytest.approx((expected + 1 / math.log2(5)) / 2)


def test_ndcg_is_one_when_k_is_full_of_wanted_items():
    assert ndcg([1, 2, 3, 4], 2, [0, 0, 0, 0]) == pytest.approx(1.0)


def test_ndcg_equals_scikit_learn_on_random_lists():
    rng = np.random.default_rng(1)
    scores, wanted = rng.normal(size=(30, 20)), rng.random((30, 20)) < 0.2
    wanted[:, 0] = True  # scikit-learn counts requests without a wanted item as 0
    place = (-scores).argsort(axis=1).argsort(axis=1) + 1
    assert ndcg(place[wanted], 5, np.nonzero(wanted)[0]) == pytest.approx(ndcg_score(wanted, scores, k=5))


def test_target_ranks_count_from_one_and_share_the_place_of_ties():
    scores = [[0.9, 0.5, 0.1], [0.2, 0.2, 0.2], [0.1, 0.1, 0.7]]
    assert target_ranks(scores, [0, 1, 0]).tolist() == [1.0, 2.0, 2.5]


def test_a_scorer_that_cannot_tell_items_apart_hits_nothing():
    assert hit_rate(target_ranks(np.zeros((4, 100)), [0, 1, 2, 3]), 10) == 0.0


def test_coverage_is_the_share_of_the_catalogue_that_is_shown():
    assert coverage([[0, 1], [1, 2]], 6) == 0.5
    assert coverage([], 6) == 0.0
    assert math.isnan(coverage([], 0))


def test_gini_is_zero_for_even_exposure_and_near_one_for_a_single_item():
    assert gini([[0, 1], [2, 3]], 4) == 0.0
    assert gini([2, 2, 2, 2], 4) == 0.75
    assert gini([0, 1, 1, 1], 2) == 0.25
    assert math.isnan(gini([], 4))


def test_ranks_start_at_one():
    with pytest.raises(DataError, match="2 of 3 ranks are like 0"):
        hit_rate([0, 1, 0], 10)
    with pytest.raises(DataError, match="found k = 0"):
        hit_rate([1], 0)


def test_items_outside_the_catalogue_are_refused():
    with pytest.raises(DataError, match="found 1 of 2 recommended items outside the catalogue"):
        coverage([0, 7], 7)


def test_a_candidate_without_a_score_is_refused():
    with pytest.raises(DataError, match="1 of 2 scores are missing"):
        target_ranks([[0.1, math.nan]], [0])


def test_the_measures_of_each_request_are_those_of_the_request_alone():
    ranks, cases = np.array([1, 12, 3, np.inf, 2.5]), np.array([7, 7, 2, 5, 2])
    each = of_each(ranks, 10, cases)
    assert each.case.tolist() == [2, 5, 7]
    for place, case in enumerate(each.case):
        own = ranks[cases == case]
        one = np.zeros(len(own))
        assert (each.ndcg[place], each.recall[place], each.mrr[place]) == pytest.approx(
            (ndcg(own, 10, one), recall(own, 10, one), mrr(own, 10, one))
        )
