"""Scoring many candidates for one user: one prefix with isolated copies, against one prompt per pair.

python bench/bench_candidates.py [--quick] [--base DIR] [--out docs/results]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bases import open_base
from common import Page, Row, Taken, alternating, arguments, gemm_probe, ml_1m, number, repeats, taken, write

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm import encode
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.fast.shared_prefix import cache_word, tokens_read
from regraft.lm.score import score_blocks
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

HISTORY = 30  # events of history in every prefix
SIZES = (100, 20)  # candidates per request
BATCH = 32  # prompts per forward of the peer
CHUNKS = (64, 128, 256, 512, 1024, 4096)  # tokens of isolated copies per block
TARGET = 15.0
EQUAL = 1e-4
LAST, FULL, COPIED = "HF, one prompt per pair, last logits", "HF, one prompt per pair, all logits", "HF, prefix copied"
AGAIN = "ours, timed again"
OTHERS = (FULL, COPIED, AGAIN)


def request(stream: Stream, user: int, items: np.ndarray) -> Stream:
    """The candidates `items` of one user just after the last row: examples that did not happen."""
    n = len(items)
    added: dict[str, Any] = {
        "row_id": -1 - np.arange(n), "user": user, "item": items, "time": stream.time[-1] + 1,
        "known_at": stream.known_at[-1] + 1, "label": 0, "period": stream.period[-1],
        "happened": False,
    }  # fmt: skip
    columns: dict[str, Any] = {}
    for name, value in added.items():
        column = getattr(stream, name)
        columns[name] = np.concatenate([column, np.broadcast_to(np.asarray(value, column.dtype), n)])
    return replace(stream, **columns, targets=np.arange(len(stream.time), len(stream.time) + n), shared={})


def requests(stream: Stream, users: int, size: int, history: int, seed: int = 0) -> list[Stream]:
    """Requests of random users with at least `history` events, for random items they have not judged."""
    rng = np.random.default_rng([seed, size])
    events = np.bincount(stream.user[stream.happened], minlength=len(stream.user_ids))
    found = []
    for user in rng.permutation(np.flatnonzero(events >= history))[:users]:
        new = np.setdiff1d(np.arange(len(stream.items)), stream.item[stream.user == user])
        found.append(request(stream, int(user), rng.choice(new, size=min(size, len(new)), replace=False)))
    return found


@contextmanager
def chunks_of(tokens: int) -> Iterator[None]:
    """Inside, a block holds about `tokens` tokens of isolated copies."""
    usual = encode.ISOLATED_TOKENS
    encode.ISOLATED_TOKENS = tokens
    try:
        yield
    finally:
        encode.ISOLATED_TOKENS = usual


# -- the peer ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """One request in separate pieces: the tokens all pairs begin with, and those of each candidate."""

    prefix: np.ndarray
    candidates: list[np.ndarray]

    @property
    def tokens(self) -> int:
        return len(self.candidates) * len(self.prefix) + sum(map(len, self.candidates))

    @classmethod
    def of(cls, blocks: Blocks) -> Pairs:
        """The same tokens as in the blocks of one request."""
        prefix, candidates = np.zeros(0, np.int32), []
        for block, read in zip(blocks.block, blocks.read, strict=True):
            first, end = blocks.tokens.start[block], blocks.tokens.start[block + 1]
            tokens, segment = blocks.tokens.data[first:end], blocks.segment[first:end]
            prefix = tokens[segment == 0]
            candidates.append(tokens[segment == segment[read]])
        return cls(prefix, candidates)


def padded(rows: Sequence[np.ndarray], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask) of rows of unequal length."""
    width = max(map(len, rows))
    ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    for at, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[at, place], mask[at, place] = torch.from_numpy(row.astype(np.int64)), 1
    return ids, mask


def score_pairs(model: Any, answers: Verbalizer, pairs: Pairs, keep: int) -> np.ndarray:
    """One prompt per pair, left padded, BATCH at a time; `keep` as in logits_to_keep (0: all positions)."""
    scores = []
    with torch.inference_mode():
        for first in range(0, len(pairs.candidates), BATCH):
            prompts = [np.concatenate([pairs.prefix, c]) for c in pairs.candidates[first : first + BATCH]]
            ids, mask = padded(prompts, left=True)
            position = (mask.cumsum(1) - 1).clamp(min=0)
            logits = model(
                input_ids=ids, attention_mask=mask, position_ids=position, use_cache=False, logits_to_keep=keep
            ).logits[:, -1]
            scores.append((logits[:, answers.yes] - logits[:, answers.no]).float().numpy())
    return np.concatenate(scores).astype(np.float64)


