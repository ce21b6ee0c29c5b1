"""The figures of the report. Contenders carry the number of their place in the leaderboard, never their name:
a number fits everywhere, in every language, and tells contenders apart without colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.colors import Normalize
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from regraft.arena.drawing import (
    BASELINE,
    GRID,
    INK,
    LLM,
    MARKS,
    MUTED,
    PAPER,
    Mark,
    canvas,
    labels_apart,
    spread,
    svg,
)
from regraft.arena.report_words import Words
from regraft.arena.standings import Standing, Summary

WIDE, NARROW = (760, 360), (350, 300)  # pixels
PANEL = (280, 170)
CHEAPEST = 1e-3  # seconds: where something that took no measurable time stands on a log axis
AUC_MAP = "cividis"  # the same for people with and without colour blindness


def _size(wide: bool) -> tuple[int, int, int]:
    return (*WIDE, 12) if wide else (*NARROW, 11)


def _color(standing: Standing) -> str:
    return LLM if standing.is_llm else BASELINE


def _point(axes: Any, x: float, y: float, standing: Standing, size: float = 7) -> None:
    """Filled circle: LLM contender; hollow square: baseline."""
    face = LLM if standing.is_llm else PAPER
    axes.plot(
        x,
        y,
        marker="o" if standing.is_llm else "s",
        ms=size,
        mfc=face,
        mec=_color(standing),
        mew=1.6,
        ls="none",
        zorder=4,
    )


def _limits(*columns: np.ndarray) -> tuple[float, float]:
    """What an axis must show, with a little air."""
    values = np.concatenate([np.asarray(column, dtype=float).ravel() for column in columns])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    air = 0.06 * (values.max() - values.min()) or 0.01
    return float(values.min() - air), float(values.max() + air)


def _whole_numbers(axis: Any, most: int = 10) -> None:
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
    with canvas(40, 14) as (figure, axes):
        axes.axis("off")
        axes.plot([0, 1, 2], [0, 0, 0], ls=mark.dash, color=mark.color, lw=2)
        axes.plot(1, 0, mark.marker, color=mark.color, ms=6)
        return svg(figure, name, label)


def over_periods(summary: Summary, words: Words, wide: bool) -> Markup:
    """AUC on each test period: the key contenders with bands, everybody else as thin lines."""
    width, height, size = _size(wide)
    key = key_contenders(summary)
    with canvas(width, height, size) as (figure, axes):
        named = {standing.name for standing, _ in key}
        for standing in summary.standings:
            if standing.name not in named:
                rows = _of(summary.periods, standing)
                axes.plot(rows["period"], rows["auc"], color=MUTED, lw=0.9, alpha=0.55)
        ends = []
        for standing, mark in key:
            rows = _of(summary.periods, standing)
            axes.fill_between(rows["period"], rows["low"], rows["high"], color=mark.color, alpha=0.13, lw=0)
            axes.plot(
                rows["period"], rows["auc"], ls=mark.dash, marker=mark.marker, ms=5, color=mark.color, lw=1.9
            )
            ends.append((standing.rank, rows["period"][-1], rows["auc"][-1], mark.color))
        low, high = _limits(*(summary.periods[name].to_numpy() for name in ("auc", "low", "high")))
        axes.set(xlabel=words("tested period"), ylabel="AUC", ylim=(low, high))
        _whole_numbers(axes.xaxis, 20 if wide else 8)
        places = spread([end[2] for end in ends], (high - low) * 1.15 * size / height, low, high)
        for (rank, period, value, color), place in zip(ends, places, strict=True):
            axes.annotate(
                str(rank),
                (period, value),
                (axes.get_xlim()[1], place),
                va="center",
                color=color,
                weight="bold",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6},
            )
        return svg(figure, f"periods-{width}", words("figure periods"))


def period_panel(summary: Summary, standing: Standing, words: Words) -> Markup:
    """One contender's AUC by period with its band, in front of everybody else's."""
    with canvas(*PANEL, 11) as (figure, axes):
        for other in summary.standings:
            rows = _of(summary.periods, other)
            axes.plot(rows["period"], rows["auc"], color=MUTED, lw=0.6, alpha=0.35)
        rows, color = _of(summary.periods, standing), _color(standing)
        axes.fill_between(rows["period"], rows["low"], rows["high"], color=color, alpha=0.2, lw=0)
        axes.plot(rows["period"], rows["auc"], color=color, lw=2, ls="-" if standing.is_llm else "--")
        for period, value in zip(rows["period"], rows["auc"], strict=True):
            _point(axes, period, value, standing, 4)
        axes.set_ylim(_limits(*(summary.periods[name].to_numpy() for name in ("auc", "low", "high"))))
        _whole_numbers(axes.xaxis, 6)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        return svg(figure, f"period-{standing.rank}", f"{words('figure periods')} {standing.rank}")


def heat_range(summary: Summary) -> tuple[float, float]:
    """The scale that all heat maps share: the middle 96 % of the cells, so that one odd cell does not rule."""
    values = summary.cells["auc"].to_numpy() if summary.cells.height else np.empty(0)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.quantile(values, [0.02, 0.98])
    return (float(low), float(high)) if high > low else (float(low) - 0.01, float(high) + 0.01)


def heat_panel(summary: Summary, standing: Standing, words: Words) -> Markup:
    """AUC of the model after each update (rows) on each period (columns); a dot marks the prequential cell."""
    cells = _of(summary.cells, standing)
    everything = summary.cells.filter(pl.col("auc").is_finite())
    with canvas(PANEL[0], 185, 11) as (figure, axes):
        axes.grid(False)
        periods = np.arange(everything["period"].min(), int(str(everything["period"].max())) + 1)
        updates = np.arange(everything["update"].min(), int(str(everything["update"].max())) + 1)
        table = np.full((len(updates), len(periods)), np.nan)
        table[cells["update"].to_numpy() - updates[0], cells["period"].to_numpy() - periods[0]] = cells["auc"]
        axes.pcolormesh(
            np.append(periods, periods[-1] + 1) - 0.5,
            np.append(updates, updates[-1] + 1) - 0.5,
            np.ma.masked_invalid(table),
            cmap=AUC_MAP,
            norm=Normalize(*heat_range(summary)),
        )
        done = cells.filter(pl.col("period") == pl.col("update") + 1)
        axes.plot(done["period"], done["update"], "o", ms=3, mfc="white", mec="black", mew=0.7)
        axes.set(xlabel=words("tested period"), ylabel=words("after update"))
        axes.set_xlim(periods[0] - 0.5, periods[-1] + 0.5)
        axes.set_ylim(updates[-1] + 0.5, updates[0] - 0.5)
        _whole_numbers(axes.xaxis, 7)
        _whole_numbers(axes.yaxis, 5)
        return svg(figure, f"heat-{standing.rank}", f"{words('figure heat')} {standing.rank}")


def heat_scale(summary: Summary, words: Words) -> Markup:
    """The colours of the heat maps."""
    low, high = heat_range(summary)
    with canvas(320, 46, 11) as (figure, axes):
        axes.grid(False)
        edges = np.linspace(low, high, 25)
        axes.pcolormesh(edges, [0, 1], (edges[None, 1:] + edges[None, :-1]) / 2, cmap=AUC_MAP)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlim(low, high)
        return svg(figure, "heat-scale", words("figure heat scale"))


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
        _whole_numbers(axes.xaxis)
        return svg(figure, f"staleness-{width}", words("figure staleness"))


def quality_and_cost(summary: Summary, words: Words, wide: bool) -> Markup:
    """AUC against CPU time per update (log), with the line of what nothing cheaper reaches."""
    width, height, size = _size(wide)
    shown = [s for s in summary.compared if s.spent and np.isfinite(s.auc.estimate)]
    at = [max(s.spent.cpu_per_update, CHEAPEST) if s.spent else CHEAPEST for s in shown]
    with canvas(width, height + 20, size) as (figure, axes):
        axes.set_xscale("log")
        front = pareto(at, [s.auc.estimate for s in shown])
        steps = [(at[i], shown[i].auc.estimate) for i in front]
        if steps:
            axes.step(*zip(*[*steps, (max(at), steps[-1][1])], strict=True), where="post", color=INK, lw=1, ls=":")
        for x, s in zip(at, shown, strict=True):
            axes.plot([x, x], [s.auc.low, s.auc.high], color=_color(s), lw=1.3, alpha=0.55)
            _point(axes, x, s.auc.estimate, s)
        axes.set(xlabel=words("cpu per update"), ylabel="AUC")
        axes.set_xlim(min(at) / 1.8, max(at) * 1.8)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(_limits(np.array([s.auc[:3] for s in shown])))
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


def forgetting_and_learning(summary: Summary, words: Words, wide: bool) -> Markup:
    """Forgetting (up: more) against learning accuracy (right: better)."""
    width, height, size = _size(wide)
    shown = [s for s in summary.compared if s.forgetting.n and s.learning.n]
    points = np.array([[s.learning.value, s.forgetting.value] for s in shown])
    with canvas(width, height + 20, size) as (figure, axes):
        for (x, y), standing in zip(points, shown, strict=True):
            _point(axes, x, y, standing)
        axes.set(xlabel=words("learning axis"), ylabel=words("forgetting axis"))
        axes.set_xlim(_limits(points[:, 0]))
        low, high = _limits(points[:, 1], np.zeros(1))
        axes.set_ylim(high, low)  # turned round: the best corner is at the top right
        axes.xaxis.set_major_locator(MaxNLocator(8 if wide else 5))
        _numbered(figure, axes, points, shown, size)
        return svg(figure, f"memory-{width}", words("figure memory"))


def group_panel(summary: Summary, kind: str, group: str, words: Words) -> Markup:
    """AUC of every compared contender inside one group of test rows, with intervals."""
    rows = summary.groups.filter(pl.col("kind") == kind, pl.col("group") == group)
    values = {row["contender"]: row for row in rows.iter_rows(named=True)}
    with canvas(PANEL[0], 48 + 15 * len(summary.compared), 11) as (figure, axes):
        for place, standing in enumerate(summary.compared):
            row = values[standing.name]
            axes.plot([row["low"], row["high"]], [place, place], color=_color(standing), lw=1.6, alpha=0.6)
            _point(axes, row["auc"], place, standing, 5)
        axes.set_yticks(range(len(summary.compared)), [str(s.rank) for s in summary.compared])
        axes.set_ylim(len(summary.compared) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        return svg(figure, f"group-{kind}-{group.replace('+', '-')}", words("figure group"))


def calibration_panel(summary: Summary, standing: Standing, words: Words) -> Markup:
    """Predicted probability against the share that came true, in bins of equally many rows."""
    rows = _of(summary.curves, standing)
    with canvas(220, 210, 11) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls="--")
        axes.plot(rows["predicted"], rows["observed"], color=_color(standing), lw=1.6)
        for x, y in zip(rows["predicted"], rows["observed"], strict=True):
            _point(axes, x, y, standing, 4)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=words("predicted"), ylabel=words("came true"))
        axes.set_xticks([0, 0.5, 1])
        axes.set_yticks([0, 0.5, 1])
        return svg(figure, f"calibration-{standing.rank}", f"{words('figure calibration')} {standing.rank}")


def _of(frame: pl.DataFrame, standing: Standing) -> pl.DataFrame:
    return frame.filter(pl.col("contender") == standing.name)


def _numbered(figure: Any, axes: Any, points: np.ndarray, standings: Sequence[Standing], size: float) -> None:
    """Writes each contender's number beside its point, with a thread where it had to move away."""
    if not len(points):
        return
    figure.canvas.draw()  # the layout must stand before places are known
    frame = axes.get_window_extent()
    pixels = axes.transData.transform(points)
    centres = labels_apart(pixels, (size * 1.5, size * 1.25), (frame.x0, frame.y0, frame.x1, frame.y1))
    for (x, y), centre, pixel, standing in zip(points, centres, pixels, standings, strict=True):
        far = np.hypot(*(centre - pixel)) > 16
        axes.annotate(
            str(standing.rank),
            (x, y),
            axes.transData.inverted().transform(centre),
            ha="center",
            va="center",
            weight="bold",
            color=INK,
            zorder=5,
            arrowprops={"arrowstyle": "-", "color": GRID, "lw": 0.9, "shrinkA": 6, "shrinkB": 4} if far else None,
        )
