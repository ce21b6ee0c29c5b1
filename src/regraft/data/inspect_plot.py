"""The picture of a log: load, newcomers and history lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from regraft.data.inspect import Inspection
from regraft.errors import ConfigError
from regraft.files import whole
from regraft.output_paths import MARK

FORMATS = (".svg", ".png", ".pdf")
METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": MARK},
    "png": {"Software": MARK},
    "pdf": {"Creator": MARK, "CreationDate": None},
}
INK, LIKED, OTHER, ITEMS = "#1f2933", "#2a78b5", "#b9cfe0", "#d9822b"


def checked(path: Path) -> Path:
    """The path; ConfigError unless the ending of its name is that of a format."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"plot '{path}'", f"ends with '{path.suffix}'", "a name ending in " + ", ".join(FORMATS))
    return path


def plot(found: Inspection, path: Path) -> Path:
    """Writes the picture; the ending of the name says in which format."""
    checked(path)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "text.color": INK}
    style |= {"axes.edgecolor": INK, "axes.labelcolor": INK, "svg.hashsalt": "regraft", "font.family": "sans-serif"}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
        _load(axes[0], found)
        _newcomers(axes[1], found)
        _histories(axes[2], found)
        ending = path.suffix.lower().removeprefix(".")
        whole(path, lambda part: figure.savefig(part, format=ending, dpi=120, metadata=METADATA[ending]))
        pyplot.close(figure)
    return path


def _load(axis: Any, found: Inspection) -> None:
    table = found.table.filter(found.table["period"] > 0)
    period, rows = table["period"].to_numpy(), table["rows"].to_numpy()
    liked = rows * np.nan_to_num(table["liked"].to_numpy())
    implicit = found.label.value == "implicit"
    axis.bar(period, rows, width=0.8, color=LIKED if implicit else OTHER, label="all rows")
    if not implicit:
        axis.bar(period, liked, width=0.8, color=LIKED, label=f"liked ({found.label.value})")
    _titled(axis, "Events per period", "period", "events")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)
    _whole_periods(axis, period)


def _newcomers(axis: Any, found: Inspection) -> None:
    table = found.table.filter(found.table["period"] > 0)
    period = table["period"].to_numpy()
    axis.plot(period, 100 * table["new_users"].to_numpy(), "o-", ms=3.5, color=LIKED, label="of active users")
    axis.plot(period, 100 * table["new_items"].to_numpy(), "s-", ms=3.5, color=ITEMS, label="of active items")
    axis.set_ylim(bottom=0)
    _titled(axis, "Not seen before the period", "period", "per cent")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)
    _whole_periods(axis, period)


def _histories(axis: Any, found: Inspection) -> None:
    """Share of users with at least so many events: no bins, so nothing depends on where they are cut."""
    lengths = np.sort(found.per_user)
    events, first = np.unique(lengths, return_index=True)
    share = 100 * (1 - first / len(lengths))
    axis.step(np.append(1, events), np.append(100, share), where="pre", color=LIKED)
    axis.set_xscale("log")
    axis.set_ylim(0, 103)
    top = int(lengths[-1])
    marks = [mark for e in range(7) for mark in (10**e, 3 * 10**e) if mark <= top]
    axis.set_xticks(marks, [f"{mark:,}" for mark in marks])  # plain numbers: 10^1 is for mathematicians
    axis.set_xticks([], minor=True)
    middle = int(np.quantile(lengths, 0.5, method="lower"))
    at = float(share[np.searchsorted(events, middle)])
    axis.plot([middle], [at], "o", color=LIKED)
    axis.annotate(f"  half have {middle:,} or more", (middle, at), va="bottom")
    _titled(axis, "Events per user", "at least so many events", "per cent of users")


def _titled(axis: Any, title: str, x: str, y: str) -> None:
    axis.set_title(title, loc="left", fontweight="bold")
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")


def _whole_periods(axis: Any, period: np.ndarray) -> None:
    step = max(1, -(-len(period) // 12))
    axis.set_xticks(period[::step])
