"""What could make the nano base worth something beside `stack`? Attempts on ML-1M, each against its own control.

python bench/against_stack.py [--share 0.3] [--out docs/results]

Uses the study bench/studies/ml-1m-all-rows.yaml (its base is built, or found under runs/). Everything fitted
for a tested period D_t is fitted on periods before it; the columns of `stack` come from boosting fitted before
the period of each row. The log-odds of the base model are those of the bare model, which saw nothing after D_0.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import ROOT, write_table
from sklearn.ensemble import HistGradientBoostingClassifier
from study import parts, placed
from torch import Tensor, from_numpy
from torch.nn import functional as F

from regraft.arena.compare import Arena
from regraft.baselines.logistic import fit_logistic
from regraft.baselines.stack import Stack
from regraft.data.source import of_share
from regraft.data.stream import Stream
from regraft.lm.fit import progress_lines, train
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import Judge, batch_log_odds
from regraft.lm.workshop import Workshop
from regraft.metrics.intervals import bootstrap

FIRST, LAST = 11, 20  # periods tested
Scorer = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # columns and labels to fit on, columns to score


@dataclass(frozen=True)
class Rows:
    """Examples with the columns of `stack`, and the bare model's log-odds."""

    columns: np.ndarray
    bare: np.ndarray
    label: np.ndarray
    user: np.ndarray
    period: np.ndarray
    history: np.ndarray  # events of the user known before the row
    item_count: np.ndarray


@dataclass(frozen=True)
class Attempt:
    name: str
    without: np.ndarray  # log-odds per tested row
    with_model: np.ndarray
    rows: np.ndarray  # bool per tested row


def gather(past: Stream, stream: Stream, lab: ModelLab) -> Rows:
    """`stream`: the examples of `past` from the second period on, before which boosting can be fitted."""
    stack = Stack(lab.regime)
    columns = stack.seen_before(past, stream)
    names = list(stack.names)
    return Rows(
        columns, lab.score_adapter(None, stream), stream.labels, stream.users, stream.period[stream.targets],
        np.expm1(columns[:, names.index("user_count")]), np.expm1(columns[:, names.index("item_count")]),
    )  # fmt: skip


def logistic(x: np.ndarray, y: np.ndarray, tested: np.ndarray) -> np.ndarray:
    return fit_logistic(x, y, "against_stack").decision_function(tested)


def boosted(x: np.ndarray, y: np.ndarray, tested: np.ndarray) -> np.ndarray:
    model = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.06, max_leaf_nodes=12, min_samples_leaf=50, l2_regularization=5.0, random_state=0
    )
    return model.fit(x, y).decision_function(tested)


def over_periods(rows: Rows, columns: np.ndarray, scorer: Scorer, memory: int) -> np.ndarray:
    """Scores of the tested periods, each fitted on the `memory` periods before it."""
    scores = np.zeros(len(rows.label))
    for period in range(FIRST, LAST + 1):
        old = (rows.period < period) & (rows.period >= period - memory)
        now = rows.period == period
        scores[now] = scorer(columns[old], rows.label[old], columns[now])
    return scores[rows.period >= FIRST]


def residual(stream: Stream, rows: Rows, shop: Workshop, stack_scores: np.ndarray) -> np.ndarray:
    """Tested rows: stack's log-odds plus what an adapter trained on stack's residual of D_2..D_10 adds."""
    # Stack itself out of sample on D_2..D_10 would leave too few periods; boosting's blind log-odds stand in.
    old = rows.period < FIRST
    start = rows.columns[:, -1]
    view = stream.only(old)
    blocks = shop.blocks(view)
    offset = (start - rows.bare)[old].astype(np.float32)

    class Residual(Judge):
        def loss(self, batch, weights):  # type: ignore[no-untyped-def]
            log_odds: Tensor = batch_log_odds(self.base, self.answers, batch) + from_numpy(offset[batch.examples])
            label = from_numpy(self.blocks.label[batch.examples].astype(np.float32))
            weight = from_numpy(weights[batch.examples])
            return (weight * F.binary_cross_entropy_with_logits(log_odds, label, reduction="none")).sum()

    adapter = shop.grafts.fresh(shop.grafts.shape(AdapterOptions(adapt="all")), seed=0)
    slot = shop.grafts.put(adapter)
    judge = Residual(shop.base, blocks, shop.answers, np.ones(len(view), np.float32))
    train(
        judge, slot, FitOptions(targets_per_step=256), lr=1e-3, epochs=2, seed=0,
        progress=progress_lines("residual adapter", 60),
    )  # fmt: skip
    tested = stream.only(rows.period >= FIRST)
    return stack_scores + score_blocks(shop.base, shop.answers, shop.blocks(tested)) - rows.bare[rows.period >= FIRST]


