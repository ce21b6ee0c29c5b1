"""Live facts: numbers about an item or a user as of an event, rendered in one to three tokens.

A fact is a count or a rate that anyone can explain, never the score of a fitted model. It uses only
rows known at the event's time under the regime; the same table serves prompts, baselines and serving.
A log without dislikes has no like-rates: there, an item's rate is its chance of being the chosen one beside an
average item (50: as popular as the average), which is also what the residuals behind `kin` are taken from.
Adding a fact is adding one entry to FACTS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from regraft.data.asked import ASKED, Asked
from regraft.data.regimes import Regime
from regraft.data.stream import ROW_COLUMNS, Stream
from regraft.errors import ConfigError
from regraft.prompts.alike import CONTENT
from regraft.prompts.fact_sums import RECENT, FactSums
from regraft.prompts.replay import Progress, replay
from regraft.prompts.similarity.protocol import NONE


@dataclass(frozen=True)
class Fact:
    """`render` turns the column of this name into text."""

    name: str
    meaning: str
    render: Callable[[np.ndarray], np.ndarray]


def _percent(values: np.ndarray) -> np.ndarray:
    """To the nearest 5: "0", "5", ... "100"."""
    points = (np.rint(np.clip(values, 0, 1) * 20) * 5).astype(np.int64)
    return np.asarray(points.astype(str))


def _signed(values: np.ndarray) -> np.ndarray:
    """Points to the nearest 5: "-15", "+0", "+20"."""
    points = (np.rint(np.clip(values, -0.95, 0.95) * 20) * 5).astype(np.int64)
    return np.char.add(np.where(points < 0, "-", "+"), np.abs(points).astype(str))


def _rounded_count(values: np.ndarray) -> np.ndarray:
    """0, 1, 2, 5, 10, 20, 50 ... 500, 1k, 2k, 5k ...: the largest of the series not above the count."""
    steps = np.array([0] + [m * 10**e for e in range(7) for m in (1, 2, 5)])
    text = np.array([f"{s // 1000}k" if s >= 1000 else str(s) for s in steps])
    return text[np.searchsorted(steps, values, side="right") - 1]


def _age(values: np.ndarray) -> np.ndarray:
    """Days as 0d, 1d, 3d, 7d, 30d, 90d, 1y, 2y, 5y: the largest not above the age."""
    steps = np.array([0, 1, 3, 7, 30, 90, 365, 730, 1825])
    text = np.array(["0d", "1d", "3d", "7d", "30d", "90d", "1y", "2y", "5y"])
    return np.asarray(text[np.searchsorted(steps, np.maximum(values, 0), side="right") - 1])


FACTS = {
    f.name: f
    for f in (
        Fact("item_rate", "per cent of earlier ratings of this item that were likes", _percent),
        Fact("item_count", "how many ratings this item had before", _rounded_count),
        Fact("item_age", "time since the item was first seen", _age),
        Fact("user_rate", "per cent of this user's earlier ratings that were likes", _percent),
        Fact(
            "user_lean",
            "this user's likes above or below what the items' own rates led to expect, in points",
            _signed,
        ),
        Fact("user_count", "how many ratings this user gave before", _rounded_count),
        Fact("recent", f"per cent of likes among this user's last {RECENT} ratings", _percent),
        Fact("kin", "how this user rated the items that people rate alike with this one, in points", _signed),
        Fact(
            "alike_rate", "per cent of likes among earlier ratings of the items whose texts are most similar", _percent
        ),
        Fact("alike_vote", "how this user rated the items with similar texts, in points", _signed),
        Fact("alike_best", "similarity to the most similar item that this user liked, in per cent", _percent),
    )
}

# The last two are no facts of a prompt: features of baselines alone.
COLUMNS = (*(name for name in FACTS if name not in CONTENT), "last_three", "pause")


def fact_table(
    stream: Stream, regime: Regime, refresh: str = "event", progress: Progress | None = None, similarity: str = NONE
) -> pl.DataFrame:
    """One Float64 column per name in COLUMNS, one row per row of the stream, each as of that row.

    With a `similarity` of items (prompts/similarity) there are the columns of CONTENT too, behind the others.

    `refresh` says how old the numbers about *items* may be: as of the event, the start of its day, or of
    its period. The warm-up is no period that begins: with "period" its rows are served as with "day".
    Numbers about the user are always as of the event. `last_three` is the smoothed share of likes among the
    user's last three events, `pause` the hours since the last one.

    A row's facts do not depend on later rows, so the longest table computed for a log is kept in `stream.shared`
    and serves all its views. `progress` is called with (rows done, all rows) after every period.
    """
    plain = _table(stream, regime, refresh, NONE, progress)
    if similarity == NONE:
        return plain
    return plain.hstack(_table(stream, regime, refresh, similarity, progress))


def _table(stream: Stream, regime: Regime, refresh: str, similarity: str, progress: Progress | None) -> pl.DataFrame:
    """The columns as kept, or worked out anew; the content columns by themselves, without the work behind `kin`."""
    key = (str(regime), refresh, similarity)
    table = _kept(stream, ("facts", *key))
    if table is None or len(table) < len(stream.time):
        if ASKED in stream.shared:
            table = _with_asked(stream.shared[ASKED], regime, refresh, similarity)
        else:
            table = _told(_sums(stream, regime, refresh, similarity), stream, similarity, progress)
        _keep(stream, ("facts", *key), table)
    return table[: len(stream.time)]


def fact_rows(stream: Stream, regime: Regime, names: Sequence[str], similarity: str = NONE) -> Iterator[np.ndarray]:
    """The named columns of `fact_table` at the examples of a stream, one after the other: no table of them is made."""
    asked: Asked | None = stream.shared.get(ASKED)
    if asked is not None and np.array_equal(stream.targets, asked.places):  # the pairs alone: no table of the log
        rows: slice | np.ndarray = slice(None)
        tables = [answer(asked, regime)] + (
            [answer(asked, regime, similarity=similarity)] if similarity != NONE else []
        )
    else:
        rows, tables = stream.targets, [fact_table(stream, regime, similarity=similarity)]
    columns = {name: table[name] for table in tables for name in table.columns}
    return (columns[name].to_numpy()[rows] for name in names)


def has_table(stream: Stream, regime: Regime, similarity: str = NONE) -> bool:
    """Whether `fact_table` has its columns at hand."""
    table = _kept(stream, ("facts", str(regime), "event", similarity))
    return table is not None and len(table) >= len(stream.time)


def _told(sums: FactSums, stream: Stream, similarity: str, progress: Progress | None = None) -> pl.DataFrame:
    """The columns that are kept, of the rows that the sums are told."""
    names = _columns(similarity)
    told = replay(sums, stream, progress, names)
    return pl.DataFrame([pl.Series(name, told.pop(name)) for name in names])  # polars copies: one column at a time


def _columns(similarity: str) -> tuple[str, ...]:
    return COLUMNS if similarity == NONE else CONTENT


def _kept(stream: Stream, key: tuple[str, ...]) -> Any:
    """What was kept with the log that this is a view of; None where there is nothing."""
    kept, address, _ = stream.shared.get(key, (None, None, None))
    return kept if address == _address(stream) else None


def _keep(stream: Stream, key: tuple[str, ...], made: Any) -> None:
    # The arrays are kept too: as long as they live, no other log can lie at their addresses.
    stream.shared[key] = made, _address(stream), [getattr(stream, n) for n in ROW_COLUMNS]


def wanted(names: Iterable[str], similarity: str) -> str:
    """The similarity that a table with the named facts needs: `none` where no content fact is among them."""
    content = [name for name in names if name in CONTENT]
    if content and similarity == NONE:
        raise ConfigError(
            f"facts {', '.join(content)}", "are wanted without a similarity of items", "a similarity other than none",
            "Set similarity: tfidf",
        )  # fmt: skip
    return similarity if content else NONE


def _sums(stream: Stream, regime: Regime, refresh: str, similarity: str) -> FactSums:
    return FactSums(regime, refresh, stream.implicit, similarity, kin=similarity == NONE)


def _with_asked(asked: Asked, regime: Regime, refresh: str, similarity: str) -> pl.DataFrame:
    """The table of a log and of the pairs that are asked about: what `replay` would give, without a replay for each."""
    answers, n = answer(asked, regime, refresh, similarity), len(asked.log.time)
    own = _table(asked.log, regime, refresh, similarity, None)
    order = np.insert(np.arange(n), asked.at, n + np.arange(len(asked)))
    return pl.concat([own, answers])[order]


def answer(asked: Asked, regime: Regime, refresh: str = "event", similarity: str = NONE) -> pl.DataFrame:
    """The columns of the pairs that are asked about, or with a similarity those of CONTENT; worked out once."""
    key = (str(regime), refresh, similarity)
    if key not in asked.answers:
        if asked.once:
            sums = _sums(asked.log, regime, refresh, similarity)
            replay(sums, asked.log, names=())
        else:
            sums = sums_after(asked.log, regime, refresh, similarity)
        found = sums.ask(asked.user, asked.item, asked.time, asked.at)
        asked.answers[key] = pl.DataFrame(found).select(_columns(similarity))
    found_table: pl.DataFrame = asked.answers[key]
    return found_table


def sums_after(log: Stream, regime: Regime, refresh: str = "event", similarity: str = NONE) -> FactSums:
    """The sums after all rows of a log, its last period still open: for questions alone.

    The last ones are kept and go on to the next, longer view of the log: periods are asked about in their order, and
    the table of facts grows on the way.
    """
    key = (str(regime), refresh, similarity)
    sums: FactSums | None = _kept(log, ("sums", *key))
    if sums is None or sums.rows > len(log.time):
        sums = _sums(log, regime, refresh, similarity)
    if sums.rows < len(log.time):
        table = _kept(log, ("facts", *key))
        grows = sums.rows == (0 if table is None else len(table))
        told = _told(sums, log, similarity)
        if grows:
            _keep(log, ("facts", *key), told if table is None else pl.concat([table, told]))
    _keep(log, ("sums", *key), sums)
    return sums


def sums_at(past: Stream, regime: Regime, cut: int) -> FactSums:
    """The sums of what an update may see, closed at its cut (ms): rows between that and the next period are not there.

    They are worked out anew and not kept.
    """
    sums = _sums(past, regime, "event", NONE)
    replay(sums, past, names=())
    while sums.period < len(past.cuts):
        sums.close_period(cut)
    return sums


def _address(stream: Stream) -> list[int]:
    """Where the rows lie in memory: those of a view begin where those of its log do; changed rows lie elsewhere."""
    return [getattr(stream, name).ctypes.data for name in ROW_COLUMNS]


def rendered(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The named facts as text columns."""
    unknown = [n for n in names if n not in FACTS]
    if unknown:
        raise ConfigError("facts", f"unknown {', '.join(unknown)}", "some of " + ", ".join(FACTS))
    texts = {n: FACTS[n].render(table[n].to_numpy()).astype(object) for n in names}
    return pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String))
