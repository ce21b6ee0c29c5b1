"""How cost grows: with users, history, periods, candidates and layers; log-log slopes, and what H100s would take.

python bench/bench_scaling.py [--quick] [--out docs/results]

A nano model with random weights (speed does not depend on them) on MovieLens-1M; CPU seconds of one thread.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bases import fair_tokenizer
from bench_candidates import requests
from bench_tokens import some_users
from common import arguments, machine_words, ml_1m, taken
from transformers import LlamaForCausalLM

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm import nano
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Encoder
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, CacheOptions, FitOptions, NanoOptions
from regraft.lm.score import score_blocks
from regraft.lm.verbalizer import Verbalizer
from regraft.lm.workshop import Workshop
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape
from regraft.setup.config import ContenderOptions, plugin
from regraft.strategies.strategy_contender import StrategyContender

PERIOD = 11
PEOPLE = 200  # whose whole past the updates learn from
TEMPLATE = "judge-timeline"
STRATEGIES = (
    "full-retrain", "full-retrain-pair", "lsat-ensemble", "lsat-merge", "replay", "reptile", "fine-tune", "short-term",
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """CPU seconds against one size; `slope` of the log-log line by least squares."""

    name: str
    size: str
    sizes: Sequence[int]
    seconds: Sequence[float]

    @property
    def slope(self) -> float:
        return float(np.polyfit(np.log(self.sizes), np.log(self.seconds), 1)[0])


class Kit:
    """Models of several depths with one tokenizer."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.template = stream, Template.load(TEMPLATE)
        self.tokenizer = fair_tokenizer(stream.warm_up(), [self.template], NanoOptions().vocabulary)

    def base(self, layers: int = 4) -> BaseModel:
        torch.manual_seed(0)
        options = NanoOptions(layers=layers, positions=8192)
        return BaseModel.of(LlamaForCausalLM(nano._config(options, len(self.tokenizer))), self.tokenizer)

    def encoder(self, shape: Shape) -> Encoder:
        return Encoder(self.tokenizer, self.template, Verbalizer.of(self.tokenizer, self.template), Regime(), shape)

    def lab(self, layers: int = 4, adapt: str = "top(1/4)", kept: bool = True, shape: Shape | None = None) -> ModelLab:
        adapter, fit = AdapterOptions(adapt=adapt), FitOptions(epochs=2, hold_out=0.0)
        cache = CacheOptions(gib=8 if kept else 0)
        return ModelLab(Workshop(self.base(layers), self.encoder(shape or Shape(10, 20)), adapter, fit, cache=cache))


def fitted(lab: ModelLab, view: Stream) -> float:
    """CPU seconds of a fit from scratch."""
    lab.workshop.blocks(view)  # text and tokens are another matter
    return taken(lambda: lab.fit(view, stop=view.only(slice(0, 0)))).cpu


def curves(kit: Kit, quick: bool, times: int) -> Iterator[Curve]:
    stream = kit.stream
    view = stream.cases(PERIOD)
    users = np.unique(view.users)

    def measured(name: str, size: str, sizes: Sequence[int], work: Callable[[int], float]) -> Curve:
        found = [statistics.median(work(n) for _ in range(times)) for n in sizes]
        curve = Curve(name, size, list(sizes), found)
        print(f"{name} against {size}: slope {curve.slope:.2f}", flush=True)
        return curve

    few = [n for n in (20, 40, 80, 160) if n <= len(users)]
    yield measured(
        "training, nothing kept yet", "users", few[:2] if quick else few,
        lambda n: fitted(kit.lab(), view.of_users(users[:n])),
    )  # fmt: skip
    some = some_users(view, 60 if quick else 300)
    yield measured(
        "training, nothing kept yet", "events of context", (10, 40) if quick else (10, 20, 40, 80),
        lambda n: fitted(kit.lab(shape=Shape(n, 20)), some),
    )  # fmt: skip
    yield measured(
        "training of all layers", "layers", (2, 4) if quick else (2, 4, 8, 16),
        lambda n: fitted(kit.lab(n, "all", kept=False), some),
    )  # fmt: skip
    base, encoder = kit.base(), kit.encoder(Shape(30, 1))

    def request(n: int) -> float:
        blocks = [encoder.encode(v) for v in requests(stream, 3, n, 30)]
        return taken(lambda: [score_blocks(base, encoder.answers, one) for one in blocks]).cpu / len(blocks)

    yield measured("a request", "candidates", (10, 40) if quick else (10, 40, 160, 640), request)
    people = np.random.default_rng(0).choice(np.unique(stream.users), 30 if quick else PEOPLE, replace=False)
    closes = (3, 6) if quick else (2, 4, 8, 16)
    past = [stream.until(t + 1).of_users(people) for t in (1, *closes)]

    def updates(name: str, strategy: str, kept: bool) -> Curve:
        curve = Curve(name, "periods so far", closes, renewed(kit.lab(kept=kept), strategy, past))
        print(f"{name} against periods: slope {curve.slope:.2f}", flush=True)
        return curve

    for strategy in ("full-retrain",) if quick else STRATEGIES:
        yield updates(f"an update, {strategy}", strategy, True)
    yield updates("an update, full-retrain, nothing kept", "full-retrain", False)


