"""What a request costs: candidates behind a history that is read now or lies ready, two adapters, a new event.

python bench/bench_serving.py [--quick] [--base DIR] [--llama FILE.gguf] [--users N] [--out docs/results]

Base: --base, else SmolLM2-135M-Instruct where it is at hand (make smollm2), in the dtype that a probe chooses.
--llama: the same model as a GGUF file, for llama.cpp (pip install llama-cpp-python, which is built from source).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bases import open_base
from bench_candidates import BATCH, LAST, Pairs, requests, score_pairs
from common import (
    Page,
    Row,
    Taken,
    a_real_base,
    alternating,
    arguments,
    gemm_probe,
    ml_1m,
    number,
    repeats,
    taken,
    write,
)
from cross_peer import CROSS, CROSS_TOKENS, cross_encoder, score_crossed
from llama_peer import SIDE_BY_SIDE, Llama

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.dtypes import DTYPES, probe_dtype
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.graft import Grafts
from regraft.lm.options import GIB, AdapterOptions
from regraft.lm.score import score_blocks
from regraft.lm.trunk.split import Split
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.trunk.trunk_store import TrunkStore
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

HISTORY, CANDIDATES = 30, 100
ONE, COLD = "one adapter", "ours, history read anew"
LLAMA, LLAMA_ONE = "llama.cpp, prompt cache, side by side", "llama.cpp, prompt cache, one by one"
LLAMA_WORDS = (
    "llama.cpp: the same tokens and threads, weights in {dtype} as ours (for it too faster here than the 4 or 8 bits of a GGUF file), the history "
    f"in its prompt cache. One by one, as its server does: a candidate per call. Side by side: {SIDE_BY_SIDE} per call, each a sequence of "
    "its own that shares the cells of the history (one buffer for all), the fastest of 16, 32, 64 and 100 per call."
)
QUARTER = AdapterOptions(adapt="top(1/4)")


class Bench:
    """One base model, requests of some users, and the ways to answer them."""

    def __init__(self, stream: Stream, model: Any, tokenizer: Any, users: int, history: int, candidates: int) -> None:
        self.base = BaseModel.of(model, tokenizer)
        template = Template.load("judge-timeline")
        self.answers = Verbalizer.of(tokenizer, template)
        # H = 1 begins a block at every event, so that every history holds exactly so many.
        self.encoder = Encoder(
            tokenizer, template, self.answers, Regime(), Shape(history, 1), longest=self.base.longest
        )
        self.asked = requests(stream, users, candidates, history)
        self.blocks = [self.encoder.encode(view) for view in self.asked]
        self.pairs = [Pairs.of(blocks) for blocks in self.blocks]
        self.warm = WarmPrefixes(self.base)
        self.grafts = Grafts(self.base)
        self.adapters = [trained_looking(self.grafts, seed) for seed in (0, 1)]
        self.split = Split.below(self.base, QUARTER)

    def each(self, work: Callable[[int], object], prepare: Callable[[int], object] = int) -> Callable[[], Taken]:
        """Mean over the requests; `prepare` is not timed."""

        def run() -> Taken:
            wall = cpu = 0.0
            for number_ in range(len(self.asked)):
                prepare(number_)
                took = taken(lambda number_=number_: work(number_))
                wall, cpu = wall + took.wall, cpu + took.cpu
            return Taken(wall, cpu).per(len(self.asked))

        return run

    def score(self, blocks: Blocks, warm: WarmPrefixes | None = None) -> np.ndarray:
        return score_blocks(self.base, self.answers, blocks, warm=warm)

    def ensemble(self, number_: int, adapters: Sequence[Adapter]) -> list[np.ndarray]:
        """Every adapter's scores; what is below their layers is read once."""
        base = self.base
        trunk = None
        blocks = self.blocks[number_]
        if self.split:
            trunk = Trunk(self.split, TrunkStore(None, base.width, base.dtype, GIB))
            blocks = trunk.keyed(blocks, self.asked[number_])
        found = []
        for adapter in adapters:
            self.grafts.put(adapter)
            found.append(score_blocks(base, self.answers, blocks, trunk=trunk))
        return found


def trained_looking(grafts: Grafts, seed: int) -> Adapter:
    """An adapter of the top quarter that changes something, as a trained one does."""
    fresh = grafts.fresh(grafts.shape(QUARTER), seed)
    rng = np.random.default_rng(seed)
    weights = {n: rng.normal(0, 0.01, w.shape).astype(np.float32) for n, w in sorted(fresh.weights.items())}
    return Adapter(fresh.shape, weights, fresh.lineage)


