"""How many layers must be adapted? Quality and cost against k, the number of layers from the top that carry weights.

python bench/k_curve.py bench/studies/smollm2.yaml [--rates 0.001 0.002] [--adapt all "top(1/4)"] [--seeds 0 1]
    [--periods 4] [--share S] [--out docs/results]

One update of the study: for each k an adapter is trained from scratch on everything before the first cut, and tested
on the periods after it. The learning rate of each k is the one with the lower log-loss on the held-out end of the
training periods. Resumable; cells are kept under runs/k-curve-NAME.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, machine_words, typed, write_table
from study import read

from regraft.arena.compare import Arena
from regraft.cost import Cost
from regraft.lm.blend import Blend
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions
from regraft.lm.workshop import Workshop
from regraft.metrics.intervals import Bootstrap, bootstrap

SHARES = ("all", "top(1/2)", "top(1/4)", "top(1/8)", "top(1)")


@dataclass(frozen=True)
class Fit:
    """One adapter: log-odds of the tested rows, stop loss, and what it took with and without working states out."""

    scores: np.ndarray
    stop: float
    first: float  # CPU seconds, nothing kept
    further: float  # states all kept
    weights: int
    machine: str  # that fitted it


def shares(layers: int, asked: Sequence[str] = SHARES) -> dict[int, str]:
    """Number of layers -> how it is set; two shares that come to the same are one."""
    found: dict[int, str] = {}
    for share in asked:
        found.setdefault(AdapterOptions(adapt=share).top(layers) or layers, share)
    return found


def fitted(arena: Arena, shop: Workshop, rate: float, seed: int, periods: int, kept: Path) -> Fit:
    if not kept.is_file():
        lab = ModelLab(shop, seed)
        adapter = lab.fit(arena.past(arena.first), lr=rate)
        cost = lab.meter.reset()
        scores = [lab.score(Blend.of(adapter), arena.stream.cases(p)) for p in tested(arena, periods)]
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        losses: Any = adapter.lineage["stop_losses"]
        spared = cost.tokens_trunk * shop.trunk.store.seconds_per_token if shop.trunk else 0.0
        np.savez(
            part, scores=np.concatenate(scores), stop=min(losses), spared=spared,
            weights=sum(w.size for w in adapter.weights.values()), cost=json.dumps(cost.as_dict()),
            machine=machine_words(),
        )  # fmt: skip
        part.replace(kept)
    with np.load(kept) as file:
        cost = Cost(**json.loads(str(file["cost"])))
        further = cost.cpu_seconds - float(file["spared"])
        return Fit(
            file["scores"], float(file["stop"]), cost.cpu_seconds, further, int(file["weights"]), str(file["machine"])
        )  # fmt: skip


def tested(arena: Arena, periods: int) -> range:
    return range(arena.first + 1, min(arena.first + periods, arena.stream.n_periods) + 1)


def over_seeds(found: list[Bootstrap]) -> Bootstrap:
    """The mean over seeds, draw by draw."""
    values = {name: np.mean([b.values[name] for b in found], axis=0) for name in found[0].values}
    return Bootstrap(values, found[0].rows, found[0].drawn_from, found[0].users)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--rates", type=float, nargs="+", default=None, help="default: the study's fit.lr")
    parser.add_argument("--adapt", nargs="+", default=SHARES, help="the first is what the others are compared with")
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help="default: the study's")
    parser.add_argument("--periods", type=int, default=4)
    parser.add_argument("--share", type=float, default=None, help="share of the users; default: the study's")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    config = read(options.study)
    if options.share:
        data = config.data.model_copy(update={"share": options.share})
        config = config.model_copy(update={"data": data, "name": f"{config.name}-share-{options.share:g}"})
    if options.seeds:
        config = config.model_copy(update={"seeds": tuple(options.seeds)})
    rates = options.rates or [config.fit.lr]
    arena = Arena(config, options.runs / f"k-curve-{config.name}")
    base: Workshop = arena.factory.workshop
    cases = [arena.stream.cases(p) for p in tested(arena, options.periods)]
    label, user = (np.concatenate([getattr(c, name) for c in cases]) for name in ("labels", "users"))
    period = np.concatenate([c.period[c.targets] for c in cases])
    rows, reference = [], None
    machines: dict[str, None] = {}
    for k, share in shares(base.base.n_layers, options.adapt).items():
        shop = Workshop(
            base.base, base.encoder, config.adapter.model_copy(update={"adapt": share}), config.fit, base.folder,
            cache=base.cache,
        )  # fmt: skip
        by_rate: dict[float, list[Fit]] = {}
        for rate in rates:
            for seed in config.seeds:
                kept = arena.folder / f"k-{k}" / f"lr-{rate:g}-seed-{seed}.npz"
                by_rate.setdefault(rate, []).append(fitted(arena, shop, rate, seed, options.periods, kept))
                found = by_rate[rate][-1]
                print(f"k {k} lr {rate:g} seed {seed}: stop {found.stop:.4f}, {found.first:.0f} CPU s", flush=True)
        chosen = min(rates, key=lambda rate: float(np.mean([f.stop for f in by_rate[rate]])))
        fits = by_rate[chosen]
        machines |= dict.fromkeys(f.machine for f in fits)
        by_seed = [bootstrap(label, f.scores, user, period) for f in fits]
        drawn = over_seeds(by_seed)
        reference = reference or drawn
        seeds = " ".join(f"{b.interval('auc').estimate:.4f}" for b in by_seed)
        rows.append(_row(k, share, base.base.n_layers, chosen, fits, drawn, reference) | {"auc_by_seed": seeds})
        print(rows[-1], flush=True)
    write(config.name, rows, arena, options, len(label), len(np.unique(user)), "; ".join(machines))


def _row(
    k: int, share: str, layers: int, rate: float, fits: list[Fit], drawn: Bootstrap, reference: Bootstrap
) -> dict[str, Any]:
    row: dict[str, Any] = {"k": k, "of": layers, "adapt": share, "lr": rate, "weights": fits[0].weights}
    for name in ("auc", "uauc", "log_loss"):
        value, gap = drawn.interval(name), drawn.minus(reference, name)
        row |= {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
        row |= {f"{name}_gap": gap.estimate, f"{name}_gap_low": gap.low, f"{name}_gap_high": gap.high}
    row |= {"cpu_first": np.mean([f.first for f in fits]), "cpu_further": np.mean([f.further for f in fits])}
    return row


def write(name: str, rows: list[dict[str, Any]], arena: Arena, options: Any, n: int, users: int, machines: str) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    table = [{c: f"{v:.6g}" if isinstance(v, float) else v for c, v in row.items()} for row in rows]
    write_table(options.out / f"k-curve-{name}.csv", table)
    (options.out / f"k-curve-{name}.md").write_text(
        page(name, rows, arena, options, n, users, machines), encoding="utf-8"
    )
    draw(rows, options.out / f"k-curve-{name}.png")


def page(name: str, rows: list[dict[str, Any]], arena: Arena, options: Any, n: int, users: int, machines: str) -> str:
    config, past = arena.config, arena.past(arena.first)
    periods = tested(arena, options.periods)
    lines = [
        f"# How many layers must be adapted? {name}",
        "",
        f"`{shlex.join(['python', 'bench/k_curve.py', *typed()])}`",
        "",
        f"{arena.stream.describe()}. Share of the users whose rows are examples: {config.data.share:g}. Adapters of rank "
        f"{config.adapter.rank} trained from scratch, {config.fit.epochs} epochs, on the {len(past):,} examples up to the "
        f"close of period {arena.first}; tested on all {n:,} examples of {users:,} users in periods {periods[0]} to "
        f"{periods[-1]}. Seeds: {', '.join(map(str, config.seeds))}. Base: {arena.base and arena.base['path']}, "
        f"{arena.base and arena.base['dtype']}. Template {config.template}, regime {config.regime}, W = "
        f"{config.timeline.context}, H = {config.timeline.targets}. The learning rate of each k is the one with the lower "
        "log-loss on the held-out end of the training periods. 95 % intervals from 1,000 resamples of users, paired for "
        "differences; statistics are means over periods and seeds.",
        "",
        f"| layers adapted | learning rate | weights | AUC | by seed | against {rows[0]['adapt']} | UAUC | log-loss | CPU s, first "
        "| CPU s, further |",
        "|---|--:|--:|---|---|---|---|---|--:|--:|",
    ]
    for r in rows:
        gap = f"{r['auc_gap']:+.4f} [{r['auc_gap_low']:+.4f}, {r['auc_gap_high']:+.4f}]" if r is not rows[0] else ""
        cells = (
            f"{r['k']} of {r['of']} ({r['adapt']})", f"{r['lr']:g}", f"{r['weights']:,}",
            *(f"{r[s]:.4f} [{r[f'{s}_low']:.4f}, {r[f'{s}_high']:.4f}]" for s in ("auc", "uauc", "log_loss")),
            f"{r['cpu_first']:,.0f}", f"{r['cpu_further']:,.0f}",
        )  # fmt: skip
        lines.append("| " + " | ".join((*cells[:4], str(r["auc_by_seed"]), gap, *cells[4:])) + " |")
    lines += [
        "",
        f"![AUC and cost against the number of adapted layers](k-curve-{name}.png)",
        "",
        "First: nothing was kept, the layers below are read once and kept. Further: another epoch budget, seed or strategy "
        "that finds all states kept. CPU seconds on a shared machine: ratios within this table mean something, seconds do "
        f"not travel. Machine: {machines}.",
    ]
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    k = np.array([r["k"] for r in rows])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    auc = np.array([[r["auc"], r["auc"] - r["auc_low"], r["auc_high"] - r["auc"]] for r in rows]).T
    left.errorbar(k, auc[0], yerr=auc[1:], fmt="o-", color="#1f5fa8", capsize=3)
    left.set(xscale="log", xlabel="layers adapted, from the top", ylabel="AUC, 95 % interval")
    for name, word, color in (("cpu_first", "first", "#b3541e"), ("cpu_further", "further", "#2f7d4f")):
        seconds = [r[name] for r in rows]
        right.plot(k, seconds, "o-", color=color)
        above = 9 if name == "cpu_first" else -9
        right.annotate(
            word, (k[-1], seconds[-1]), xytext=(0, above), textcoords="offset points", color=color, ha="center",
            va="bottom" if above > 0 else "top",
        )  # fmt: skip
    right.set(
        xscale="log",
        ylim=(0, 1.08 * max(r["cpu_first"] for r in rows)),
        xlabel="layers adapted, from the top",
        ylabel="CPU seconds of the fit",
    )
    for axes in (left, right):
        axes.set_xticks(k, [str(x) for x in k])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    right.margins(x=0.15)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
