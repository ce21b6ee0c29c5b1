"""Seconds per trained target of a renewal: the trunk cache against the Hugging Face Trainer on the published layout.

python bench/bench_renewal.py [--quick] [--base DIR] [--targets N] [--period P] [--runs runs] [--out docs/results]

What was measured lies in runs/bench-renewal: the same command goes on where it was stopped.

Base: --base, else SmolLM2-135M-Instruct where it is at hand (make smollm2), in the dtype that a probe chooses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bases import open_base
from bench_tokens import RATE, SEED, STEP, some_users
from common import (
    ROOT,
    Page,
    Row,
    a_real_base,
    arguments,
    data_file,
    gemm_probe,
    markdown,
    ml_1m,
    number,
    repeats,
    write,
)
from kept import once
from layouts import Material, layouts, tokenised
from peers import Trained, train_peer, trained_in_turn
from renewal_limits import BOUND, bound_row, memory_row
from renewal_sides import EPOCHS, FOUR, HF, QUARTER, TOGETHER, TOKENS, Case, Ours
from renewal_trl import TRL, layout_rows

from regraft.data.periods import Periods
from regraft.data.source import DataOptions, open_stream
from regraft.data.stream import Stream
from regraft.lm.dtypes import probe_dtype
from regraft.lm.options import AdapterOptions
from regraft.lm.score import score_blocks
from regraft.metrics.binary import auc

FIRST, FURTHER, FURTHER_FOUR = "first update", "a further one", f"a further one, {FOUR}"


def rows_of(case: Case, view: Stream, test: Stream, model: Any, tokenizer: Any, times: int) -> tuple[list[Row], str]:
    """Wall seconds per target, AUC on the next period, and what was done in words."""
    longest = getattr(model.config, "max_position_embeddings", None)
    material, n = tokenised(case.layout, view, tokenizer, longest), len(view)
    with tempfile.TemporaryDirectory() as folder:
        quarter = Ours(model, tokenizer, material, view, QUARTER, Path(folder))
        four = replace(quarter, adapt=FOUR)

        def peer() -> Trained:
            one = train_peer(
                model, tokenizer, material.sequences, step=STEP, rate=RATE, seed=SEED, answer_only=False, batch=TOGETHER
            )
            return replace(one, took=one.took.per(1 / EPOCHS))

        sides = {
            FIRST: partial(quarter.trained, fresh=True),
            FURTHER: partial(quarter.trained, fresh=False, seed=SEED + 1),
            FURTHER_FOUR: partial(four.trained, fresh=False),
            HF: peer,
        }
        took, last = trained_in_turn(sides, times, n)
    found = [
        Row(f"wall s per target, {name}, {case.words}", HF, took[name].wall, took[HF].wall, n, target)
        for name, target in zip((FIRST, FURTHER, FURTHER_FOUR), case.targets, strict=True)
    ]
    found += auc_rows(case, test, tokenizer, longest, last)
    a, b = material.tokens
    users = len(np.unique(view.users))
    copies = np.mean(material.ours.segment[material.ours.tokens.start[material.ours.block] + material.ours.read] > 0)
    return found, (
        f"{case.words}: {n:,} targets of {users:,} users; tokens per target {number(a / n)} (ours) and {number(b / n)} "
        f"({HF}), per event {number(a / n / _events(material, n))}; {copies:.0%} of the targets are isolated copies."
    )


def _events(material: Material, n: int) -> float:
    """Events that ours reads per target, from the number of item texts."""
    return material.item_texts[0] / n or 1.0


def auc_rows(case: Case, test: Stream, tokenizer: Any, longest: int | None, last: dict[str, Trained]) -> list[Row]:
    """AUC on targets of the next period: one seed, few targets; what is compared is whether both learn alike."""
    material = tokenised(case.layout, test, tokenizer, longest)
    theirs = auc(test.labels, score_blocks(last[HF].base, material.answers[1], material.theirs))
    return [
        Row(
            f"AUC on the next period, {name}, {case.words}", f"{HF}, 1 epoch",
            auc(test.labels, score_blocks(last[name].base, material.answers[0], material.ours)), theirs, len(test),
            more_is_better=True,
        )
        for name in (FIRST, FURTHER, FURTHER_FOUR)
    ]  # fmt: skip


# -- the page --------------------------------------------------------------------------------------


def cases(quick: bool) -> list[tuple[Case, Stream]]:
    """What is compared, each with its stream."""
    title, _, longer, *_, facts = layouts()
    stream = ml_1m()
    found = [(Case("ML-1M", title, (20.0, 40.0, 80.0)), stream)]
    if not quick:
        found.append((Case("ML-1M", longer, (20.0, 40.0, 80.0)), stream))
        found.append((Case("ML-1M", facts, (12.0, 25.0, None)), stream))
        found.append((Case("ML-1M", facts, (12.0, 25.0, None), least=STEP), stream))
        if electronics := _electronics():
            found.append((Case("Electronics", title, (2.5, 8.0, None)), electronics))
    return found


def _electronics() -> Stream | None:
    try:
        path = data_file("amazon-electronics-2023.interactions.parquet")
    except SystemExit:
        return None
    return open_stream(DataOptions(path=path, periods=Periods(by="time", n=20, warm_up=0.3), share=0.2))


@dataclass(frozen=True)
class Part:
    """Rows that are measured in one go, with what was done in words and the probes around it."""

    rows: list[Row]
    words: list[str]
    probes: tuple[float, float]

    @classmethod
    def measured(cls, work: Callable[[], tuple[list[Row], list[str]]], kept: Path) -> Part:
        """From `kept`, where it was measured before with the same settings."""

        def probed() -> dict[str, Any]:
            before = gemm_probe()
            rows, words = work()
            return asdict(cls(rows, words, (before, gemm_probe())))

        found = once(kept, probed)
        probes = tuple(found["probes"])
        return cls([replace(Row(**row), probes=probes) for row in found["rows"]], found["words"], probes)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--base", type=Path, default=None, help="a Hugging Face directory")
    parser.add_argument("--targets", type=int, default=None, help="trained targets; default 64, quick 40")
    parser.add_argument("--tested", type=int, default=500, help="targets of the next period for AUC")
    parser.add_argument("--period", type=int, default=11)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where parts that are measured lie")
    options = parser.parse_args()
    path = a_real_base(options.base)
    compared = cases(options.quick)
    dtype = probe_dtype() if path else "fp32"
    templates = [t for case, _ in compared for t in (case.layout.timeline, case.layout.published)]
    model, tokenizer = open_base(path, compared[0][1].until(options.period + 2), templates, dtype)
    times, targets = repeats(options), options.targets or (40 if options.quick else 64)
    tested = 40 if options.quick else options.tested

    def view(stream: Stream, least: int = 0) -> Stream:
        return some_users(stream.cases(options.period), max(targets, least))

    def test(stream: Stream) -> Stream:
        return some_users(stream.cases(options.period + 1), tested, SEED + 1)

    def ratios(case: Case, stream: Stream) -> tuple[list[Row], list[str]]:
        rows, said = rows_of(case, view(stream, case.least), test(stream), model, tokenizer, times)
        return rows, [said]

    first, stream = compared[0]
    work: dict[str, Callable[[], tuple[list[Row], list[str]]]] = {
        case.words: partial(ratios, case, stream) for case, stream in compared
    }
    work["our layout"] = lambda: (layout_rows(first, view(stream), test(stream), model, tokenizer, times), [])
    work["the bound"] = lambda: (
        [bound_row(case, view(log), model, tokenizer, times) for case, log in bounded(compared)],
        [],
    )
    if path:
        work["memory"] = lambda: ([memory_row(first, view(stream), path, dtype)], [])
    settings = (path.name if path else "nano", dtype, targets, tested, options.period, times)
    folder = options.runs / "bench-renewal" / "-".join(map(str, settings))
    parts = []
    for name, measure in work.items():
        parts.append(Part.measured(measure, folder / f"{name}.json"))
        print(*markdown(parts[-1].rows), *parts[-1].words, sep="\n", flush=True)
    rows = [row for part in parts for row in part.rows]
    words = [said for part in parts for said in part.words]
    probes = max((part.probes for part in parts), key=lambda found: abs(found[1] / found[0] - 1))
    write(page(model, path, dtype, words, times, options.quick), rows, probes, options.out)


def bounded(compared: list[tuple[Case, Stream]]) -> list[tuple[Case, Stream]]:
    """The shortest and the longest texts of the first log."""
    return [compared[0], *compared[2:3]]


def page(model: Any, path: Path | None, dtype: str, words: Sequence[str], times: int, quick: bool) -> Page:
    size = sum(p.numel() for p in model.parameters())
    name = path.name if path else "nano with random weights"
    layers = model.config.num_hidden_layers
    return Page(
        name="bench-renewal",
        title="What a renewal costs per trained target",
        what=f"One period is learnt in {EPOCHS} epochs. Base: {name}, {size:,} weights, {layers} layers, {dtype} on "
        "both sides.",
        how=[
            f"Ours: the timeline; adapters in the highest quarter of the layers ({QUARTER} is "
            f"{AdapterOptions(adapt=QUARTER).top(layers)} of {layers}), or in the highest 4. States that enter them "
            f"are kept on disk. {FIRST}: nothing is kept yet, everything is read, kept and trained on. {FURTHER}: "
            "another seed, strategy or epoch, which finds all states kept; opening the store and trying checksums is timed, "
            "working states out is not.",
            f"{HF}: the published layout (template judge-tallrec), one prompt per target; transformers.Trainer, "
            f"adapters in all layers, {TOGETHER} prompts per forward (ours: at most {TOKENS} tokens), grouped by length, logits of "
            "the whole vocabulary. One epoch is "
            f"timed and counted {EPOCHS} times.",
            f"Same on both sides: targets, rank and scale, AdamW, cosine rate from {RATE:g}, {STEP} targets per "
            "optimiser step, every target weighs alike. With facts, the peer's prompt holds those of its target, ours "
            "those of all events. Blocks with facts are long: those of few targets cannot be shared evenly by two "
            "threads, so this layout is measured on more of them too.",
            f"{TRL}: our own blocks with the verdicts as the only labels, {STEP} targets per step, adapters in all layers "
            "on both sides, one epoch, nothing kept. Only targets that stand in line.",
            f"{BOUND}: [2048, width] x [width, inner] in the same dtype, the best of 50. Counted for ours: products "
            "with frozen weights forward and backward, and attention; what adapters, norms, activations and the "
            "optimiser take lowers the share.",
            "Memory: a process of its own for each side; peak resident memory, less what was there before training and "
            "the copy of the weights that each side makes.",
            f"Medians of {times}, alternating order, a fresh copy of the model each time. A probe before "
            "and after each part judges its rows; those below are around the part between which they differ most.",
            *words,
        ],
        caveats=[
            "AUC here is one seed on few targets: it shows that both sides learn, not which learns better. What fewer "
            "adapted layers cost is in the k curve (docs/results/k-curve-*.md).",
        ],
        quick=quick,
    )


if __name__ == "__main__":
    main()
