"""What a renewal comes up against: how fast this machine multiplies, and how much memory training takes."""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bases import load_base
from bench_reading import resident
from bench_tokens import RATE, SEED, STEP
from common import Row, alternating, taken
from layouts import layouts, tokenised
from peers import train_peer
from renewal_sides import EPOCHS, HF, QUARTER, TOGETHER, Case, Ours

from regraft.data.stream import Stream
from regraft.lm.options import GIB, AdapterOptions

BOUND = "a matrix product of the model's shape"


def bound_row(case: Case, view: Stream, model: Any, tokenizer: Any, times: int) -> Row:
    """GFLOP/s in training the top from kept states, against a matrix product of the model's shape and dtype.

    Counted: products with frozen weights forward and for the gradient of their input, and attention; what adapters,
    norms and the optimiser do is not.
    """
    material = tokenised(case.layout, view, tokenizer, getattr(model.config, "max_position_embeddings", None))
    blocks, config = material.ours, model.config
    layers = AdapterOptions(adapt=QUARTER).top(config.num_hidden_layers) or 0
    inner = sum(
        p.numel() for n, p in model.named_parameters() if f".{config.num_hidden_layers - 1}." in n and p.dim() > 1
    )
    lengths = blocks.tokens.lengths.astype(np.float64)
    # Forward and the gradient of the input: 2 x 2 per weight and token; attention 4 forward, 8 backward per pair.
    work = layers * (4 * inner * lengths.sum() + 12 * config.hidden_size * (lengths**2).sum() / 2) * EPOCHS
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(model, tokenizer, material, view, QUARTER, Path(folder))
        took = alternating({"ours": lambda: ours.trained(fresh=False).took}, times)["ours"]
    rate = product_rate(config, model.dtype)
    return Row(
        f"GFLOP/s in training the top, {case.words}", BOUND, work / took.wall / 1e9, rate, len(view), 0.55,
        more_is_better=True,
    )  # fmt: skip


def product_rate(config: Any, dtype: torch.dtype) -> float:
    """GFLOP/s of [2048, width] x [width, inner], the best of some: what this machine can do."""
    a = torch.randn(2048, config.hidden_size).to(dtype)
    b = torch.randn(config.hidden_size, getattr(config, "intermediate_size", 4 * config.hidden_size)).to(dtype)
    for _ in range(20):
        a @ b
    return max(2 * a.shape[0] * b.numel() / taken(lambda: a @ b).wall / 1e9 for _ in range(50))


def memory_row(case: Case, view: Stream, path: Path, dtype: str) -> Row:
    """Peak memory of a process that trains, less what it has once the model is loaded."""
    context = multiprocessing.get_context("spawn")
    found = {}
    for name in ("ours", HF):
        with context.Pool(1) as pool:
            found[name] = pool.apply(_peak, (name, case.layout.words, view, path, dtype))
    return Row(
        f"GiB at the peak of training beyond the loaded model, {case.words}", HF, found["ours"], found[HF],
        len(view), 2.0, exact=True,
    )  # fmt: skip


def _peak(name: str, words: str, view: Stream, path: Path, dtype: str) -> float:
    layout = next(layout for layout in layouts() if layout.words == words)  # templates do not travel
    model, tokenizer = load_base(path, dtype)
    material = tokenised(layout, view, tokenizer, getattr(model.config, "max_position_embeddings", None))
    model(input_ids=torch.tensor([[1, 2, 3]]))
    copied = sum(p.numel() * p.element_size() for p in model.parameters())  # each side copies the model once
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here: loading has one of its own
    if name == HF:
        train_peer(
            model, tokenizer, material.sequences, step=STEP, rate=RATE, seed=SEED, answer_only=False, batch=TOGETHER
        )  # fmt: skip
    else:
        with tempfile.TemporaryDirectory() as folder:
            Ours(model, tokenizer, material, view, QUARTER, Path(folder)).trained(fresh=True)
    return max(0.0, resident("VmHWM") - before - copied) / GIB