def renewed(lab: ModelLab, strategy: str, past: Sequence[Stream]) -> list[float]:
    """CPU seconds of a strategy's updates at the closes after the first, which only begins.

    States are there as a test pass leaves them: those of the newest period too.
    """
    contender = StrategyContender(plugin(ContenderOptions(use=strategy)), lab)
    found = []
    for view in past:
        if lab.workshop.trunk:
            lab.workshop.trunk.fill(lab.workshop.blocks(view))
            lab.workshop._blocks.clear()  # text and tokens belong to the update
        found.append(taken(lambda view=view: contender.renew(view)).cpu)
    return found[1:]


# -- on paper ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """Assumptions of the estimate for a large shop; every one is stated on the page."""

    users: float = 1e7
    events: float = 1e8  # a day
    tokens: float = 20.0  # per event, its answer included
    context: float = 1.5  # tokens read per token of a target: W = 10, H = 20
    layers: int = 24
    top: int = 6
    weights: float = 0.36e9  # outside embeddings: a model of half a billion weights
    width: int = 896
    peak: float = 989e12  # FLOP/s of an H100 in bf16
    used: float = 0.4  # share of it that is reached
    epochs: int = 2

    def per_token(self) -> tuple[float, float]:
        """(trunk, top in training) FLOP: 2 per weight forward, 2 more for gradients that flow through."""
        share = self.top / self.layers
        return 2 * self.weights * (1 - share), 4 * self.weights * share

    def hours(self) -> dict[str, float]:
        trunk, top = self.per_token()
        read = self.events * self.tokens * self.context
        second = self.peak * self.used * 3600
        whole = 4 * self.weights * self.epochs
        return {
            "first strategy, states worked out and kept": read * (trunk + top * self.epochs) / second,
            "each further strategy, seed or epoch pair": read * top * self.epochs / second,
            "adapters in all layers, nothing kept": read * whole / second,
        }

    @property
    def disk(self) -> float:
        """TB of states for one day's tokens, 2 bytes per number."""
        return self.events * self.tokens * self.context * self.width * 2 / 1e12


# -- results ---------------------------------------------------------------------------------------------


