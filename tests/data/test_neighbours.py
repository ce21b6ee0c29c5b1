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
