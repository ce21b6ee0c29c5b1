"""A share of people by the days since each person's first: a step curve with its band, one per arm."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.ticker import FuncFormatter, MaxNLocator

from regraft.report.by_day import EDGES, SIZE, TEXT, Drawn, one_at_a_time
from regraft.report.drawing import MARKS, canvas, svg

Point = tuple[int, float, float, float]  # days, share, low, high


@lru_cache(maxsize=64)
def by_age(curves: tuple[tuple[str, tuple[Point, ...]], ...], name: str, label: str, axis: str) -> Drawn:
    """The curves of all arms on one pair of axes from 0 to 100 %; `axis` names the days."""
    width, height = SIZE[0], SIZE[1] * 1.2
    edges = EDGES._replace(bottom=3.3)
    longest = max(point[0] for _, points in curves for point in points)
    with one_at_a_time, canvas(width, height, TEXT, edges) as (figure, axes):
        for (_, points), mark in zip(curves, MARKS, strict=False):
            at, share, low, high = zip(*points, strict=True)
            axes.fill_between(at, low, high, step="post", color=mark.color, alpha=0.16, lw=0)
            axes.step(at, share, where="post", ls=mark.dash, color=mark.color, lw=1.8)
        axes.set(xlim=(0, max(longest, 1)), ylim=(0, 1.02), xlabel=axis)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        return Drawn(svg(figure, name, label), edges.left * TEXT / width, 1 - edges.right * TEXT / width)
