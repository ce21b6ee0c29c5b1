"""The small figures of the report, one per contender or group, which the page lays side by side."""

from __future__ import annotations

import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from regraft.report.drawing import MUTED, Edges, canvas, svg
from regraft.report.figures import background, color, period_limits, point, rows_of, whole_numbers
from regraft.report.report_words import Words
from regraft.report.standings import Standing, Summary

PANEL = (280, 170)  # pixels
AUC_MAP = "cividis"  # the same for people with and without colour blindness


def period_panel(summary: Summary, standing: Standing, words: Words) -> Markup:
    """One contender's AUC by period with its band, in front of everybody else's."""
    with canvas(*PANEL, 11, Edges(4.0)) as (figure, axes):
        background(axes, summary, summary.standings, 0.6)
        rows, own = rows_of(summary.periods, standing), color(standing)
        axes.fill_between(rows["period"], rows["low"], rows["high"], color=own, alpha=0.2, lw=0)
        axes.plot(rows["period"], rows["auc"], color=own, lw=2, ls="-" if standing.is_llm else "--")
        for period, value in zip(rows["period"], rows["auc"], strict=True):
            point(axes, period, value, standing, 4)
        axes.set_ylim(period_limits(summary, [standing]))
        whole_numbers(axes.xaxis, 6)
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
    cells = rows_of(summary.cells, standing)
    everything = summary.cells
    with canvas(PANEL[0], 185, 11, Edges(3.8, bottom=3.3)) as (figure, axes):
        axes.grid(False)
        periods, updates = (_whole_range(everything[name].to_numpy()) for name in ("period", "update"))
        table = np.full((len(updates), len(periods)), np.nan)
        table[cells["update"].to_numpy() - updates[0], cells["period"].to_numpy() - periods[0]] = cells["auc"]
        axes.pcolormesh(
            np.append(periods, periods[-1] + 1) - 0.5,
            np.append(updates, updates[-1] + 1) - 0.5,
            np.ma.masked_invalid(table),
            cmap=AUC_MAP,
            norm=Normalize(*heat_range(summary)),
            clip_on=False,
        )
        done = cells.filter(pl.col("period") == pl.col("update") + 1)
        axes.plot(done["period"], done["update"], "o", ms=3, mfc="white", mec="black", mew=0.7)
        axes.set(xlabel=words("tested period"), ylabel=words("after update"))
        axes.set_xlim(periods[0] - 0.5, periods[-1] + 0.5)
        axes.set_ylim(updates[-1] + 0.5, updates[0] - 0.5)
        whole_numbers(axes.xaxis, 7)
        whole_numbers(axes.yaxis, 5)
        return svg(figure, f"heat-{standing.rank}", f"{words('figure heat')} {standing.rank}")


def _whole_range(values: np.ndarray) -> np.ndarray:
    return np.arange(values.min(), values.max() + 1)


def heat_scale(summary: Summary, words: Words) -> Markup:
    """The colours of the heat maps."""
    low, high = heat_range(summary)
    with canvas(320, 46, 11, Edges(1.5, 1.5, 2.0, 0.2)) as (figure, axes):
        axes.grid(False)
        edges = np.linspace(low, high, 25)
        axes.pcolormesh(edges, [0, 1], (edges[None, 1:] + edges[None, :-1]) / 2, cmap=AUC_MAP, clip_on=False)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlim(low, high)
        return svg(figure, "heat-scale", words("figure heat scale"))


def group_panel(summary: Summary, kind: str, group: str, words: Words) -> Markup:
    """AUC of every compared contender inside one group of test rows, with intervals."""
    rows = summary.groups.filter(pl.col("kind") == kind, pl.col("group") == group)
    values = {row["contender"]: row for row in rows.iter_rows(named=True)}
    with canvas(PANEL[0], 28 + 15 * len(summary.compared), 11, Edges(2.4, 1.5)) as (figure, axes):
        for place, standing in enumerate(summary.compared):
            row = values[standing.name]
            axes.plot([row["low"], row["high"]], [place, place], color=color(standing), lw=1.6, alpha=0.6)
            point(axes, row["auc"], place, standing, 5)
        axes.set_yticks(range(len(summary.compared)), [str(s.rank) for s in summary.compared])
        axes.set_ylim(len(summary.compared) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        return svg(figure, f"group-{kind}-{group.replace('+', '-')}", words("figure group"))


def calibration_panel(summary: Summary, standing: Standing, words: Words) -> Markup:
    """Predicted probability against the share that came true, in bins of equally many rows."""
    rows = rows_of(summary.curves, standing)
    with canvas(220, 210, 11, Edges(4.4, bottom=3.3)) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls="--")
        axes.plot(rows["predicted"], rows["observed"], color=color(standing), lw=1.6)
        for x, y in zip(rows["predicted"], rows["observed"], strict=True):
            point(axes, x, y, standing, 4)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=words("predicted"), ylabel=words("came true"))
        axes.set_xticks([0, 0.5, 1])
        axes.set_yticks([0, 0.5, 1])
        return svg(figure, f"calibration-{standing.rank}", f"{words('figure calibration')} {standing.rank}")
