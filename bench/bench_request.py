"""What one request costs while the log grows: facts, history, tokens and scores of a hundred candidates.

python bench/bench_request.py [--quick] [--sizes 10000 100000 1000000] [--out docs/results]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl
from bases import open_base
from common import Page, Row, Taken, alternating, arguments, gemm_probe, number, repeats, taken, write

from regraft.data.build import build_stream
from regraft.data.history import History, Request
from regraft.data.periods import Periods
from regraft.data.regimes import UNITS, Regime
from regraft.data.stream import Stream
from regraft.lm.ask import score_request
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.encode import Encoder
from regraft.lm.fast.warm_prefix import WarmPrefixes
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, CacheOptions
from regraft.lm.verbalizer import Verbalizer
from regraft.lm.workshop import Workshop
from regraft.prompts.fact_state import FactState
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

SIZES = (10_000, 100_000, 1_000_000)
QUICK = (2_000, 20_000)
HISTORY, CANDIDATES = 29, 100  # 29 events: p mod H = 9, so that W + 9 of them are read
ASKER = "u0"
COMMON = 400  # items that every log has: the history and the candidates are some of them
TARGET = 0.8  # the largest log's request takes at most 1.25 times the smallest one's
EQUAL = 1e-4
VIEW = "the request as rows of the log"
WORDS = "night day river stone light house winter summer garden letter island harbour mountain silver paper glass"
FACTS, TOKENS = "facts", "history and tokens"
REQUESTS = 5  # in a row


def log_of(rows: int, seed: int = 0, asked: Sequence[str] = ()) -> Stream:
    """A log of so many rows, a hundred per user; items are drawn by a power law from a catalogue that grows too.

    One user, ASKER, has HISTORY events in every log, spread over its second half, on the same items with the same
    labels. The items `asked` follow as further rows of the same user, all at the instant after the last one.
    """
    rng = np.random.default_rng([seed, rows])
    users, items = rows // 100, max(COMMON, round(20 * rows**0.5))
    user, item = rng.integers(1, users, rows), (items * rng.random(rows) ** 3).astype(np.int64)
    user[: users - 1], item[:items] = np.arange(1, users), np.arange(items)  # everybody and everything occurs
    liked = rng.random(rows) < 0.3 + 0.4 * (item % 7) / 6
    own, at = np.random.default_rng(seed), np.linspace(rows // 2, rows - 1, HISTORY).astype(np.int64)
    user[at], item[at], liked[at] = 0, own.choice(COMMON, HISTORY, replace=False), own.random(HISTORY) < 0.5
    more = len(asked)
    time = np.append(np.arange(rows) * (400 * UNITS["d"] // rows), np.full(more, 400 * UNITS["d"]))
    log = pl.DataFrame(
        {
            "user_id": [f"u{k}" for k in user] + [ASKER] * more,
            "item_id": [f"i{k}" for k in item] + list(asked),
            "timestamp": time,
            "event": "rating",
            "value": np.append(np.where(liked, 5.0, 1.0), np.ones(more)),
            "line": np.arange(rows + more),
        }
    ).with_columns(pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC"))
    words = WORDS.split()
    titles = [f"{words[k % 16]} {words[k // 16 % 16]} {words[k // 256 % 16]}" for k in range(items)]
    texts = pl.DataFrame({"item_id": [f"i{k}" for k in range(items)], "title": titles})
    periods = Periods(by="calendar", every="250d", start=datetime(1970, 9, 8))  # day 250
    return build_stream(log, texts, "rating > 3", periods, name=f"synthetic {rows:,}")


@dataclass
class Service:
    """One log and what a service keeps of it: each event with its facts, by user, and the state of all facts."""

    stream: Stream
    regime: Regime
    shape: Shape
    facts: pl.DataFrame
    state: FactState

    @classmethod
    def of(cls, stream: Stream, regime: Regime, shape: Shape) -> Service:
        """The log told in time order, the facts of each event kept beside it."""
        state, told = FactState(regime), []
        users, items = stream.user_ids.to_numpy(), stream.items["item_id"].to_numpy()
        for period in range(stream.n_periods + 1):
            if period:
                state.close_period()
            rows = np.flatnonzero(stream.period == period)
            told.append(
                state.take(users[stream.user[rows]], items[stream.item[rows]], stream.time[rows], stream.label[rows])
            )
        assert len(stream.order.rows) == len(stream.time)  # rows by user, worked out once
        return cls(stream, regime, shape, pl.concat(told), state)

    @property
    def rows(self) -> int:
        return len(self.stream.time)

    @cached_property
    def user(self) -> int:
        return self.stream.user_ids.to_list().index(ASKER)

    @cached_property
    def candidates(self) -> pl.DataFrame:
        """The same items in every log, none of them judged by the user."""
        stream = self.stream
        common = stream.items.filter(pl.col("item_id").str.slice(1).cast(pl.Int64) < COMMON).sort("item_id")
        judged = stream.items["item_id"].gather(stream.item[stream.user == self.user])
        return common.filter(~pl.col("item_id").is_in(judged.implode())).sample(CANDIDATES, seed=0)

    @cached_property
    def now(self) -> int:
        return 400 * UNITS["d"]

    def history(self) -> History:
        return History.of(self.stream, self.user, self.facts, last=self.shape.reach).as_of(self.now, self.regime)

    def asked(self) -> pl.DataFrame:
        return self.state.ask(ASKER, self.candidates["item_id"].to_list(), self.now)

    def request(self) -> Request:
        return Request(self.history(), self.candidates, self.now, self.asked())

    def view(self) -> Stream:
        """The request as the last rows of a log."""
        whole = log_of(self.rows, asked=self.candidates["item_id"].to_list())
        return whole.only(slice(-CANDIDATES, None))


# -- measuring ---------------------------------------------------------------------------------


def sides_of(service: Service, shop: Workshop, blend: Blend) -> dict[str, Callable[[], Taken]]:
    """What is timed, by name: the whole request, cold and warm, and its parts."""
    encoder, warm = shop.encoder, WarmPrefixes(shop.base)
    request = service.request()

    def timed(work: Callable[[], object]) -> Callable[[], Taken]:
        """Several requests in a row, after one that is not timed."""
        return lambda: (work(), taken(lambda: [work() for _ in range(REQUESTS)]).per(REQUESTS))[1]

    def encoded() -> object:
        return encoder.encode_request(Request(service.history(), service.candidates, service.now, request.facts))

    return {
        "cold": timed(lambda: score_request(shop, blend, service.request())),
        "warm": timed(lambda: score_request(shop, blend, service.request(), warm)),
        FACTS: timed(service.asked),
        TOKENS: timed(encoded),
    }


def measure(services: Sequence[Service], shop: Workshop, blend: Blend, times: int) -> tuple[list[Row], list[str]]:
    """Rows of the table, and what was found, in words."""
    before, difference, spread = {}, 0.0, 0.0
    for service in services:
        found, view = score_request(shop, blend, service.request()), service.view()
        before[service.rows] = taken(lambda view=view: shop.encoder.encode(view))
        difference = max(difference, float(np.abs(ModelLab(shop).score(blend, view) - found).max()))
        spread = float(found.std())
    if difference > EQUAL:
        raise SystemExit(f"the scores of request and view differ by {difference:.2g}, at most {EQUAL:g} was expected")
    sides = {f"{name} {s.rows}": side for s in services for name, side in sides_of(s, shop, blend).items()}
    small, *larger = (service.rows for service in services)
    sides |= {f"{name} 0": sides[f"{name} {small}"] for name in ("cold", "warm")}  # once more: the noise
    took = alternating(sides, times)
    rows, peer = [], f"log of {small:,} rows"
    for name, what in {
        **{name: f"request, {CANDIDATES} candidates, {HISTORY} events, {name}" for name in ("cold", "warm")},
        FACTS: FACTS,
        TOKENS: TOKENS,
    }.items():
        for size in (*larger, 0) if f"{name} 0" in took else larger:
            log = f"log of {size:,} rows" if size else f"{peer}, timed again"
            ours, theirs = took[f"{name} {size}"], took[f"{name} {small}"]
            target = TARGET if f"{name} 0" in took and size == larger[-1] else None
            rows.append(Row(f"CPU s, {what}, {log}", peer, ours.cpu, theirs.cpu, times, target))
            rows.append(Row(f"wall s, {what}, {log}", peer, ours.wall, theirs.wall, times))
    for size in (small, *larger):
        ours = took[f"{FACTS} {size}"].cpu + took[f"{TOKENS} {size}"].cpu
        rows.append(Row(f"CPU s, {FACTS}, {TOKENS}, log of {size:,} rows", VIEW, ours, before[size].cpu, 1))
    tokens = [len(shop.encoder.encode_request(service.request()).tokens.data) for service in services]
    return rows, [
        f"Tokens of the request, by log: {', '.join(f'{n:,}' for n in tokens)} (the facts of a larger log are larger numbers).",
        f"Largest difference between the scores of the request and those of the view: {number(difference)}; the scores of a "
        f"request spread by {number(spread)} (standard deviation).",
    ]


def open_shop(stream: Stream, template: Template, regime: Regime, shape: Shape) -> Workshop:
    """A nano model with random weights: speed does not depend on them."""
    model, tokenizer = open_base(None, stream, [template])
    base = BaseModel.of(model, tokenizer)
    encoder = Encoder(tokenizer, template, Verbalizer.of(tokenizer, template), regime, shape, longest=base.longest)
    return Workshop(base, encoder, AdapterOptions(), cache=CacheOptions(gib=0))


def page(shop: Workshop, sizes: Sequence[int], words: Sequence[str], times: int, quick: bool) -> Page:
    weights = sum(p.numel() for n, p in shop.base.model.named_parameters() if "lora_" not in n)
    return Page(
        name="bench-request",
        title="One request while the log grows",
        what=f"Seconds from a user's id and {CANDIDATES} candidates to their scores, for one user with {HISTORY} events, in logs of "
        f"{', '.join(f'{size:,}' for size in sizes)} rows. Template: {shop.encoder.template.name}. Base: nano with random weights and "
        f"one adapter, {weights:,} weights, fp32.",
        how=[
            "A synthetic log with a hundred rows per user and a catalogue that grows with the root of the rows. The user, the "
            "history and the candidates are the same in every log.",
            "Timed: `FactState.ask` for the candidates, `History.of` (the events with the facts they had), `encode_request`, "
            "`score_request`. Cold: the history is read anew. Warm: it lies ready from an earlier request (`WarmPrefixes`).",
            "Not timed, done once per log: telling the log to the `FactState`, ordering its rows by user.",
            f"{VIEW.capitalize()}: the candidates as the last rows, at one instant; facts and tokens of these through `Encoder.encode`, timed "
            "once. It is how candidates had to be asked for before there was a request.",
            f"Each figure is the mean of {REQUESTS} requests in a row, the median of {times} such rounds in alternating order. The "
            "target is set for CPU seconds, which suffer less from what else runs on the machine.",
            *words,
        ],
        caveats=["The rows by user lie in memory; a store on disk adds its own look-up."],
        quick=quick,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=None, help="rows of the logs, ascending")
    options = parser.parse_args()
    sizes = options.sizes or (QUICK if options.quick else SIZES)
    template, regime, shape = Template.load("judge-timeline-facts"), Regime(), Shape()
    services = [Service.of(log_of(size), regime, shape) for size in sizes]
    shop = open_shop(services[0].stream, template, regime, shape)
    blend = Blend.of(shop.grafts.fresh(shop.grafts.shape(shop.adapter), 0))
    before = gemm_probe()
    rows, words = measure(services, shop, blend, repeats(options))
    write(page(shop, sizes, words, repeats(options), options.quick), rows, (before, gemm_probe()), options.out)


if __name__ == "__main__":
    main()
