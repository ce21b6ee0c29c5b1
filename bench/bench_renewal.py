"""Seconds per trained target of a renewal: the trunk cache against the Hugging Face Trainer on the published layout.

python bench/bench_renewal.py [--quick] [--base DIR] [--targets N] [--period P] [--runs runs] [--out docs/results]

What was measured lies in runs/bench-renewal: the same command goes on where it was stopped.

Base: --base, else SmolLM2-135M-Instruct where it is at hand (make smollm2), in the dtype that a probe chooses.
"""

from __future__ import annotations

import copy
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_reading import resident
from bench_tokens import RATE, SEED, STEP, Layout, Material, layouts, some_users, tokenised, train_loop
from common import (
    ROOT,
    Page,
    Row,
    a_real_base,
    alternating,
    arguments,
    data_file,
    gemm_probe,
    load_base,
    markdown,
    ml_1m,
    number,
    open_base,
    repeats,
    taken,
    write,
)
from kept import once
from peers import Trained, train_peer, train_trl, trained_in_turn

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.source import DataOptions, open_stream
from regraft.data.stream import Stream
from regraft.lm.base_model import BaseModel, probe_dtype
from regraft.lm.encode import Blocks
from regraft.lm.fit import train
from regraft.lm.graft import Grafts
from regraft.lm.options import GIB, AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import Judge
from regraft.lm.trunk.split import Split
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.trunk.trunk_store import TrunkStore
from regraft.metrics.binary import auc
from regraft.prompts.timeline import lay_out

EPOCHS = 2
HF, TRL = "HF Trainer", "TRL SFTTrainer"
QUARTER, FOUR = "top(1/4)", "top(4)"
FIRST, FURTHER, FURTHER_FOUR = "first update", "a further one", f"a further one, {FOUR}"
TOKENS = 2048  # of ours at a time, about as many as the peer's
TOGETHER = 8  # prompts of the peer per forward: 32 with facts take more than 24 GiB and are no faster
BOUND = "a matrix product of the model's shape"


@dataclass(frozen=True)
class Case:
    """A layout on a log, with the ratios aimed at: first update, further, further with the top 4 layers."""

    log: str
    layout: Layout
    targets: tuple[float | None, float | None, float | None]
    least: int = 0  # trained targets, where --targets says fewer

    @property
    def words(self) -> str:
        many = f", {self.least} targets or more" if self.least else ""
        return f"{self.log}, {self.layout.words}{many}"


@dataclass
class Ours:
    """One way to renew: adapters in the layers that `adapt` names, states below them in a store."""

    model: Any
    tokenizer: Any
    material: Material
    view: Stream
    adapt: str
    folder: Path  # of the store

    def trained(self, fresh: bool, seed: int = SEED) -> Trained:
        """The store is empty (`fresh`) or has everything; only reading, working out and training are timed."""
        base = BaseModel.of(copy.deepcopy(self.model), self.tokenizer)
        trunk, blocks = self._trunk(base, fresh)
        grafts = Grafts(base)
        slot = grafts.put(grafts.fresh(grafts.shape(AdapterOptions(adapt=self.adapt)), seed))
        weights = np.ones(len(blocks.block), np.float32)
        judge = Judge(base, blocks, self.material.answers[0], weights, heavy_users="full", trunk=trunk)
        options = FitOptions(lr=RATE, targets_per_step=STEP, batch_tokens=TOKENS)

        def work() -> None:
            trunk.fill(blocks)
            train(judge, slot, options, lr=RATE, epochs=EPOCHS, seed=seed)

        return Trained(base, taken(work), 0)

    def _trunk(self, base: BaseModel, fresh: bool) -> tuple[Trunk, Any]:
        split = Split.below(base, AdapterOptions(adapt=self.adapt))
        if split is None:
            sys.exit("this model cannot be cut at a layer: there is nothing to be kept")
        folder = Path(tempfile.mkdtemp(dir=self.folder)) if fresh else self.folder / self.adapt
        trunk = Trunk(split, TrunkStore(folder, base.width, base.dtype, 8 * GIB, {"width": base.width}))
        blocks = trunk.keyed(self.material.ours, self.view)
        if not fresh:
            trunk.fill(blocks)
        return trunk, blocks


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


# -- our layout, their trainer -------------------------------------------------------------------------


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


# -- the bound -----------------------------------------------------------------------------------


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


# -- memory ----------------------------------------------------------------------------------------


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
