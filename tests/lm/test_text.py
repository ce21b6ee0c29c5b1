"""Next-token prediction: what a language model is trained on elsewhere, over blocks of unequal length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lm.models import encoder_for, random_world, tiny_base
from regraft.lm.batches import batches
from regraft.lm.tasks.text import Text


@pytest.mark.parametrize("most", [1, 10**6])
def test_the_loss_is_the_models_own_mean_over_all_next_tokens(most: int):
    base = tiny_base()
    view = random_world(1, events=20)
    blocks = encoder_for(base.tokenizer).encode(view)
    plain = np.flatnonzero(~blocks.isolated)
    assert len(plain) > 1
    text = Text(base, blocks)
    expected, tokens = 0.0, 0
    with torch.no_grad():
        for number in plain:
            ids = torch.from_numpy(blocks.tokens[number].astype(np.int64))[None]
            expected += float(base.model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
            tokens += ids.shape[1] - 1
        weights = text.step_weights(plain)
        found = sum(float(text.loss(b, weights)) for b in batches(blocks, plain, most, base.device))
    assert weights.tolist() == [tokens]
    assert found == pytest.approx(expected, rel=1e-4)