# -- measuring -------------------------------------------------------------------------------------


def measure(bench: Bench, times: int, cross: torch.dtype, llama: Llama | None) -> tuple[list[Row], list[str]]:
    base, answers, n = bench.base, bench.answers, len(bench.asked)
    crossed = cross_encoder(cross)
    one = bench.adapters[:1]
    difference = agreement(bench, llama)
    single = [bench.encoder.encode(view.only(slice(0, 1))) for view in bench.asked]

    def all_warm(number_: int) -> None:
        bench.score(bench.blocks[number_], bench.warm)

    def one_event_behind(number_: int) -> None:
        """What was read before the newest event came."""
        blocks = single[number_]
        line = Pairs.of(blocks).prefix
        newest = int(np.diff(blocks.part)[-2])  # the last part is the candidate
        bench.warm.clear()
        with torch.inference_mode():
            bench.warm.read(int(blocks.user[0]), line[: len(line) - newest])

    sides = {
        "cold": bench.each(lambda k: bench.score(bench.blocks[k])),
        "warm": bench.each(lambda k: bench.score(bench.blocks[k], bench.warm), all_warm),
        LAST: bench.each(lambda k: score_pairs(base.model, answers, bench.pairs[k], 1)),
        CROSS: bench.each(lambda k: score_crossed(crossed, bench.pairs[k])),
        "append": bench.each(lambda k: bench.score(single[k], bench.warm), one_event_behind),
        COLD: bench.each(lambda k: bench.score(single[k], WarmPrefixes(base))),
    }
    if llama:
        sides |= {name: bench.each(score, prepare) for name, (score, prepare) in prompt_cache(bench, llama).items()}
    took = alternating(sides, times)
    pair = alternating(
        {
            "ensemble": bench.each(lambda k: bench.ensemble(k, bench.adapters)),
            ONE: bench.each(lambda k: bench.ensemble(k, one)),
        },
        times,
    )
    what = f"{len(bench.asked[0])} candidates, {bench.encoder.shape.context} events"
    rows = [
        Row(f"wall s per request, {what}, cold", LAST, took["cold"].wall, took[LAST].wall, n, 15.0),
        Row(f"wall s per request, {what}, warm", LAST, took["warm"].wall, took[LAST].wall, n, 20.0),
        Row(f"wall s per request, {what}, warm", CROSS, took["warm"].wall, took[CROSS].wall, n, 2.0),
        Row(f"wall s per request, {what}, cold", CROSS, took["cold"].wall, took[CROSS].wall, n),
        Row("wall s, two adapters (aim: 1.4 times one)", ONE, pair["ensemble"].wall, pair[ONE].wall, n, 1 / 1.4),
        Row("wall s from a new event to the next score, appended", COLD, took["append"].wall, took[COLD].wall, n, 10.0),
    ]  # fmt: skip
    if llama:
        warm = f"wall s per request, {what}, warm"
        rows[3:3] = [
            Row(warm, LLAMA_ONE, took["warm"].wall, took[LLAMA_ONE].wall, n, 2.0),
            Row(warm, LLAMA, took["warm"].wall, took[LLAMA].wall, n, 2.0),
        ]
    prefix = np.mean([len(pair_.prefix) for pair_ in bench.pairs])
    own = np.mean([len(candidate) for pair_ in bench.pairs for candidate in pair_.candidates])
    line = bench.warm.bytes / max(1, len(bench.warm))
    return rows, [
        f"A history of {prefix:.0f} tokens, {own:.1f} tokens per candidate; a warm history takes {line / 2**20:.1f} MiB.",
        f"Largest difference of any other's scores from those of {LAST}: {number(difference)} "
        f"({str(base.dtype).removeprefix('torch.')}).",
    ]


def prompt_cache(bench: Bench, llama: Llama) -> dict[str, tuple[Callable[[int], np.ndarray], Callable[[int], None]]]:
    """How llama.cpp scores a request, and what it may do beforehand: read the history."""

    def read(number_: int) -> None:
        llama.read(bench.pairs[number_].prefix)

    return {
        LLAMA_ONE: (lambda k: llama.one_by_one(bench.pairs[k]), read),
        LLAMA: (lambda k: llama.side_by_side(bench.pairs[k]), read),
    }


