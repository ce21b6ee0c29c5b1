"""The large figures of the report. Contenders carry the number of their place in the leaderboard, never their name:
a number fits everywhere, in every language, and tells contenders apart without colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from regraft.report.drawing import (
    BASELINE,
    INK,
    LABELLED,
    LLM,
    MARKS,
    MUTED,
    PAPER,
    Edges,
    Mark,
    canvas,
    far_out,
    labels_apart,
    spread,
    svg,
)
from regraft.report.report_words import Words
from regraft.report.standings import Standing, Summary

WIDE, NARROW = (920, 390), (350, 300)  # pixels
PANEL = (280, 170)
CHEAPEST = 1e-3  # seconds: where something that took no measurable time stands on a log axis
AUC_MAP = "cividis"  # the same for people with and without colour blindness


def _size(wide: bool) -> tuple[int, int, int]:
    return (*WIDE, 13) if wide else (*NARROW, 11)


def color(standing: Standing) -> str:
    return LLM if standing.is_llm else BASELINE


def point(axes: Any, x: float, y: float, standing: Standing, size: float = 7) -> None:
    """Filled circle: LLM contender; hollow square: baseline."""
    face = LLM if standing.is_llm else PAPER
    axes.plot(
        x,
        y,
        marker="o" if standing.is_llm else "s",
        ms=size,
        mfc=face,
        mec=color(standing),
        mew=1.6,
        ls="none",
        zorder=4,
    )


def limits(*columns: np.ndarray) -> tuple[float, float]:
    """What an axis must show, with a little air."""
    values = np.concatenate([np.asarray(column, dtype=float).ravel() for column in columns])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    air = 0.06 * (values.max() - values.min()) or 0.01
    return float(values.min() - air), float(values.max() + air)


def whole_numbers(axis: Any, most: int = 10) -> None:
    axis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))


def key_contenders(summary: Summary) -> list[tuple[Standing, Mark]]:
    """The few whose lines are drawn with bands: best LLM, best baseline, full-retrain, never, best by UAUC."""
    wanted = [summary.best_llm, summary.best_baseline, summary.used("full-retrain"), summary.used("never")]
    wanted.append(summary.best("uauc"))
    found: dict[str, Standing] = {s.name: s for s in wanted if s is not None}
    if not found:
        found = {s.name: s for s in summary.standings[:3]}
    return list(zip(found.values(), MARKS, strict=False))


def swatch(mark: Mark, name: str, label: str) -> Markup:
    """A piece of a line, for a legend."""
    with canvas(40, 14, edges=Edges(0.2, 0.2, 0, 0)) as (figure, axes):
        axes.axis("off")
        axes.plot([0, 1, 2], [0, 0, 0], ls=mark.dash, color=mark.color, lw=2)
        axes.plot(1, 0, mark.marker, color=mark.color, ms=6)
        return svg(figure, name, label)


def over_periods(summary: Summary, words: Words, wide: bool) -> Markup:
    """AUC on each test period: the key contenders with bands, everybody else as thin lines."""
    width, height, size = _size(wide)
    key = key_contenders(summary)
    with canvas(width, height, size, LABELLED._replace(right=2.6)) as (figure, axes):
        named = {standing.name for standing, _ in key}
        background(axes, summary, [s for s in summary.standings if s.name not in named], 0.9)
        ends = []
        for standing, mark in key:
            rows = rows_of(summary.periods, standing)
            axes.fill_between(rows["period"], rows["low"], rows["high"], color=mark.color, alpha=0.13, lw=0)
            axes.plot(rows["period"], rows["auc"], ls=mark.dash, marker=mark.marker, ms=5, color=mark.color, lw=1.9)
            measured = rows.filter(pl.col("auc").is_finite())
            if measured.height:
                ends.append((standing.rank, *measured.select("period", "auc").row(-1), mark.color))
        low, high = period_limits(summary, [standing for standing, _ in key])
        axes.set(xlabel=words("tested period"), ylabel="AUC", ylim=(low, high))
        whole_numbers(axes.xaxis, 20 if wide else 8)
        places = spread([end[2] for end in ends], (high - low) * 1.15 * size / height, low, high)
        for (rank, period, value, color), place in zip(ends, places, strict=True):
            axes.annotate(
                str(rank),
                (period, value),
                (axes.get_xlim()[1], place),
                ha="left",
                va="center",
                color=color,
                weight="bold",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6},
            )
        return svg(figure, f"periods-{width}", words("figure periods"))


def period_limits(summary: Summary, shown: Sequence[Standing]) -> tuple[float, float]:
    """Everybody's AUC by period, but of those far below the others only where they are `shown`."""
    floor = far_out([s.auc.estimate for s in summary.standings])
    near = {s.name for s in [*summary.standings, *shown] if s.auc.estimate >= floor} | {s.name for s in shown}
    rows = summary.periods.filter(pl.col("contender").is_in(near))
    return limits(*(rows[name].to_numpy() for name in ("auc", "low", "high")))


def background(axes: Any, summary: Summary, standings: Sequence[Standing], width: float) -> None:
    """Lines that are only there to be compared with, as one broken line."""
    pieces = [rows_of(summary.periods, s).select("period", "auc").to_numpy() for s in standings]
    gap = np.full((1, 2), np.nan)
    if pieces:
        line = np.concatenate([part for piece in pieces for part in (piece, gap)])
        axes.plot(line[:, 0], line[:, 1], color=MUTED, lw=width, alpha=0.5)


