"""A difference between two arms by the days since each person's first: a line with its band around zero."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regraft.report.by_day import EDGES, SIZE, TEXT, Drawn, one_at_a_time, plain
from regraft.report.drawing import MARKS, MUTED, canvas, svg

Point = tuple[int, float, float, float]  # days, difference, low, high; NaN where there is no interval
FEW = 15  # points up to which each has a mark


@lru_cache(maxsize=64)
def since(points: tuple[Point, ...], name: str, label: str, axis: str, percent: bool = False) -> Drawn:
    """The level line is no difference; `axis` names the days. `name` must differ between figures of a page."""
    width, height = SIZE[0], SIZE[1] * 1.2
    edges = EDGES._replace(bottom=3.3)
    at, value, low, high = np.array(points, dtype=float).T
    mark = MARKS[0]
    with one_at_a_time, canvas(width, height, TEXT, edges) as (figure, axes):
        axes.axhline(0.0, color=MUTED, lw=1.1)
        axes.fill_between(at, low, high, color=mark.color, alpha=0.16, lw=0)
        axes.plot(at, value, color=mark.color, lw=1.8, marker=mark.marker if len(at) <= FEW else "", ms=4)
        axes.set(xlim=(at[0], max(at[-1], at[0] + 1)), xlabel=axis)
        axes.margins(y=0.08)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{100 * value:.4g} %" if percent else plain(value))
        )
        return Drawn(svg(figure, name, label), edges.left * TEXT / width, 1 - edges.right * TEXT / width)