def attempts(stream: Stream, shop: Workshop) -> tuple[Rows, list[Attempt]]:
    past, stream = stream, stream.in_periods(2, LAST)
    rows = gather(past, stream, ModelLab(shop))
    both = np.column_stack([rows.columns, rows.bare])
    tested = rows.period >= FIRST
    everywhere = np.ones(int(tested.sum()), dtype=bool)
    found = []
    for scorer, word in ((logistic, "logistic"), (boosted, "boosting")):
        for memory in (3, 20):
            without = over_periods(rows, rows.columns, scorer, memory)
            with_model = over_periods(rows, both, scorer, memory)
            span = f"{memory} periods" if memory < 20 else "all earlier periods"
            found.append(Attempt(f"{word} on {span}", without, with_model, everywhere))
    best = found[1]
    interactions = np.column_stack(
        [both, rows.bare / (1 + np.log1p(rows.item_count)), rows.bare * np.log1p(rows.history)]
    )
    found.append(
        Attempt(
            "logistic on all earlier periods, model's weight by history and item count", best.without,
            over_periods(rows, interactions, logistic, 20), everywhere,
        )
    )  # fmt: skip
    for name, group in (
        ("users with fewer than 30 events", rows.history < 30),
        ("items with fewer than 50 verdicts", rows.item_count < 50),
        ("items with fewer than 10 verdicts", rows.item_count < 10),
    ):
        found.append(Attempt(f"{best.name}; {name}", best.without, best.with_model, group[tested]))
    found.append(
        Attempt(
            "adapter trained on the residual of D_2..D_10",
            best.without,
            residual(stream, rows, shop, best.without),
            everywhere,
        )
    )
    return rows, found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--share", type=float, default=0.3, help="share of the users; everybody's history stays")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    study = ROOT / "bench" / "studies" / "ml-1m-all-rows.yaml"
    config = placed(parts(study)["nano"], study)
    arena = Arena(config, options.runs / "against-stack")
    shop: Workshop = arena.factory.workshop
    stream = of_share(arena.stream, options.share, 0) if options.share < 1 else arena.stream
    rows, found = attempts(stream, shop)
    tested = rows.period >= FIRST
    table = []
    for attempt in found:
        keep = attempt.rows
        about = (rows.label[tested][keep], rows.user[tested][keep], rows.period[tested][keep])
        old = bootstrap(about[0], attempt.without[keep], *about[1:])
        new = bootstrap(about[0], attempt.with_model[keep], *about[1:])
        line: dict[str, object] = {"attempt": attempt.name, "n": int(keep.sum())}
        for name in ("auc", "uauc"):
            gap = new.minus(old, name)
            line |= {
                name: round(old.interval(name).estimate, 4), f"{name}_with": round(new.interval(name).estimate, 4),
                f"{name}_gain": round(gap.estimate, 4), f"{name}_low": round(gap.low, 4),
                f"{name}_high": round(gap.high, 4),
            }  # fmt: skip
        table.append(line)
        print(line, flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    write_table(options.out / "against-stack.csv", table)
    (options.out / "against-stack.md").write_text(page(table, options.share, len(np.unique(rows.user[tested]))))


def page(table: list[dict[str, object]], share: float, users: int) -> str:
    lines = [
        "# against-stack",
        "",
        "`python bench/against_stack.py`",
        "",
        f"ML-1M, preset lsat-ml-1m, full information, regime fresh, D_{FIRST} to D_{LAST}, {users} users "
        f"({share:g} of all). Each line fits the same model twice on the same earlier periods: on the columns of "
        "`stack`, and on those with the log-odds of the never-updated nano base beside them. Means over periods; 95 % "
        "intervals of the gain from 1,000 resamples of users; one seed.",
        "",
        "| attempt | n | AUC without | with | gain | UAUC without | with | gain |",
        "|---|--:|--:|--:|---|--:|--:|---|",
    ]
    for r in table:
        gains = [f"{r[f'{n}_gain']:+.4f} [{r[f'{n}_low']:+.4f}, {r[f'{n}_high']:+.4f}]" for n in ("auc", "uauc")]
        lines.append(
            f"| {r['attempt']} | {r['n']:,} | {r['auc']:.4f} | {r['auc_with']:.4f} | {gains[0]} "
            f"| {r['uauc']:.4f} | {r['uauc_with']:.4f} | {gains[1]} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