def agreement(bench: Bench, llama: Llama | None) -> float:
    """Largest difference of log-odds from those of HF; refuses to compare what is not the same."""
    largest = 0.0
    for number_ in range(min(3, len(bench.asked))):
        reference = score_pairs(bench.base.model, bench.answers, bench.pairs[number_], 1)
        found = [bench.score(bench.blocks[number_], warm) for warm in (None, bench.warm, bench.warm)]
        for score, read in prompt_cache(bench, llama).values() if llama else ():
            read(number_)
            found.append(score(number_))
        largest = max(largest, *(float(np.abs(scores - reference).max()) for scores in found))
    allowed = 1e-3 if bench.base.dtype == torch.float32 else 0.5
    if largest > allowed:
        raise SystemExit(f"the scores differ by up to {largest:.2g}: nothing is compared")
    return largest


def open_llama(path: Path, dtype: str, bench: Bench) -> Llama:
    """With room for a history and all its candidates."""
    longest = max(len(pairs.prefix) + sum(map(len, pairs.candidates)) for pairs in bench.pairs)
    return Llama(path, dtype, bench.answers, longest)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--base", type=Path, default=None, help="a Hugging Face directory")
    parser.add_argument("--llama", type=Path, default=None, help="the same model as a GGUF file: adds llama.cpp")
    parser.add_argument("--users", type=int, default=None, help="requests per round; default 5, quick 2")
    parser.add_argument("--history", type=int, default=HISTORY, help="events of history")
    options = parser.parse_args()
    stream = ml_1m()
    path = a_real_base(options.base)
    dtype = probe_dtype() if path else "fp32"
    model, tokenizer = open_base(path, stream, [Template.load("judge-timeline")], dtype)
    before = gemm_probe()
    users = options.users or (2 if options.quick else 5)
    bench = Bench(stream, model, tokenizer, users, options.history, CANDIDATES)
    llama = open_llama(options.llama, dtype, bench) if options.llama else None
    rows, words = measure(bench, repeats(options), DTYPES[probe_dtype()], llama)
    write(
        page(bench, path, dtype, words, repeats(options), options.quick, llama is not None),
        rows,
        (before, gemm_probe()),
        options.out,
    )


def page(
    bench: Bench, path: Path | None, dtype: str, words: Sequence[str], times: int, quick: bool, llama: bool
) -> Page:  # fmt: skip
    size = sum(p.numel() for n, p in bench.base.model.named_parameters() if "lora_" not in n)
    name = path.name if path else "nano with random weights"
    return Page(
        name="bench-serving",
        title="What a request costs",
        what=f"Seconds of the model for one MovieLens-1M user with {bench.encoder.shape.context} events of history, title and genres; the "
        f"mean over {len(bench.asked)} request{'s' * (len(bench.asked) > 1)}. Base: {name}, {size:,} weights, {dtype} on both sides.",
        how=[
            "Cold: the history is read once, candidates as isolated copies behind its keys and values. Warm: those lie "
            "ready from an earlier request (`WarmPrefixes`), the candidates alone are read.",
            f"{LAST}: the same tokens as separate prompts, {BATCH} per forward, left padded, `logits_to_keep=1`.",
            f"{CROSS}: 6 layers of width 384 with random weights in the dtype that is fastest here, through "
            f"transformers, history and candidate as one text of at most {CROSS_TOKENS} tokens (the tokens of our "
            "tokenizer), as sentence-transformers' CrossEncoder does. It needs no reading of a history in advance, and "
            "its quality on this task is not known.",
            *([LLAMA_WORDS.format(dtype=dtype)] if llama else []),
            "Two adapters in the top quarter of the layers against one, both cold; what is below is read once.",
            f"{COLD}: after a new event, history and one candidate are read; appended: the event alone is, behind the "
            "keys and values that lie ready.",
            "Timed: padding, masks and forward. Not timed: text, tokenising, finding the history. Medians of "
            f"{times}, alternating order.",
            *words,
        ],
        caveats=[
            "Ours and HF carry an adapter in the top quarter, as a served model does; llama.cpp and the cross-encoder none."
        ]
        + ([] if llama else ["llama.cpp with its prompt cache was not run: --llama FILE.gguf adds it."]),
        quick=quick,
    )


if __name__ == "__main__":
    main()
