"""A peer: a cross-encoder that reads history and candidate as one text."""

from __future__ import annotations

import numpy as np
import torch
from bench_candidates import BATCH, Pairs, padded
from transformers import BertConfig, BertForSequenceClassification

CROSS = "cross-encoder, MiniLM-L6 shape"
CROSS_TOKENS = 512  # positions of the cross-encoder


def cross_encoder(dtype: torch.dtype) -> BertForSequenceClassification:
    """The shape of ms-marco-MiniLM-L6 with random weights: its speed is that of the trained one."""
    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, num_labels=1,
        vocab_size=30522, max_position_embeddings=CROSS_TOKENS,
    )  # fmt: skip
    return BertForSequenceClassification(config).to(dtype).eval()


def score_crossed(model: BertForSequenceClassification, pairs: Pairs) -> np.ndarray:
    """History and candidate as one text per pair, in batches; ids are taken modulo its vocabulary."""
    scores = []
    with torch.inference_mode():
        for first in range(0, len(pairs.candidates), BATCH):
            texts = [np.concatenate([pairs.prefix, c])[-CROSS_TOKENS:] for c in pairs.candidates[first : first + BATCH]]
            ids, mask = padded(texts, left=False)
            scores.append(model(input_ids=ids % 30522, attention_mask=mask).logits[:, 0].float().numpy())
    return np.concatenate(scores)
