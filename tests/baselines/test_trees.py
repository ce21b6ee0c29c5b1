"""Trees as arrays against scikit-learn's own answers: equal to the bit, with missing values, for any number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from regraft.baselines import trees
from regraft.baselines.trees import Trees


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_scores_are_those_of_scikit_learn_to_the_bit(missing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 6))
    x[rng.random(x.shape) < missing] = np.nan
    y = (np.nan_to_num(x[:, 0]) * np.nan_to_num(x[:, 1]) + rng.normal(size=2000) > 0).astype(int)
    model = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(x[:1000], y[:1000])
    held = Trees.of(model)
    monkeypatch.setattr(trees, "BLOCK", 40 * 128)  # several blocks, the last one not full
    np.testing.assert_array_equal(held.decision_function(x), model.decision_function(x))
    restored = Trees.restored(held.arrays())
    np.testing.assert_array_equal(restored.decision_function(x[:3]), model.decision_function(x[:3]))
    assert restored.decision_function(x[:0]).shape == (0,)
