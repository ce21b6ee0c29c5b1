"""What to set for a log that nobody has looked at yet: label rule, periods and block, each with its reason."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import polars as pl

from regraft.data import event_names as events
from regraft.data.periods import Periods
from regraft.data.user_order import UserOrder
from regraft.errors import DataError

T = TypeVar("T")
FEW = 20  # distinct values up to which each is tried as a threshold
WARM_UP, LEAST_WARM_UP, WARM_UP_ROWS = 0.3, 0.1, 50_000  # a large log needs a smaller share to build a base model
ROWS_PER_PERIOD = 5_000  # at which the standard error of an AUC near 0.75 is about 0.006
MOST_PERIODS, FEWEST_PERIODS = 20, 4
EVEN = 0.5  # share of the mean that the emptiest equal-time period must hold
CONTEXT = 10  # events, as published (TALLRec, LSAT)
BLOCKS = (4, 6, 8, 10, 15, 20, 30, 40, 60)


class Block(NamedTuple):
    """W events of context, H targets: what `timeline` holds in a configuration."""

    context: int
    targets: int


@dataclass(frozen=True)
class Proposal(Generic[T]):
    """A value and why it is proposed."""

    value: T
    reason: str


def label_rule(rows: pl.DataFrame) -> Proposal[str]:
    """A rule under which some rows are liked and others are not; `implicit` where the log tells no two kinds apart.

    A rule names a kind of event that is known to mean "liked", or a threshold of the values. Where events are known
    to mean the opposite only, the rule is a guess at the others and says so. Raises DataError where all events do.
    """
    kinds = rows["event"].value_counts(sort=True)["event"].to_list()
    against = [kind for kind in kinds if events.is_negative(kind)]
    if kind := events.strongest(kinds) if len(kinds) > 1 else None:
        return Proposal(f"event == {_quoted(kind)}", f"{_share(rows, kind)}; the log has {_names(kinds)}")
    values = rows["value"]
    if not values.null_count() and values.n_unique() > 1:
        return _threshold(values, "rating" if kinds == ["rating"] else "value")
    if against:
        return _not_against(rows, kinds, against)
    what = "has no values" if values.null_count() == len(rows) else "has no value that tells rows apart"
    unsure = (
        f"; which of {_names(kinds)} means liked is not known: give a rule such as {_example(kinds)} "
        "to data inspect --label, or as label in the YAML"
    )
    return Proposal(
        "implicit",
        f"the log {what}: every row counts as liked, and negatives are sampled{unsure if len(kinds) > 1 else ''}",
    )


def _threshold(values: pl.Series, word: str) -> Proposal[str]:
    """The values above the one that splits the rows most evenly."""
    distinct = values.unique().sort()
    if len(distinct) > FEW:
        middle = float(values.median() or 0.0)  # type: ignore[arg-type]
        if middle >= float(distinct[-1]):
            middle = float(distinct[-2])
        return Proposal(f"value > {_plain(middle)}", f"the middle of {len(distinct):,} different values")
    shares = {float(v): float((values > v).mean() or 0.0) for v in distinct[:-1]}
    best = min(shares, key=lambda v: abs(shares[v] - 0.5))
    steps = ", ".join(_plain(float(v)) for v in distinct)
    why = f"{shares[best]:.1%} liked, the split nearest to half of the values {steps}"
    return Proposal(f"{word} > {_plain(best)}", why)


def _not_against(rows: pl.DataFrame, kinds: list[str], against: list[str]) -> Proposal[str]:
    """The most frequent kind that does not mean the opposite of liked."""
    others = [kind for kind in kinds if kind not in against]
    if not others:
        raise DataError(
            "the log",
            f"has events only that mean the opposite of liked: {_names(against)}",
            "a kind of event that means liked, or values",
            "If these rows are to count as liked all the same, give the rule implicit to data inspect --label, "
            "or as label in the YAML",
        )
    why = f"a guess, since no kind is known to mean liked and {_names(against)} means the opposite"
    return Proposal(f"event == {_quoted(others[0])}", f"{why}; {_share(rows, others[0])}; the log has {_names(kinds)}")


def _share(rows: pl.DataFrame, kind: str) -> str:
    return f"{float((rows['event'] == kind).mean() or 0.0):.1%} of the rows are of this kind"  # type: ignore[arg-type]


def _quoted(kind: str) -> str:
    """The name of a kind as a label rule holds it."""
    return f"'{kind}'" if '"' in kind else f'"{kind}"'


def _example(kinds: list[str]) -> str:
    return shlex.quote(f"event == {_quoted(kinds[0])}")


def _names(kinds: list[str]) -> str:
    return ", ".join(kinds[:8]) + (f" and {len(kinds) - 8} more" if len(kinds) > 8 else "")


def periods(time: np.ndarray, n: int | None = None) -> Proposal[Periods]:
    """A cut of ascending times (ms): by time where the load is even, else by count."""
    warm_up = float(np.clip(round(WARM_UP_ROWS / len(time), 2), LEAST_WARM_UP, WARM_UP))
    live = int((1 - warm_up) * len(time))
    wanted = n or int(np.clip(live // ROWS_PER_PERIOD, FEWEST_PERIODS, MOST_PERIODS))
    for number in range(min(wanted, len(np.unique(time))), 1, -1):
        evenly = Periods(by="time", n=number, warm_up=warm_up)
        counts = np.bincount(evenly.cut(time)[0], minlength=number + 1)[1:]
        if counts.min() >= EVEN * counts.mean():
            return Proposal(evenly, _why(counts, number, n, wanted, "the load is even"))
        by_count = Periods(by="count", n=number, warm_up=warm_up)
        try:
            sizes = np.bincount(by_count.cut(time)[0], minlength=number + 1)[1:]
        except DataError:  # too few different times for so many periods
            continue
        uneven = f"periods of equal time would hold {counts.min():,} to {counts.max():,} rows"
        return Proposal(by_count, _why(sizes, number, n, wanted, uneven))
    raise DataError(
        "the log",
        f"has {len(time):,} rows at {len(np.unique(time)):,} different times",
        "enough different times for two periods",
        "regraft compares what was learnt before a time with what came after it: a log needs real times",
    )


def _why(counts: np.ndarray, number: int, asked: int | None, wanted: int, load: str) -> str:
    size = f"{counts.min():,} to {counts.max():,} rows each"
    if number < wanted:
        return f"{load}; {size}; the log has too few different times for {wanted} periods"
    if asked:
        return f"{load}; {size}"
    if number == MOST_PERIODS:
        return f"{load}; {size}; more than {MOST_PERIODS} periods cost more than they tell"
    if number == FEWEST_PERIODS:
        return f"{load}; {size}; with fewer than {FEWEST_PERIODS} periods there is nothing to compare"
    return f"{load}; {size}, enough for an AUC with a standard error of about 0.006"


def block(order: UserOrder, period: np.ndarray) -> Proposal[Block]:
    """W by how much history there is, H so that the fewest events are read per target; `period` is per row."""
    index = order.index[order.rows]
    live = period[order.rows] > 0
    earlier = int(np.quantile(index[live], 0.75)) if live.any() else 0
    context = min(CONTEXT, max(2, earlier))
    read = {h: events_read(order, period, Block(context, h)) for h in BLOCKS}
    best = min(read, key=lambda h: (read[h], h))
    who = f"a quarter of the events have {earlier:,} earlier ones of their user or more"
    who += f", and {CONTEXT} is what published prompts hold" if earlier >= CONTEXT else ""
    reason = f"W: {who}. H: {read[best]:.2f} events are read per target, the fewest of {len(BLOCKS)} lengths tried"
    return Proposal(Block(context, best), reason)


def events_read(order: UserOrder, period: np.ndarray, block: Block) -> float:
    """Events a model reads per target when each period is one pass; rows of period 0 are history only.

    Counts what the block rule reads (prompts/timeline.py) with every label known at once.
    """
    user = np.repeat(np.arange(len(order.start) - 1), np.diff(order.start))
    index, when = order.index[order.rows], period[order.rows]
    keep = when > 0
    user, index, when = user[keep], index[keep], when[keep]
    if not len(index):
        return 0.0
    number = index // block.targets
    last = np.ones(len(index), dtype=bool)  # of its user, period and block
    last[:-1] = (np.diff(user) != 0) | (np.diff(when) != 0) | (np.diff(number) != 0)
    start = np.maximum(number[last] * block.targets - block.context, 0)
    return float((index[last] + 1 - start).sum() / len(index))


def _plain(number: float) -> str:
    """As a label rule can read it, without an exponent: 3, 0.5, 1000000."""
    return np.format_float_positional(number, trim="-")
