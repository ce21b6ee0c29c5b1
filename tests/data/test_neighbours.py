"""The neighbour vote is the same number however the sums are kept."""

from __future__ import annotations

import numpy as np
import pytest

from regraft.data import neighbours
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from worlds import tiny_stream


def test_sparse_sums_give_the_votes_of_dense_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = (f"u{rng.integers(12)}:i{rng.integers(9)}{rng.choice(['+', '-'])}@{50 * n}" for n in range(120))
    stream = tiny_stream(" ".join(rows), periods=Periods(by="time", n=6))
    known = Regime("fresh").known(stream)
    residual = np.where(stream.label == 1, 0.4, -0.6)
    dense = neighbours.kin(stream, known, residual)
    monkeypatch.setattr(neighbours, "DENSE_ITEMS", 0)
    np.testing.assert_allclose(neighbours.kin(stream, known, residual), dense, atol=1e-5)
    assert np.count_nonzero(dense) > 20


def test_new_items_after_a_row_cannot_move_a_bit_of_its_vote() -> None:
    log = " ".join(f"u{n % 7}:i{n % 5}{'+-'[n * n % 3 % 2]}@{n}h" for n in range(60))
    later = " ".join(f"u{n % 7}:new{n}+@{n}h" for n in range(60, 120))
    days = Periods(by="calendar", every="1d")
    votes = []
    for text in (log, f"{log} {later}"):
        stream = tiny_stream(text, periods=days)
        votes.append(neighbours.kin(stream, Regime("fresh").known(stream), stream.label - 0.3))
    assert np.count_nonzero(votes[0]) > 20
    assert votes[0].tobytes() == votes[1][:60].tobytes()