def draw(found: Sequence[Curve], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(curve.size for curve in found))
    figure, panels = plt.subplots(
        1, len(names), figsize=(3 * len(names) + 2.6, 3.2), layout="constrained", squeeze=False,
        gridspec_kw={"width_ratios": [1.0] * (len(names) - 1) + [1.3]},
    )  # fmt: skip
    for panel, name in zip(panels[0], names, strict=True):
        curves = [c for c in found if c.size == name]
        for number, curve in enumerate(curves):
            label = f"{curve.name.removeprefix('an update, ')} ({curve.slope:.2f})"
            panel.loglog(curve.sizes, curve.seconds, "os^Dv"[number % 5] + "-", color=f"C{number}", ms=4, label=label)
        panel.set_xlabel(name)
        if len(curves) > 1:
            panel.legend(
                title="an update of (slope)",
                fontsize=7,
                title_fontsize=7,
                frameon=False,
                loc="center left",
                bbox_to_anchor=(1, 0.5),
            )
        else:
            panel.set_title(f"{curves[0].name} ({curves[0].slope:.2f})", fontsize=8)
        panel.set_xticks(curves[0].sizes, [str(n) for n in curves[0].sizes])
        low, high = (min(min(c.seconds) for c in curves), max(max(c.seconds) for c in curves))
        ticks = [n * 10.0**e for e in range(-4, 4) for n in (1, 2, 5) if low / 1.5 <= n * 10.0**e <= high * 1.5]
        panel.set_yticks(ticks, [f"{t:g}" for t in ticks])
        panel.minorticks_off()
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("CPU seconds")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def page(found: Sequence[Curve], times: int) -> str:
    paper = Paper()
    lines = [
        "# How cost grows",
        "",
        "`python bench/bench_scaling.py`",
        "",
        "![CPU seconds against users, context, layers, candidates and periods](bench-scaling.png)",
        "",
        f"A nano model with random weights (4 layers of width 128, fp32, one thread) on MovieLens-1M, period {PERIOD}, title "
        f"and genres, W = 10, H = 20 unless named; two epochs; medians of {times}. A slope of 1 is proportional. "
        f"An update: one run of a strategy's renewal at these closes, text and tokens included, for {PEOPLE} users drawn by seed 0, after the states that a test pass leaves were kept; 'nothing "
        "kept' has none and reads the lower layers in every epoch. Later periods of MovieLens-1M hold fewer events than early ones.",
        "",
        "| CPU seconds of | against | sizes | seconds | slope |",
        "|---|---|---|---|--:|",
    ]
    for c in found:
        seconds = ", ".join(f"{s:.3g}" for s in c.seconds)
        lines.append(f"| {c.name} | {c.size} | {', '.join(map(str, c.sizes))} | {seconds} | {c.slope:.2f} |")
    lines += [
        "",
        "## On paper: ten million users, a hundred million events a day",
        "",
        f"Nothing here was run. Assumed: {paper.tokens:g} tokens per event with its answer, {paper.context:g} tokens read per "
        f"target token (W = 10, H = 20), a model of {paper.layers} layers, {paper.weights / 1e9:.2f} billion weights outside "
        f"its embeddings and width {paper.width}, adapters in the top {paper.top} layers, {paper.epochs} epochs on the day's "
        f"events, H100s at {paper.used:.0%} of {paper.peak / 1e12:.0f} TFLOP/s in bf16; attention, text and loading left out.",
        "",
        "| a day's update | H100 hours | on 8 H100s with Ray, minutes |",
        "|---|--:|--:|",
    ]
    lines += [f"| {name} | {hours:.1f} | {hours * 60 / 8:.0f} |" for name, hours in paper.hours().items()]
    lines += [
        "",
        f"States of one day take {paper.disk:.1f} TB; kept for the day's epochs, strategies and seeds, then pruned. On a GPU the "
        "disk must deliver them faster than the trunk can be run again: at these sizes one H100 reads its top from "
        f"{paper.peak * paper.used / (paper.per_token()[1]) * paper.width * 2 / 1e9:.1f} GB/s of states, so NVMe drives or host "
        "memory have to keep up, or the states of fewer layers are kept. Users are dealt out to workers whole: nothing but the "
        "adapter's gradients (a few MB per step) is exchanged. Full retraining on 90 days is 90 times this, and is why the "
        "newest period, replay or a long- and a short-term adapter are compared with it.",
        "",
        f"Machine of the curves: {machine_words()}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    options = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    times = options.repeats or (1 if options.quick else 3)
    found = list(curves(Kit(ml_1m()), options.quick, times))
    write(found, options.out, times)


def write(found: Sequence[Curve], out: Path, times: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / "bench-scaling.csv").open("w", newline="", encoding="utf-8") as file:
        table: Any = csv.writer(file, lineterminator="\n")
        table.writerow(["measure", "against", "size", "cpu_seconds", "slope", "machine"])
        for c in found:
            for size, seconds in zip(c.sizes, c.seconds, strict=True):
                table.writerow([c.name, c.size, size, f"{seconds:.4g}", f"{c.slope:.3f}", machine_words()])
    (out / "bench-scaling.md").write_text(page(found, times), encoding="utf-8")
    draw(found, out / "bench-scaling.png")


if __name__ == "__main__":
    main()
