"""Tokens and seconds per trained target: our timeline against the published layout under the Hugging Face Trainer.

python bench/bench_tokens.py [--quick] [--base DIR] [--auc-base DIR] [--targets N] [--period P] [--out docs/results]

Without --base the tokenizer is fair to both layouts and the weights are random, so AUC needs --auc-base.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bases import open_base
from common import Page, Row, arguments, gemm_probe, ml_1m, number, repeats, taken, write
from layouts import Layout, layouts, tokenised
from peers import BATCH, Trained, train_peer, trained_in_turn

from regraft.data.stream import Stream
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks
from regraft.lm.fit import train
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import Judge
from regraft.lm.verbalizer import Verbalizer
from regraft.metrics.binary import auc

STEP = 128  # targets per optimiser step of both sides (TALLRec's batch size)
RATE, SEED = 2e-3, 0
HF, ANSWER, LOOP = "HF Trainer", "HF Trainer, logits of the answer only", "our loop, published layout"


def some_users(view: Stream, targets: int, seed: int = SEED) -> Stream:
    """All examples of random users, as many users as give at least `targets` examples."""
    users, counts = np.unique(view.users, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(users))
    enough = int(np.searchsorted(np.cumsum(counts[order]), targets)) + 1
    return view.of_users(users[order[:enough]])


# -- our way to train --------------------------------------------------------------------------


def train_loop(model: Any, tokenizer: Any, blocks: Blocks, answers: Verbalizer) -> Trained:
    """regraft's loop on any blocks, one epoch."""
    base = BaseModel.of(copy.deepcopy(model), tokenizer)
    grafts = Grafts(base)
    slot = grafts.put(grafts.fresh(grafts.shape(AdapterOptions(adapt="all")), SEED))
    # Every target counts alike, as in the peer's loss.
    judge = Judge(base, blocks, answers, np.ones(len(blocks.block), np.float32), heavy_users="full")
    steps = [0]

    def count(done: int, total: int, left: float) -> None:
        steps[0] = total

    options = FitOptions(lr=RATE, targets_per_step=STEP)
    work = partial(train, judge, slot, options, lr=RATE, epochs=1, seed=SEED, progress=count)
    return Trained(base, taken(work), steps[0])


# -- measuring ---------------------------------------------------------------------------------


def tokens_rows(layout: Layout, view: Stream, tokenizer: Any, longest: int | None) -> list[Row]:
    """Tokens per target, and what they are spent on."""
    material, n = tokenised(layout, view, tokenizer, longest), len(view)
    ours, theirs = material.tokens
    items, texts = material.item_tokens, material.item_texts
    fields = len(layout.timeline.fields)
    context, block = layout.shape.context, layout.shape.targets
    bound = (context + 1) * block / (context + block)
    return [
        Row(f"tokens per target, {layout.words}", HF, ours / n, theirs / n, n, layout.targets[0], exact=True),
        Row(f"- events read, {layout.words} (bound {bound:.1f}x)", HF, texts[0] / n / fields, texts[1] / n / fields, n),
        Row(f"- of titles and genres, {layout.words}", HF, items[0] / n, items[1] / n, n),
        Row(f"- of all else, {layout.words}", HF, (ours - items[0]) / n, (theirs - items[1]) / n, n),
    ]


def time_rows(
    layout: Layout, view: Stream, model: Any, tokenizer: Any, longest: int | None, times: int, every_peer: bool
) -> tuple[list[Row], str]:
    """Seconds per target, and what was done in words."""
    material, n = tokenised(layout, view, tokenizer, longest), len(view)
    sequences = material.sequences
    ours = partial(train_loop, model, tokenizer)
    theirs = partial(train_peer, model, tokenizer, sequences, step=STEP, rate=RATE, seed=SEED)
    sides = {"ours": partial(ours, material.ours, material.answers[0]), HF: partial(theirs, answer_only=False)}
    if every_peer:
        sides[ANSWER] = partial(theirs, answer_only=True)
        sides[LOOP] = partial(ours, material.theirs, material.answers[1])
    took, last = trained_in_turn(sides, times, n)
    rows = []
    for peer in list(sides)[1:]:
        target = layout.targets[1] if peer == HF else None
        rows.append(Row(f"wall s per target, {layout.words}", peer, took["ours"].wall, took[peer].wall, n, target))
        rows.append(Row(f"CPU s per target, {layout.words}", peer, took["ours"].cpu, took[peer].cpu, n))
    a, b = material.tokens
    users = len(np.unique(view.users))
    copies = np.mean(material.ours.segment[material.ours.tokens.start[material.ours.block] + material.ours.read] > 0)
    said = (
        f"{layout.words}: {n:,} targets of {users:,} users timed; on these the token ratio is {number(b / a)}x, and "
        f"{copies:.0%} of them are read as isolated copies (their second had earlier events of the user). Optimiser "
        f"steps: ours {last['ours'].steps}, HF Trainer {last[HF].steps}."
    )
    return rows, said


def learnt(layout: Layout, some: Stream, model: Any, tokenizer: Any) -> dict[str, Trained]:
    """Both sides trained on the same targets."""
    material = tokenised(layout, some, tokenizer, getattr(model.config, "max_position_embeddings", None))
    return {
        "ours": train_loop(model, tokenizer, material.ours, material.answers[0]),
        HF: train_peer(model, tokenizer, material.sequences, step=STEP, rate=RATE, seed=SEED, answer_only=True),
    }


