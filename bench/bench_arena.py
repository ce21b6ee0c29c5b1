"""Six strategies compared in one run against the sum of six runs of one each.

python bench/bench_arena.py [--quick] [--base DIR] [--share S] [--out docs/results]

Base: --base, else SmolLM2-135M-Instruct where it is at hand (make smollm2), in the dtype that a probe chooses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from common import Page, Row, Taken, a_real_base, alternating, arguments, data_file, gemm_probe, repeats, taken, write

from regraft.arena.compare import Arena
from regraft.report.results import Results
from regraft.report.summary import summarise
from regraft.setup.config import ArenaConfig

STRATEGIES = ("never", "full-retrain", "fine-tune", "short-term", "replay", "lsat-ensemble")
SINGLE = "sum of six runs of one strategy each"


def configured(base: Path | None, share: float, strategies: Sequence[str], updates: int) -> ArenaConfig:
    log = {"path": str(data_file("ml-1m.zip")), "preset": "lsat-ml-1m", "information": "full", "share": share}
    named = {"path": str(base), "dtype": "auto"} if base else {}
    return ArenaConfig.parse(
        {
            "data": log, "base": named, "adapter": {"adapt": "top(1/4)"}, "first_update": 10,
            "last_update": 9 + updates, "contenders": list(strategies), "eval_share": 0,
            "fit": {"epochs": 2, "targets_per_step": 32, "lr": 0.001, "batch_tokens": 4096},
        }
    )  # fmt: skip


def run(arena: Arena, folder: Path) -> tuple[Taken, dict[str, float]]:
    """One run in a new folder, with a cache of its own; the log is read and the base model is there already.

    And the AUC of each strategy, the mean over periods.
    """
    again = Arena(arena.config, folder / "run", arena.stream)
    took = taken(lambda: list(again.run()))
    return took, {s.name: s.values["auc"].estimate for s in summarise(Results.load(folder / "run")).standings}


def measure(base: Path | None, share: float, strategies: Sequence[str], updates: int, times: int) -> list[Row]:
    whole = Arena(configured(base, share, strategies, updates), Path(tempfile.gettempdir()) / "unused")

    auc: dict[str, dict[str, float]] = {"ours": {}, SINGLE: {}}

    def together() -> Taken:
        with tempfile.TemporaryDirectory() as folder:
            took, auc["ours"] = run(whole, Path(folder))
        return took

    def one_by_one() -> Taken:
        wall = cpu = 0.0
        for strategy in strategies:
            config = whole.config.model_copy(
                update={"contenders": tuple(c for c in whole.config.contenders if c.use == strategy)}
            )
            with tempfile.TemporaryDirectory() as folder:
                took, found = run(Arena(config, Path(folder), whole.stream), Path(folder))
            auc[SINGLE] |= found
            print(f"  {strategy} alone: {took.wall:.1f} s", flush=True)
            wall, cpu = wall + took.wall, cpu + took.cpu
        return Taken(wall, cpu)

    took = alternating({"ours": together, SINGLE: one_by_one}, times)
    n = sum(len(whole.past(update)) for update in whole.updates)
    tested = sum(len(whole.stream.cases(update + 1)) for update in whole.updates)
    what = f"{len(strategies)} strategies, {updates} update{'s' * (updates > 1)}"
    return [
        Row(f"wall s, {what}", SINGLE, took["ours"].wall, took[SINGLE].wall, n, 3.0),
        Row(f"CPU s, {what}", SINGLE, took["ours"].cpu, took[SINGLE].cpu, n),
        *(
            Row(f"AUC, {name}", "the same alone", auc["ours"][name], auc[SINGLE][name], tested, more_is_better=True)
            for name in strategies
        ),
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--base", type=Path, default=None, help="a Hugging Face directory")
    parser.add_argument("--share", type=float, default=None, help="share of the users; default 0.01")
    options = parser.parse_args()
    base = a_real_base(options.base)
    before, times = gemm_probe(), repeats(options)
    updates = 1 if options.quick else 2
    rows = measure(base, options.share or 0.01, STRATEGIES, updates, times)
    name = base.name if base else "nano"
    page = Page(
        name="bench-arena",
        title="Six strategies in one run",
        what=f"{', '.join(STRATEGIES)} on {options.share or 0.01:g} of the users of ML-1M (preset lsat-ml-1m), "
        f"{updates} update{'s' * (updates > 1)}. Base: {name}; adapters in the top quarter of its layers.",
        how=[
            "Together: one run; fits, scores and states of the frozen layers that several strategies want are worked "
            "out once. Alone: each strategy in a folder of its own with a cache of its own, summed.",
            f"Loading the model is timed in every run, reading the log is not. Medians of {times}, alternating order, "
            f"{torch.get_num_threads()} threads.",
        ],
        caveats=[
            "Beside seconds n counts the examples that all updates together learn from, beside AUC those that are tested.",
            "In bf16 what is kept of the frozen layers depends in its last bits on what else was in its batch: the AUC of "
            "a strategy may differ a little between the two ways. In fp32 tests hold kept states to those worked out anew within 1e-4.",
        ],
        quick=options.quick,
    )
    write(page, rows, (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
