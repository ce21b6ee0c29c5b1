"""The ladder as a picture: what each rung's best contender costs per 1,000 requests, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from regraft.report.drawing import BASELINE, INK, LABELLED, LLM, MUTED, PAPER, canvas, spread, svg
from regraft.report.report_words import Words
from regraft.report.standings import Summary

WIDE, NARROW = (920, 380), (350, 320)  # pixels
LEAST = 1e-3  # seconds: where something that took no measurable time stands
FAR = 2.0  # times the span of the others: how far below them a point is drawn where it is
LETTER = 0.62  # width of a letter, in font sizes


class Colours(NamedTuple):
    """What is drawn in which colour; by default those of the page's theme."""

    ink: str = INK
    muted: str = MUTED
    paper: str = PAPER
    llm: str = LLM
    baseline: str = BASELINE


class Point(NamedTuple):
    """One rung's best contender; `served`: the last rung that pays."""

    label: str
    classical: bool
    cost: float  # CPU seconds per 1,000 requests
    worth: float  # AUC or NDCG
    low: float  # NaN without an interval
    high: float
    served: bool


def points(summary: Summary, words: Words) -> list[Point]:
    """The rungs whose costs are known, from the lowest to the highest."""
    served = summary.served.rung if summary.served and summary.few_users() is None else ""
    return [
        Point(words.rung(s.rung), s.classical, s.best.cpu_per_1000, *worth[:3], s.rung == served)
        for s in summary.ladder
        if np.isfinite(s.best.cpu_per_1000) and (worth := summary.worth(s.best))
    ]


def ladder(summary: Summary, words: Words, wide: bool) -> Markup:
    """The figure of the report."""
    width, height, size = (*WIDE, 13) if wide else (*NARROW, 11)
    with canvas(width, height, size, LABELLED._replace(right=1.6, top=1.0)) as (figure, axes):
        draw_ladder(axes, points(summary, words), size)
        axes.set(xlabel=words("cpu per 1,000"), ylabel=summary.measure)
        return svg(figure, f"ladder-{width}", words("figure ladder", measure=summary.measure))


def draw_ladder(axes: Any, shown: Sequence[Point], size: float, colours: Colours | None = None) -> None:
    """Draws onto axes whose size is final: labels are placed in pixels. Circles: a language model, squares: none."""
    own = colours or Colours()
    cost = np.array([max(p.cost, LEAST) for p in shown])
    floor = _floor(shown)
    auc = np.array([max(p.worth, floor) for p in shown])
    axes.set_xscale("log")
    axes.plot(cost, auc, color=own.muted, lw=1, ls=":", zorder=1)
    for x, y, p in zip(cost, auc, shown, strict=True):
        color = own.baseline if p.classical else own.llm
        if p.worth == y:
            axes.plot([x, x], [p.low, p.high], color=color, lw=1.6, alpha=0.6, zorder=2)
        axes.plot(
            x, y, marker="s" if p.classical else "o", ms=12 if p.served else 7, ls="none", mew=1.6, mec=color,
            mfc=color if p.served else own.paper, zorder=4,
        )  # fmt: skip
    axes.set_xlim(cost.min() / 4, cost.max() * 4)
    ends = np.array([[p.worth, p.low, p.high] for p in shown if p.worth >= floor])
    low, high = np.nanmin(ends), np.nanmax(ends)
    air = 0.18 * (high - low) or 0.01
    axes.set_ylim(low - air, high + air)
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{'≤ ' if value == cost.min() == LEAST else ''}{value:g}")
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    named = [p.label if p.worth >= floor else f"{p.label} ▾ {p.worth:.2f}" for p in shown]
    _labels(axes, np.column_stack([cost, auc]), named, [p.served for p in shown], size, own)


def _floor(shown: Sequence[Point]) -> float:
    """Where the axis ends for points so far below the others that they would flatten them: they stand on its edge."""
    rest = sorted(shown, key=lambda p: p.worth)
    while len(rest) > 2 and rest[1].worth - rest[0].worth > FAR * (rest[-1].worth - rest[1].worth):
        rest = rest[1:]
    return float(np.nanmin([[p.worth, p.low] for p in rest])) if len(rest) < len(shown) else -np.inf


def _labels(
    axes: Any, at: np.ndarray, names: Sequence[str], served: Sequence[bool], size: float, own: Colours
) -> None:  # fmt: skip
    """The name of each rung beside its point, not on its interval; names of points at about one cost stand apart."""
    frame = axes.get_window_extent()
    unit = size * axes.get_figure().dpi / 72  # pixels of a letter's height
    pixels = axes.transData.transform(at)
    width = max(map(len, names)) * LETTER * unit
    order = np.argsort(pixels[:, 0], kind="stable")
    starts = np.flatnonzero(np.diff(pixels[order, 0], prepend=-np.inf) > width)
    for together in np.split(order, starts[1:]):
        heights = spread(pixels[together, 1], 1.5 * unit, frame.y0 + unit, frame.y1 - unit)
        right = pixels[together, 0].max() + width + 2 * unit <= frame.x1
        x = pixels[together, 0].max() + 1.2 * unit if right else pixels[together, 0].min() - 1.2 * unit
        for number, y in zip(together, heights, strict=True):
            axes.annotate(
                names[number], at[number], axes.transData.inverted().transform((x, y)), va="center", color=own.ink,
                ha="left" if right else "right", weight="bold" if served[number] else "normal", zorder=5,
                bbox={"facecolor": own.paper, "edgecolor": "none", "pad": 1.0},  # the line between rungs stays behind
                arrowprops={"arrowstyle": "-", "color": own.muted, "lw": 0.8, "shrinkA": 1, "shrinkB": 5},
            )  # fmt: skip
