"""From the close of a period to a scored, saved adapter: wall seconds for 10,000 new targets.

python bench/bench_close.py [--quick] [--base DIR] [--targets N] [--out docs/results]

Once with a nano model (random weights: speed does not depend on them) and once with --base, else with
SmolLM2-135M-Instruct where it is at hand (make smollm2).
"""

from __future__ import annotations

import copy
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bases import load_base, open_base
from bench_tokens import RATE, SEED, some_users
from common import Page, Row, a_real_base, arguments, gemm_probe, ml_1m, write
from layouts import layouts

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.dtypes import probe_dtype
from regraft.lm.encode import Encoder
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.verbalizer import Verbalizer
from regraft.lm.workshop import Workshop
from regraft.metrics.binary import auc

PERIOD = 10
ALLOWED = {"nano": 120.0, "base": 900.0}  # seconds
OLD = "the earlier adapter, which changes nothing yet"
FIRST, NEXT = "states of the old adapter's test pass kept", "nothing kept"


def close(model: Any, tokenizer: Any, new: Stream, kept: bool, folder: Path) -> tuple[float, float, float]:
    """Wall seconds to train on `new` from an earlier adapter, score what was held out, and save.

    Then AUC of what was held out, under the new adapter and under the earlier one.
    """
    template = layouts()[0].timeline
    base = BaseModel.of(model, tokenizer)
    encoder = Encoder(
        tokenizer, template, Verbalizer.of(tokenizer, template), Regime(), layouts()[0].shape, longest=base.longest
    )
    fit = FitOptions(epochs=2, lr_incremental=RATE, batch_tokens=4096)
    shop = Workshop(base, encoder, AdapterOptions(adapt="top(1/4)"), fit, folder)
    lab = ModelLab(shop, SEED)
    old = shop.grafts.fresh(shop.grafts.shape(shop.adapter), SEED)
    if kept:  # the prequential test pass came before the close
        lab.score(Blend.of(None), new)
    began = time.monotonic()
    adapter = lab.fit(new, start=old)
    held_out = new.hold_out(fit.hold_out)[1]
    scores = lab.score(Blend.of(adapter), held_out)
    adapter.save(folder / "served", base.path)
    took = time.monotonic() - began
    return took, auc(held_out.labels, scores), auc(held_out.labels, lab.score(Blend.of(None), held_out))


def measure(name: str, model: Any, tokenizer: Any, new: Stream, allowed: float) -> list[Row]:
    rows = []
    for kept, words in ((True, FIRST), (False, NEXT)):
        with tempfile.TemporaryDirectory() as folder:
            took, *aucs = close(copy.deepcopy(model), tokenizer, new, kept, Path(folder))
        print(f"{name}, {words}: {took:.0f} s, AUC {aucs[0]:.4f}, before {aucs[1]:.4f}", flush=True)
        n = len(new.hold_out(FitOptions().hold_out)[1])
        rows += [
            Row(
                f"wall s from close to a scored, saved adapter, {name}, {words}", "clock", took, allowed, len(new), 1.0
            ),
            Row(f"AUC of what was held out, {name}, {words}", OLD, *aucs, n, more_is_better=True),
        ]
    return rows


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--base", type=Path, default=None, help="a Hugging Face directory")
    parser.add_argument("--targets", type=int, default=None, help="new targets; default 10,000, quick 100")
    options = parser.parse_args()
    targets = options.targets or (100 if options.quick else 10_000)
    stream = ml_1m()
    new = stream.in_periods(PERIOD, stream.n_periods)
    new = some_users(new, targets)
    new = new.only(np.arange(len(new)) < targets)
    before = gemm_probe()
    path = a_real_base(options.base)
    rows = measure("nano", *open_base(None, stream.until(PERIOD), [layouts()[0].timeline]), new, ALLOWED["nano"])
    dtype = probe_dtype()
    if path:
        rows += measure(path.name, *load_base(path, dtype), new, ALLOWED["base"])
    page = Page(
        name="bench-close",
        title="From the close of a period to a new adapter",
        what=f"{len(new):,} new targets of {len(np.unique(new.users)):,} users of MovieLens-1M, title only, W = H = 10, are "
        "learnt in two epochs from an earlier adapter in the top quarter of the layers; the held-out end is scored, and the "
        "adapter is saved. `theirs` is the time allowed, or the AUC before.",
        how=[
            f"{FIRST}: as in operation, where the period's rows were scored before their labels came, which keeps the states "
            f"of the frozen layers. {NEXT}: the first update on a machine.",
            f"nano: fp32, random weights; {path.name if path else 'no other base was at hand'}: {dtype}. One run each: the "
            "clock is what is asked for, not a ratio.",
        ],
        caveats=[
            "On random weights an AUC says nothing but that all was run.",
            "Text and tokens of the new rows are timed; reading the log and loading the model are not.",
        ],
        quick=options.quick,
    )
    write(page, rows, (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