def score_copied(base: BaseModel, answers: Verbalizer, pairs: Pairs) -> np.ndarray:
    """What a careful user of transformers does: the prefix once, its keys and values copied to every candidate."""
    decoder = base.model.base_model
    word = cache_word(decoder)
    prefix = torch.from_numpy(pairs.prefix.astype(np.int64))[None]
    with torch.inference_mode():
        cache = decoder(input_ids=prefix, use_cache=True)[word]
        cache.batch_repeat_interleave(len(pairs.candidates))
        ids, mask = padded(pairs.candidates, left=False)
        seen = torch.cat([torch.ones(len(ids), prefix.shape[1], dtype=torch.long), mask], dim=1)
        states = decoder(input_ids=ids, attention_mask=seen, use_cache=True, **{word: cache})[0]
        last = states[torch.arange(len(ids)), mask.sum(1) - 1]
        return base.log_odds(last, answers.yes, answers.no).double().numpy()


# -- measuring ---------------------------------------------------------------------------------


def measure(
    stream: Stream, model: Any, tokenizer: Any, template: Template, times: int, *,
    users: int = 10, sizes: Sequence[int] = SIZES, history: int = HISTORY, chunks: Sequence[int] = CHUNKS,
) -> tuple[list[Row], list[str]]:  # fmt: skip
    """Rows of the table, and what was found, in words."""
    base, answers = BaseModel.of(model, tokenizer), Verbalizer.of(tokenizer, template)
    # H = 1 rebases at every event, so that every prefix holds exactly `history` events.
    encoder = Encoder(tokenizer, template, answers, Regime(), Shape(history, 1), longest=base.longest)
    rows, words = [], []
    for size in sizes:
        asked = requests(stream, users, size, history)
        candidates = np.unique([len(view) for view in asked])
        if len(candidates) != 1:
            raise SystemExit(f"requests hold {candidates.min()} to {candidates.max()} candidates: too few items")
        more, found = _one_size(encoder, base, answers, asked, int(candidates[0]), history, chunks, times)
        rows += more
        words.append(found)
    return rows, words


def _one_size(
    encoder: Encoder, base: BaseModel, answers: Verbalizer, asked: Sequence[Stream], size: int, history: int,
    chunks: Sequence[int], times: int,
) -> tuple[list[Row], str]:  # fmt: skip
    usual = encode.ISOLATED_TOKENS
    blocks = _by_chunk(encoder, asked, (usual, *chunks))
    pairs = [Pairs.of(one) for one in blocks[usual]]
    difference = _largest_difference(base, answers, blocks, pairs)

    def each(score: Callable[[Any], object], units: Sequence[Any]) -> Callable[[], Taken]:
        return lambda: taken(lambda: [score(unit) for unit in units]).per(len(units))

    sides: dict[str, Callable[[], Taken]] = {
        LAST: each(lambda unit: score_pairs(base.model, answers, unit, 1), pairs),
        FULL: each(lambda unit: score_pairs(base.model, answers, unit, 0), pairs),
        COPIED: each(lambda unit: score_copied(base, answers, unit), pairs),
    }
    for tokens, ones in blocks.items():
        sides[str(tokens)] = each(lambda unit: score_blocks(base, answers, unit), ones)
    sides[AGAIN] = sides[str(usual)]
    times_of = alternating(sides, times)

    bound = size * (history + 1) / (history + size)
    what = f"C = {size}, {history} events (bound {bound:.1f}x)"
    n, ours = len(asked), times_of[str(usual)]
    target = TARGET if size == max(SIZES) else None
    rows = [Row(f"wall s per request, {what}", LAST, ours.wall, times_of[LAST].wall, n, target)]
    rows += [Row(f"wall s per request, {what}", peer, ours.wall, times_of[peer].wall, n) for peer in OTHERS]
    rows += [Row(f"CPU s per request, {what}", peer, ours.cpu, times_of[peer].cpu, n) for peer in (LAST, *OTHERS)]
    read = {tokens: float(np.mean([tokens_read(one, base) for one in ones])) for tokens, ones in blocks.items()}
    theirs = float(np.mean([pair.tokens for pair in pairs]))
    rows.append(Row(f"tokens read per request, {what}", LAST, read[usual], theirs, n))
    for tokens in blocks:
        name = f"CPU s per request, C = {size}, chunks of {tokens} tokens{' (default)' if tokens == usual else ''}"
        rows.append(Row(name, LAST, times_of[str(tokens)].cpu, times_of[LAST].cpu, n))
    best = min(blocks, key=lambda tokens: times_of[str(tokens)].cpu)
    again = times_of[AGAIN].cpu / ours.cpu
    gain, noise = ours.cpu / times_of[str(best)].cpu, max(again, 1 / again)
    chunk = (
        f"Chunks of {best} tokens take the least CPU time, {gain:.2f}x less than the default of {usual}"
        if gain > noise
        else f"No size of chunk beats the default of {usual} tokens by more than the noise"
    )
    prefix = np.mean([len(pair.prefix) for pair in pairs])
    own = np.mean([len(candidate) for pair in pairs for candidate in pair.candidates])
    return rows, (
        f"C = {size}: a prefix of {prefix:.0f} tokens, {own:.1f} tokens per candidate. {chunk}; the same work timed "
        f"twice differs by {noise:.2f}x. In tokens the gain is {number(theirs / read[usual])}x, in events at most "
        f"{bound:.1f}x. Largest difference between the scores of any two ways: {difference:.1e}."
    )


