"""The curves of a tuning: AUC over one axis of the grid, and against what it takes. The advised setting is filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from regraft.report.drawing import MARKS, MUTED, PAPER, canvas, svg
from regraft.report.figures import limits

SIZE = (430, 290)  # pixels
FAR = 30  # times the least: then an axis is logarithmic
LEAST = 1e-4  # seconds: where something that took no measurable time stands on a log axis
AXES = ("share", "every", "days")
Row = dict[str, Any]


def curve(
    rows: Sequence[Row], advised: Row, axis: str, by: str, name: str, label: str, ticks: dict[Any, str]
) -> Markup:
    """AUC over the values of `axis`, a line for each value of `by`; what is neither is as advised.

    `ticks` are the words of the axis' values, in their order; `rows` are settings of one contender.
    """
    fixed = [k for k in AXES if k not in (axis, by)]
    shown = [row for row in rows if all(row[k] == advised[k] for k in fixed)]
    places = {value: place for place, value in enumerate(ticks)}
    values = list(dict.fromkeys(row[by] for row in shown))
    with canvas(*SIZE) as (figure, axes):
        for number, value in enumerate(values):
            mine = sorted((row for row in shown if row[by] == value), key=lambda row: places[row[axis]])
            mark, shift = MARKS[number % len(MARKS)], 0.06 * (number - (len(values) - 1) / 2)
            x = [places[row[axis]] + shift for row in mine]
            _line(axes, x, mine, mark)
            _point(axes, advised, mine, x, mark)
        axes.set_xticks(range(len(ticks)), list(ticks.values()))
        axes.set_xlim(-0.4, len(ticks) - 0.6)
        _finish(axes, shown, label)
        return svg(figure, name, label)


def cloud(rows: Sequence[Row], advised: Row, x: str, name: str, label: str) -> Markup:
    """AUC of every setting against what it asks for: `x` is a field of the settings; colours are update frequencies."""
    with canvas(*SIZE) as (figure, axes):
        for number, every in enumerate(sorted({row["every"] for row in rows})):
            mine, mark = [row for row in rows if row["every"] == every], MARKS[number % len(MARKS)]
            at = [max(row[x], LEAST) for row in mine]
            _line(axes, at, mine, mark._replace(dash="none"))
            _point(axes, advised, mine, at, mark)
        taken = [max(row[x], LEAST) for row in rows]
        if max(taken) > FAR * min(taken):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(6))
        _finish(axes, rows, label)
        return svg(figure, name, label)


def forgotten(rows: Sequence[Row], advised: Row, name: str, label: str, ticks: dict[Any, str]) -> Markup:
    """AUC that the last model lost on rows of earlier periods, over the share of replay; all else as advised."""
    shown = sorted(
        (row for row in rows if all(row[k] == advised[k] for k in ("every", "days"))), key=lambda row: row["share"]
    )
    with canvas(*SIZE) as (figure, axes):
        x = np.arange(len(shown))
        lost = [_values(row["forgetting"]) for row in shown]
        axes.axhline(0, color=MUTED, lw=1, ls="--")
        axes.vlines(x, [v[1] for v in lost], [v[2] for v in lost], color=MARKS[0].color, lw=1.4, alpha=0.6)
        axes.plot(x, [v[0] for v in lost], ls="-", marker="o", color=MARKS[0].color, mfc=PAPER, ms=7)
        axes.set_xticks(x, [ticks[row["share"]] for row in shown])
        axes.set(xlabel=label, ylabel="AUC", ylim=limits(np.array(lost)))
        return svg(figure, name, label)


def _line(axes: Any, x: Sequence[float], rows: Sequence[Row], mark: Any) -> None:
    values = np.array([_values(row["auc"]["all"]) for row in rows])
    axes.vlines(x, values[:, 1], values[:, 2], color=mark.color, lw=1.4, alpha=0.5)
    axes.plot(
        x, values[:, 0], ls=mark.dash, marker=mark.marker, ms=7, mfc=PAPER, mec=mark.color, mew=1.5, color=mark.color
    )


def _point(axes: Any, advised: Row, rows: Sequence[Row], x: Sequence[float], mark: Any) -> None:
    """The advised setting, filled."""
    for place, row in zip(x, rows, strict=True):
        if all(row[k] == advised[k] for k in AXES):
            axes.plot(place, row["auc"]["all"]["estimate"], mark.marker, ms=11, color=mark.color, zorder=5)


def _values(one: Row) -> tuple[float, float, float]:
    low, middle, high = (np.nan if one[k] is None else one[k] for k in ("low", "estimate", "high"))
    return middle, low, high


def _finish(axes: Any, rows: Sequence[Row], label: str) -> None:
    axes.set(xlabel=label, ylabel="AUC", ylim=limits(np.array([_values(row["auc"]["all"]) for row in rows])))
    axes.yaxis.set_major_locator(MaxNLocator(6))