def staleness(summary: Summary, words: Words, wide: bool) -> Markup:
    """AUC lost on the same periods by serving a model k periods too long; key contenders."""
    width, height, size = _size(wide)
    with canvas(width, height - 60, size) as (figure, axes):
        axes.axhline(0, color=MUTED, lw=1)
        for standing, mark in key_contenders(summary):
            points = [point for point in standing.staleness if point.n_lost]
            axes.plot(
                [p.k for p in points],
                [p.lost for p in points],
                ls=mark.dash,
                marker=mark.marker,
                ms=5,
                lw=1.9,
                color=mark.color,
            )
        axes.set(xlabel=words("periods late"), ylabel=words("auc lost"))
        whole_numbers(axes.xaxis)
        return svg(figure, f"staleness-{width}", words("figure staleness"))


def quality_and_cost(summary: Summary, words: Words, wide: bool) -> Markup:
    """AUC against CPU time per update (log), with the line of what nothing cheaper reaches."""
    width, height, size = _size(wide)
    shown = priced(summary)
    at = [max(s.spent.cpu_per_update, CHEAPEST) if s.spent else CHEAPEST for s in shown]
    with canvas(width, height + 20, size) as (figure, axes):
        axes.set_xscale("log")
        front = pareto(at, [s.auc.estimate for s in shown])
        steps = [(at[i], shown[i].auc.estimate) for i in front]
        if steps:
            axes.step(*zip(*[*steps, (max(at), steps[-1][1])], strict=True), where="post", color=INK, lw=1, ls=":")
        for x, s in zip(at, shown, strict=True):
            axes.plot([x, x], [s.auc.low, s.auc.high], color=color(s), lw=1.3, alpha=0.55)
            point(axes, x, s.auc.estimate, s)
        axes.set(xlabel=words("cpu per update"), ylabel="AUC")
        axes.set_xlim(min(at) / 1.8, max(at) * 1.8)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:g}" if value > CHEAPEST else f"≤ {CHEAPEST:g}")
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(limits(np.array([s.auc[:3] for s in shown])))
        _numbered(figure, axes, np.column_stack([at, [s.auc.estimate for s in shown]]), shown, size)
        return svg(figure, f"cost-{width}", words("figure cost"))


def pareto(cost: Sequence[float], quality: Sequence[float]) -> list[int]:
    """Those that nothing cheaper (or as cheap) equals, in order of cost."""
    best, front = -np.inf, []
    for index in sorted(range(len(cost)), key=lambda i: (cost[i], -quality[i])):
        if quality[index] > best:
            best = quality[index]
            front.append(index)
    return front


def remembering(summary: Summary) -> list[Standing]:
    """Those whose learning and forgetting were measured."""
    return [s for s in summary.compared if s.forgetting.n and s.learning.n]


def priced(summary: Summary) -> list[Standing]:
    """Those with a cost and a quality."""
    return [s for s in summary.compared if s.spent and np.isfinite([s.spent.cpu_per_update, s.auc.estimate]).all()]


def forgetting_and_learning(summary: Summary, words: Words, wide: bool) -> Markup:
    """Forgetting (up: more) against learning accuracy (right: better)."""
    width, height, size = _size(wide)
    shown = remembering(summary)
    points = np.array([[s.learning.value, s.forgetting.value] for s in shown])
    with canvas(width, height + 20, size) as (figure, axes):
        for (x, y), standing in zip(points, shown, strict=True):
            point(axes, x, y, standing)
        axes.set(xlabel=words("learning axis"), ylabel=words("forgetting axis"))
        axes.set_xlim(limits(points[:, 0]))
        low, high = limits(points[:, 1], np.zeros(1))
        axes.set_ylim(high, low)  # turned round: the best corner is at the top right
        axes.xaxis.set_major_locator(MaxNLocator(8 if wide else 5))
        _numbered(figure, axes, points, shown, size)
        return svg(figure, f"memory-{width}", words("figure memory"))


def rows_of(frame: pl.DataFrame, standing: Standing) -> pl.DataFrame:
    return frame.filter(pl.col("contender") == standing.name)


def _numbered(figure: Any, axes: Any, points: np.ndarray, standings: Sequence[Standing], size: float) -> None:
    """Writes each contender's number beside its point, with a thread where it could be taken for another's."""
    if not len(points):
        return
    frame = axes.get_window_extent()
    pixels = axes.transData.transform(points)
    centres = labels_apart(pixels, (size * 1.8, size * 1.25), (frame.x0, frame.y0, frame.x1, frame.y1))
    for (x, y), centre, pixel, standing in zip(points, centres, pixels, standings, strict=True):
        near = np.hypot(*(pixels - centre).T).min(initial=np.inf, where=(pixels != pixel).any(axis=1))
        unclear = np.hypot(*(centre - pixel)) > 16 or near < 30
        axes.annotate(
            str(standing.rank),
            (x, y),
            axes.transData.inverted().transform(centre),
            ha="center",
            va="center",
            weight="bold",
            color=INK,
            zorder=5,
            arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.8, "shrinkA": 5, "shrinkB": 3} if unclear else None,
        )
