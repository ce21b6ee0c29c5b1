"""The closed form, against the same step written out, and the sums that it is solved from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from regraft.lm.blend import Blend
from regraft.lm.head import CHUNK, Head, HeadSums, converged, scale_of, to_scale

ROWS, WIDTH = 400, 5


def rows(seed: int = 0, n: int = ROWS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scaled states, offsets, labels): the first dimension tells the label in part."""
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(n, WIDTH)).astype(np.float16)
    o = rng.normal(0.3, 0.5, n)
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-o - 0.8 * h[:, 0]))).astype(np.int8)
    return h, o, y


def written_out(h: np.ndarray, o: np.ndarray, y: np.ndarray, ridge: float, weights: float | np.ndarray = 1.0):
    x = np.column_stack([h.astype(float), np.ones(len(h))])
    p = 1 / (1 + np.exp(-o))
    a = x.T @ np.diag(weights * p * (1 - p)) @ x
    return np.linalg.inv(a + ridge * np.eye(WIDTH + 1)) @ (x.T @ (weights * (y - p)))


def close(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_the_closed_form_is_the_step_written_out() -> None:
    close(HeadSums.of(*rows()).solve(10.0), written_out(*rows(), 10.0))


def test_rows_of_two_machines_add_up_to_those_of_one() -> None:
    h, o, y = rows()
    halves = HeadSums.of(h[:150], o[:150], y[:150]) + HeadSums.of(h[150:], o[150:], y[150:])
    close(halves.solve(3.0), HeadSums.of(h, o, y).solve(3.0))
    assert halves.rows == ROWS


def test_rows_that_are_taken_out_leave_no_trace() -> None:
    h, o, y = rows()
    left = HeadSums.of(h, o, y) - HeadSums.of(h[:150], o[:150], y[:150])
    close(left.solve(3.0), HeadSums.of(h[150:], o[150:], y[150:]).solve(3.0))
    assert left.rows == ROWS - 150


def test_faded_sums_are_those_of_rows_that_count_less() -> None:
    h, o, y = rows()
    close(HeadSums.of(h, o, y).decayed(0.25).solve(3.0), written_out(h, o, y, 3.0, 0.25))
    close(HeadSums.of(h, o, y, np.full(ROWS, 0.25)).solve(3.0), written_out(h, o, y, 3.0, 0.25))


def test_more_rows_than_one_chunk_holds_make_the_same_sums() -> None:
    h, o, y = rows(n=CHUNK + 100)
    close(HeadSums.of(h, o, y).solve(3.0), written_out_in_parts(h, o, y, 3.0))


def written_out_in_parts(h: np.ndarray, o: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    x = np.column_stack([h.astype(float), np.ones(len(h))])
    p = 1 / (1 + np.exp(-o))
    return np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(WIDTH + 1), x.T @ (y - p))


def test_nothing_learnt_corrects_nothing() -> None:
    assert (HeadSums.nothing(WIDTH).solve(1.0) == 0).all()


@pytest.mark.parametrize("ridge", [0.1, 30.0])
def test_the_converged_logistic_has_no_gradient_left(ridge: float) -> None:
    h, o, y = rows()
    theta = converged(h, o, y, ridge)
    x = np.column_stack([h.astype(float), np.ones(ROWS)])
    gradient = x.T @ (y - 1 / (1 + np.exp(-o - x @ theta))) - ridge * theta
    assert np.abs(gradient).max() <= 1e-5


def test_the_converged_logistic_is_reached_where_a_whole_step_goes_too_far() -> None:
    h, o, y = rows()
    o = o + 30.0 * np.sign(o)  # p (1 - p) is nearly 0 at such offsets: a whole step would go a million units far
    theta = converged(h, o, y, 1e-3)
    x = np.column_stack([h.astype(float), np.ones(ROWS)])
    gradient = x.T @ (y - 1 / (1 + np.exp(-np.clip(o + x @ theta, -700, 700)))) - 1e-3 * theta
    assert np.abs(gradient).max() <= 1e-3


def test_one_step_lies_between_the_offset_and_the_converged_logistic() -> None:
    h, o, y = rows()

    def loss(theta: np.ndarray) -> float:
        at = o + np.column_stack([h.astype(float), np.ones(ROWS)]) @ theta
        return float((np.logaddexp(0, at) - y * at).sum() + 5.0 * theta @ theta)

    best, step = loss(converged(h, o, y, 10.0)), loss(HeadSums.of(h, o, y).solve(10.0))
    assert best <= step < loss(np.zeros(WIDTH + 1))


def test_the_scale_is_the_root_mean_square_and_a_dimension_of_zeros_is_none() -> None:
    states = np.array([[3.0, 0.0], [-4.0, 0.0]], dtype=np.float32)
    scale = scale_of(states)
    np.testing.assert_allclose(scale, [np.sqrt(12.5), 1e-6])
    assert np.isfinite(to_scale(states * 1e9, scale)).all()


def test_a_head_scores_states_as_they_come() -> None:
    head = Head(np.array([2.0, -1.0, 0.5]), np.array([4.0, 2.0], dtype=np.float32), offset=0.25)
    assert head.log_odds(np.array([[4.0, 2.0], [0.0, 4.0]], dtype=np.float32)).tolist() == [1.75, -1.25]
    assert head.log_odds(np.zeros((0, 2), dtype=np.float32)).shape == (0,)


def test_a_blend_carries_its_head_and_counts_its_bytes() -> None:
    head = Head(np.arange(3.0), np.ones(2, dtype=np.float32), 0.5)
    blend = Blend.of(None, fitted={f"head.{name}": a for name, a in head.arrays().items()})
    assert blend.head is not None
    assert (blend.head.theta == head.theta).all() and blend.head.offset == 0.5
    assert blend.bytes == 3 * 8 + 2 * 4 + 8
    assert Blend.of(None).head is None and replace(blend, fitted={}).bytes == 0
