"""A measure day by day, with its interval and the days on which a version went live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regraft.report.drawing import MARKS, MUTED, Edges, canvas, svg

SIZE = (440, 190)  # pixels: two or three side by side on a laptop, one on a phone
EDGES = Edges(left=5.2, right=1.8, bottom=2.2, top=0.8)
TEXT = 12
LONG = 200  # days from which an axis has months instead of days
AIR = 0.02  # share of the axis that is left free at either end
one_at_a_time = Lock()  # matplotlib's settings belong to the whole process


class Day(NamedTuple):
    """A value with its interval; NaN where there is none."""

    day: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


class Line(NamedTuple):
    """The days of one arm, oldest first."""

    name: str
    days: tuple[Day, ...]


class Drawn(NamedTuple):
    """A figure, and where its first and last day stand, as shares of its width."""

    svg: Markup
    left: float
    right: float


@lru_cache(maxsize=512)
def by_day(
    lines: tuple[Line, ...], live: tuple[str, ...], name: str, label: str, percent: bool = False,
    first: str = "", last: str = "", across: tuple[float, ...] = (),
) -> Drawn:  # fmt: skip
    """Lines with bands; a tick below for every day of `live`. The axis goes from `first` to `last`, where given.

    `across`: values that are marked by a level line, such as 0.
    `name` must differ between figures of a page, `label` says to a screen reader what is drawn.
    """
    days = [point.day for line in lines for point in line.days]
    begin, end = place(first or min(days)), place(last or max(days))
    end = max(end, begin + 1)
    edges = EDGES._replace(left=max(EDGES.left, 0.62 * _widest(lines, percent) + 0.9))
    with one_at_a_time, canvas(*SIZE, TEXT, edges) as (figure, axes):
        for line, mark in zip(lines, MARKS, strict=False):
            at = [place(point.day) for point in line.days]
            value, low, high = (np.array([point[k] for point in line.days], dtype=float) for k in (1, 2, 3))
            if len(at) > 1:
                axes.fill_between(at, low, high, color=mark.color, alpha=0.16, lw=0)
            else:  # a band of one day has no width
                axes.vlines(at, low, high, color=mark.color, alpha=0.35, lw=4)
            axes.plot(
                at, value, ls=mark.dash, color=mark.color, lw=1.8, marker=mark.marker if len(at) < 35 else "", ms=4
            )
        axes.set_xlim(begin - AIR * (end - begin), end + AIR * (end - begin))
        _ticks(axes, [place(day) for day in live], begin, end)
        for level, dash in zip(across, ("-", "--"), strict=False):
            axes.axhline(level, color=MUTED, lw=1.1, ls=dash)
        _date_axis(axes, begin, end)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if percent else plain(value))
        )
        bottom, top = axes.get_ylim()
        if top - bottom < 1e-6 * abs(top):  # all the same: rounding is no news
            axes.set_ylim(bottom - 0.1 * abs(bottom), top + 0.1 * abs(top))
        left, right = edges.left * TEXT / SIZE[0], 1 - edges.right * TEXT / SIZE[0]
        air = (right - left) * AIR / (1 + 2 * AIR)
        return Drawn(svg(figure, name, label), round(left + air, 4), round(right - air, 4))


def place(day: str) -> int:
    """Where a day stands on the axis."""
    return date.fromisoformat(day).toordinal()


def _widest(lines: tuple[Line, ...], percent: bool) -> int:
    """Letters of the longest number that the axis may bear: small money has many digits."""
    if percent:
        return 0
    ends = [value for line in lines for point in line.days for value in point[1:] if np.isfinite(value)]
    return max((len(plain(value, 2)) for value in (min(ends, default=0.0), max(ends, default=0.0))), default=0)


def _ticks(axes: Any, at: Sequence[int], begin: int, end: int) -> None:
    """Short lines from below, as one drawing; on a long axis at most one a week, counted from its end."""
    shown = sorted({one for one in at if begin <= one <= end})
    if end - begin > LONG:
        shown = sorted({end - (end - one) // 7 * 7 for one in shown})
    across = np.array([[one, one, np.nan] for one in shown]).ravel()
    along = np.array([[0.0, 0.07, np.nan] for _ in shown]).ravel()
    axes.plot(across, along, color=MUTED, lw=1.2, transform=axes.get_xaxis_transform(), scaley=False, scalex=False)


def plain(value: float, digits: int = 4) -> str:
    """0.000027 or 12,300: so many digits that count, and no power of ten."""
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return str(np.format_float_positional(value, precision=digits, fractional=False, trim="-"))


def share_of(day: str, days: Sequence[str]) -> float:
    """Where a day stands between the first and the last of these, 0 to 1."""
    begin, end = place(days[0]), place(days[-1])
    return (place(day) - begin) / max(end - begin, 1)


def _date_axis(axes: Any, begin: int, end: int) -> None:
    """Four or five dates: days while the axis is short, months on a long one."""
    long = end - begin > LONG
    step = max(1, round((end - begin) / 4))
    at = [begin + k * step for k in range(5) if begin + k * step <= end]
    words = [f"{date.fromordinal(one):%Y-%m}" if long else f"{date.fromordinal(one):%m-%d}" for one in at]
    axes.set_xticks(at, words)
