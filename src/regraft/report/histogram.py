"""How often a count falls into each of some ranges of equal width: bars on one axis."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator

from regraft.report.by_day import EDGES, SIZE, TEXT, one_at_a_time
from regraft.report.drawing import SERIES, canvas, svg


@lru_cache(maxsize=64)
def histogram(starts: tuple[int, ...], step: int, counts: tuple[int, ...], name: str, label: str, axis: str) -> Markup:
    """Bars from each of `starts`, `step` wide; `axis` says of what. `name` must differ between figures of a page."""
    width, height = SIZE[0], SIZE[1] * 1.2
    with one_at_a_time, canvas(width, height, TEXT, EDGES._replace(bottom=3.3)) as (figure, axes):
        axes.bar(starts, counts, step * 0.94, align="edge", color=SERIES[0])
        axes.set(xlim=(starts[0], starts[-1] + step), xlabel=axis)
        axes.grid(axis="x", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
        return svg(figure, name, label)