def auc_row(layout: Layout, test: Stream, tokenizer: Any, last: dict[str, Trained]) -> Row:
    """AUC on the same targets of the next period."""
    longest = getattr(last[HF].base.config, "max_position_embeddings", None)
    material = tokenised(layout, test, tokenizer, longest)
    scores = [
        score_blocks(last[side].base, answers, blocks)
        for side, answers, blocks in (
            ("ours", material.answers[0], material.ours), (HF, material.answers[1], material.theirs),
        )
    ]  # fmt: skip
    ours, theirs = (auc(test.labels, score) for score in scores)
    return Row(f"AUC on the next period, {layout.words}", HF, ours, theirs, len(test), more_is_better=True)


def measure(
    stream: Stream, model: Any, tokenizer: Any, compared: Sequence[Layout], period: int, times: int, *,
    targets: int, tested: int, judged: tuple[Any, Any] | None,
) -> tuple[list[Row], list[str]]:  # fmt: skip
    """Rows of the table, and what was done, in words; `judged`: the trained model and tokenizer AUC is measured on."""
    longest = getattr(model.config, "max_position_embeddings", None)
    view = stream.cases(period)
    some, test = some_users(view, targets), some_users(stream.cases(period + 1), tested, SEED + 1)
    rows, words = [], []
    for number_, layout in enumerate(compared):
        rows += tokens_rows(layout, view, tokenizer, longest)
        more, said = time_rows(layout, some, model, tokenizer, longest, times, every_peer=number_ == 0)
        rows += more
        if judged:
            rows.append(auc_row(layout, test, judged[1], learnt(layout, some, *judged)))
        words.append(said)
        print(said, flush=True)
    return rows, words


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--base", type=Path, default=None, help="a Hugging Face directory; default: nano, random weights"
    )
    parser.add_argument(
        "--targets", type=int, default=None, help="trained targets that are timed; default 1000, quick 150"
    )
    parser.add_argument("--auc-base", type=Path, default=None, help="a trained directory; default: --base, or no AUC")
    parser.add_argument("--tested", type=int, default=2000, help="targets of the next period for AUC")
    parser.add_argument("--period", type=int, default=11)
    options = parser.parse_args()
    stream = ml_1m()
    compared = layouts()[:1] if options.quick else layouts()
    templates = [template for layout in compared for template in (layout.timeline, layout.published)]
    model, tokenizer = open_base(options.base, stream.until(options.period + 2), templates)
    judge = options.auc_base or options.base
    judged = open_base(judge, stream, templates) if judge else None
    before = gemm_probe()
    targets = options.targets or (150 if options.quick else 1000)
    rows, words = measure(
        stream, model, tokenizer, compared, options.period, repeats(options), targets=targets, tested=options.tested,
        judged=judged,
    )  # fmt: skip
    write(page(options, model, stream, words, repeats(options)), rows, (before, gemm_probe()), options.out)


def page(options: Any, model: Any, stream: Stream, words: Sequence[str], times: int) -> Page:
    size = sum(p.numel() for p in model.parameters())
    random = options.base is None
    name = "nano with random weights (speed does not depend on them)" if random else options.base.name
    tokenizer = (
        "The tokenizer is learnt from the texts of all templates compared, each fixed text as often as the most "
        "frequent title, so that the peer's long instruction is merged as far as ours. Popular titles are one token or "
        "two on both sides. A general tokenizer spends more on both."
        if random
        else "The tokenizer is the base model's own."
    )
    return Page(
        name="bench-tokens",
        title="Tokens and seconds per trained target",
        what=f"One period of the preset lsat-ml-1m (period {options.period}, {len(stream.cases(options.period)):,} "
        f"targets, information full, regime fresh) learnt once. Base: {name}, {size:,} weights, fp32. Tokens are "
        "counted over all targets of the period, seconds over all targets of some users.",
        how=[
            "Ours: the timeline. A block holds W events of context and H targets; each event is followed by its "
            "answer, every target is read in one pass. Loss: one dot product per target.",
            f"{HF}: the published layout (template judge-tallrec), one prompt per target with the last W events in a "
            f"liked and a disliked list; transformers.Trainer, batches of {BATCH} grouped by length and padded to a "
            "multiple of 8, logits of the whole vocabulary, labels -100 except the answer.",
            f"{ANSWER}: the same, padded on the left with `logits_to_keep`. {LOOP}: its prompts in our training loop; "
            "what is left of the ratio there is due to the layout alone.",
            "Same on both sides: targets, LoRA modules, rank and scale, one epoch, AdamW, cosine rate from "
            f"{RATE:g}, {STEP} targets per optimiser step (ours ends a step at a block), every target weighs alike.",
            "Genres stand after every title on both sides. The published layout has two lists and no place for facts "
            "of past events: the peer's prompt holds the facts of its target, ours those of all events.",
            f"Timed: training from tokenised examples. Not timed: reading, tokenising, loading. Medians of {times}, "
            "alternating order, a fresh model each time.",
            tokenizer,
            *words,
        ],
        caveats=[
            "The bound (W + 1) H / (W + H) counts events and holds where every target stands in line. Two things keep "
            "a log below it: a target in the same second as an earlier event of its user is read as an isolated copy "
            "and then once more as history, and a block cut by the end of the period reads its context for fewer "
            "targets.",
            "The gain grows with the targets per user and period: MovieLens-1M is dense, sparse logs gain less.",
            "Ours and the peer's do not read the same history: a target of ours knows W to W + H - 1 earlier events in "
            "order, the peer's exactly W in two lists.",
            _about_auc(options),
        ],
        quick=options.quick,
    )


def _about_auc(options: Any) -> str:
    base = options.auc_base or options.base
    if base is None:
        return "AUC needs a trained base: --auc-base."
    return (
        f"AUC: on the base {base.name} with its own tokenizer, both sides trained once on the targets that were timed. "
        "One seed, one period, no interval: see the studies for quality."
    )


if __name__ == "__main__":
    main()
