"""Our layout under another trainer: what the training loop gains by itself."""

from __future__ import annotations

from functools import partial
from typing import Any

from bench_tokens import RATE, SEED, STEP, train_loop
from common import Row
from layouts import tokenised
from peers import train_trl, trained_in_turn
from renewal_sides import Case

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.encode import Blocks
from regraft.lm.score import score_blocks
from regraft.metrics.binary import auc
from regraft.prompts.timeline import lay_out

TRL = "TRL SFTTrainer"


def layout_rows(case: Case, view: Stream, test: Stream, model: Any, tokenizer: Any, times: int) -> list[Row]:
    """Adapters in all layers on the same blocks: what the training loop gains by itself; AUC on the next period.

    Targets that stand in line alone: no other trainer knows isolated copies.
    """
    view = view.only(lay_out(view, Regime(), case.layout.shape).in_line)
    longest = getattr(model.config, "max_position_embeddings", None)
    material, n = tokenised(case.layout, view, tokenizer, longest), len(view)
    blocks = max(1, STEP // case.layout.shape.targets)
    sequences = in_line(material.ours)
    sides = {
        "ours": partial(train_loop, model, tokenizer, material.ours, material.answers[0]),
        TRL: partial(train_trl, model, tokenizer, sequences, blocks=blocks, rate=RATE, seed=SEED),
    }
    name = f"wall s per target, all layers, {case.words}, our layout"
    try:
        took, last = trained_in_turn(sides, times, n)
    except ImportError as error:
        print(f"TRL was not run: {error.name} is not installed")
        return [Row(name, TRL, None, None, n, 1.3)]
    asked = tokenised(case.layout, test, tokenizer, longest)
    found = {
        name: auc(test.labels, score_blocks(trained.base, asked.answers[0], asked.ours))
        for name, trained in last.items()
    }
    return [
        Row(name, TRL, took["ours"].wall, took[TRL].wall, n, 1.3),
        Row(
            f"AUC on the next period, all layers, {case.words}, our layout", TRL, found["ours"], found[TRL], len(test),
            more_is_better=True,
        ),
    ]  # fmt: skip


def in_line(blocks: Blocks) -> list[dict[str, list[int]]]:
    """Whole blocks as token ids, with the verdicts of their targets as the only labels."""
    found = []
    for number_ in range(len(blocks)):
        ids = blocks.tokens[number_].tolist()
        labels = [-100] * len(ids)
        for place in blocks.read[blocks.examples[number_]].tolist():
            labels[place + 1] = ids[place + 1]
        found.append({"input_ids": ids, "labels": labels})
    return found
