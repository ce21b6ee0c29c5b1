"""Numbers off the table "model after update t on period j", with real period numbers."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from regraft.errors import DataError
from regraft.metrics.by_period import (
    MetricMatrix,
    backward_transfer,
    churn,
    forgetting,
    forward_transfer,
    harmonic_mean,
    learning_accuracy,
    metric_matrix,
    prequential,
    retained_accuracy,
    staleness,
)

#            period 10    11    12    13
TABLE = {
    10: [0.80, 0.70, 0.66, 0.60],
    11: [0.74, 0.82, 0.72, 0.64],
    12: [0.70, 0.76, 0.90, 0.78],
}
M = MetricMatrix.of({(t, 10 + place): value for t, row in TABLE.items() for place, value in enumerate(row)})


def test_the_table_is_read_by_period_numbers():
    assert M.updates == (10, 11, 12)
    assert M.periods == (10, 11, 12, 13)
    assert M.at(11, 12) == 0.72
    assert math.isnan(M.at(9, 10))
    assert M.row(12) == {10: 0.70, 11: 0.76, 12: 0.90, 13: 0.78}
    assert M.last == 12


def test_cells_that_were_not_measured_are_nan():
    sparse = MetricMatrix.of({(10, 11): 0.7, (11, 12): 0.8})
    np.testing.assert_array_equal(sparse.values, [[0.7, math.nan], [math.nan, 0.8]])


def test_prequential_is_the_newest_model_on_the_period_after():
    assert prequential(M) == pytest.approx(((0.70 + 0.72 + 0.78) / 3, 3))


def test_learning_accuracy_is_the_diagonal():
    assert learning_accuracy(M) == pytest.approx(((0.80 + 0.82 + 0.90) / 3, 3))


def test_retained_accuracy_is_the_last_row_up_to_the_last_update():
    assert retained_accuracy(M) == pytest.approx(((0.70 + 0.76 + 0.90) / 3, 3))


def test_backward_transfer_is_the_last_row_minus_the_diagonal_before_it():
    assert backward_transfer(M) == pytest.approx(((0.70 - 0.80 + 0.76 - 0.82) / 2, 2))


def test_forward_transfer_compares_the_model_before_with_the_baseline():
    baseline = {11: 0.60, 12: 0.65, 13: 0.50}
    expected = (0.70 - 0.60 + 0.72 - 0.65 + 0.78 - 0.50) / 3
    assert forward_transfer(M, baseline) == pytest.approx((expected, 3))
    assert forward_transfer(M, {12: 0.65}) == pytest.approx((0.07, 1))


def test_forgetting_is_the_distance_to_the_best_model_ever():
    assert forgetting(M) == pytest.approx(((0.80 - 0.70 + 0.82 - 0.76) / 2, 2))
    better_last = MetricMatrix.of({(1, 1): 0.5, (2, 1): 0.9, (3, 1): 0.7, (3, 3): 0.8})
    assert forgetting(better_last) == pytest.approx((0.2, 1))


def test_forgetting_of_a_loss_is_how_far_it_rose_above_its_lowest():
    loss = MetricMatrix.of({(1, 1): 0.5, (2, 1): 0.4, (3, 1): 0.7, (3, 3): 0.8}, higher_is_better=False)
    assert forgetting(loss) == pytest.approx((0.3, 1))


def test_nothing_is_forgotten_by_a_model_that_only_gets_better():
    assert forgetting(MetricMatrix.of({(1, 1): 0.5, (2, 1): 0.6, (2, 2): 0.6})) == (0.0, 1)


def test_staleness_at_zero_is_the_prequential_mean():
    fresh, one_late, two_late = staleness(M)
    assert (fresh.k, fresh.value, fresh.n) == (0, *prequential(M))
    assert (fresh.lost, fresh.n_lost) == (0.0, 3)
    assert one_late[:3] == pytest.approx((1, (0.66 + 0.64) / 2, 2))
    assert two_late[:3] == pytest.approx((2, 0.60, 1))


def test_what_staleness_loses_is_measured_on_the_same_periods():
    _, one_late, two_late = staleness(M)
    assert one_late[3:] == pytest.approx(((0.66 - 0.72 + 0.64 - 0.78) / 2, 2))
    assert two_late[3:] == pytest.approx((0.60 - 0.78, 1))


def test_a_missing_cell_is_left_out_and_the_count_says_so():
    holes = MetricMatrix.of({(10, 11): 0.7, (11, 12): math.nan, (12, 13): 0.9})
    assert prequential(holes) == pytest.approx((0.8, 2))
    value, n = learning_accuracy(holes)
    assert (math.isnan(value), n) == (True, 0)


def test_the_harmonic_mean_is_close_to_the_smaller_value():
    assert harmonic_mean(0.5, 0.5) == 0.5
    assert harmonic_mean(1.0, 0.5) == pytest.approx(2 / 3)
    assert math.isnan(harmonic_mean(0.0, 0.0))


def test_churn_is_the_mean_move_of_the_probability():
    assert churn([0.0, 0.0], [math.log(3), 0.0]) == pytest.approx(0.125)
    assert churn([1.5, -2.0], [1.5, -2.0]) == 0.0
    assert math.isnan(churn([], []))


def test_churn_needs_the_same_rows():
    with pytest.raises(DataError, match=r"shape \(1,\)"):
        churn([0.0], [0.0, 1.0])


def test_the_matrix_of_stored_scores_measures_each_update_on_each_period():
    frame = pl.DataFrame(
        {
            "update": [10, 10, 10, 10, 11, 11],
            "period": [11, 11, 12, 12, 12, 12],
            "label": [1, 0, 1, 0, 1, 1],
            "score": [1.0, 0.0, 0.0, 1.0, 2.0, 2.0],
            "user": ["a", "a", "a", "b", "a", "b"],
        }
    )
    m = metric_matrix(frame, "auc")
    assert (m.updates, m.periods) == ((10, 11), (11, 12))
    np.testing.assert_array_equal(m.values, [[1.0, 0.0], [math.nan, math.nan]])
    np.testing.assert_array_equal(metric_matrix(frame, "uauc").values, [[1, math.nan], [math.nan] * 2])
    loss = metric_matrix(frame, "log_loss")
    assert loss.at(11, 12) == pytest.approx(math.log1p(math.exp(-2)))
    assert not loss.higher_is_better


def test_an_unknown_metric_names_the_known_ones():
    with pytest.raises(DataError) as caught:
        metric_matrix(pl.DataFrame(), "f1")
    assert str(caught.value) == ("table by period: found metric 'f1'\nExpected one of auc, uauc, log_loss, brier.")


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match=r"the column\(s\) period, user are missing among update, label, score"):
        metric_matrix(pl.DataFrame({"update": [1], "label": [1], "score": [0.1]}), "auc")


def test_no_scores_at_all_make_no_table():
    with pytest.raises(DataError, match="found no scores"):
        MetricMatrix.of({})