def _by_chunk(encoder: Encoder, asked: Sequence[Stream], sizes: Sequence[int]) -> dict[int, list[Blocks]]:
    """Blocks per chunk size, the first size first; sizes that give the same blocks as an earlier one are left out."""
    found: dict[int, list[Blocks]] = {}
    for tokens in sizes:
        with chunks_of(tokens):
            blocks = [encoder.encode(view) for view in asked]
        counts = [len(one) for one in blocks]
        if counts not in [[len(one) for one in earlier] for earlier in found.values()]:
            found[tokens] = blocks
    return found


def _largest_difference(
    base: BaseModel, answers: Verbalizer, blocks: dict[int, list[Blocks]], pairs: Sequence[Pairs]
) -> float:
    """Refuses to compare the speed of scores that are not the same; it also warms up."""
    largest = 0.0
    for at, pair in enumerate(pairs):
        reference = score_pairs(base.model, answers, pair, 1)
        others = [score_blocks(base, answers, ones[at]) for ones in blocks.values()]
        others += [score_pairs(base.model, answers, pair, 0), score_copied(base, answers, pair)]
        largest = max(largest, *(float(np.abs(reference - other).max()) for other in others))
    if largest > EQUAL:
        raise SystemExit(
            f"the scores differ by up to {largest:.2g}, at most {EQUAL:g} was expected: nothing is compared"
        )
    return largest


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--base", type=Path, default=None, help="a Hugging Face directory; default: nano, random weights"
    )
    parser.add_argument("--users", type=int, default=None, help="requests per round; default 10, quick 2")
    options = parser.parse_args()
    stream, template = ml_1m(), Template.load("judge-timeline")
    model, tokenizer = open_base(options.base, stream, [template])
    before = gemm_probe()
    users = options.users or (2 if options.quick else 10)
    rows, found = measure(stream, model, tokenizer, template, repeats(options), users=users)
    size = sum(p.numel() for p in model.parameters())
    name = options.base.name if options.base else "nano with random weights (speed does not depend on them)"
    page = Page(
        name="bench-candidates",
        title="Many candidates for one user",
        what=f"Seconds of the model to score C unseen items for one MovieLens-1M user with {HISTORY} events of "
        f"history; the mean over {users} requests. Base: {name}, {size:,} weights, fp32.",
        how=[
            "Ours: `Encoder` on a view whose examples are C rows at one instant that did not happen, then "
            "`score_blocks`: the prefix once, candidates as isolated copies in rows behind its keys and values; in "
            "one masked pass where they are few.",
            f"{LAST}: the same tokens as separate prompts (prefix + candidate), {BATCH} per forward, left padded, "
            "`logits_to_keep=1`. The target is set against this one: it does less than the next.",
            f"{FULL}: the same with the default of transformers, logits of the whole vocabulary at all positions.",
            f"{COPIED}: the prefix read once with `use_cache`, its keys and values copied C times, one further forward "
            "for all candidates. Not a common recipe: it shows what a cached prefix would give.",
            f"{AGAIN}: the same work as ours; how far this ratio is from 1 is the noise of all others.",
            "The bound C (n + 1) / (n + C) counts events: it is reached where every event costs the same and attention "
            "costs nothing.",
            "Timed on both sides: padding, masks and forward. Not timed on either: reading text, tokenising, finding "
            f"the history. Medians of {repeats(options)}, alternating order, after one untimed round.",
            *found,
        ],
        caveats=[
            "Candidates are drawn uniformly: rare titles take more tokens than the popular ones of a shortlist.",
        ],
        quick=options.quick,
    )
    write(page, rows, (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
