"""matplotlib figures as SVG for a page: real text, colours of the page's theme, no identifier twice.

A figure is drawn in pixels of the page. Colours that depend on the theme (light, dark, print) are drawn as
stand-ins and become CSS variables; everything that matplotlib adds around the drawing is taken off.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

GEOMETRY = {"d", "x", "y", "width", "height", "transform"}
FONT = re.compile(r"font-family:[^;]*;?")
LONG = re.compile(r"-?\d+\.\d{3,}")
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
INK, MUTED, GRID, PAPER, LLM, BASELINE = ("#010101", "#010102", "#010103", "#010104", "#010105", "#010106")
SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115")
THEME = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    LLM: "var(--llm)",
    BASELINE: "var(--baseline)",
    **{color: f"var(--series-{number})" for number, color in enumerate(SERIES, start=1)},
}
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 12,
    "font.family": ["DejaVu Sans"],  # for measuring; the page sets its own
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 12,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": "none",
    "text.parse_math": False,
    "axes.unicode_minus": False,
}


class Mark(NamedTuple):
    """How a series is drawn, apart from colour: colour alone says nothing to many people."""

    color: str
    dash: str
    marker: str


MARKS = (
    Mark(SERIES[0], "-", "o"),
    Mark(SERIES[1], "--", "s"),
    Mark(SERIES[2], "-.", "^"),
    Mark(SERIES[3], ":", "D"),
    Mark(SERIES[4], (0, (6, 1, 1, 1, 1, 1)), "v"),  # type: ignore[arg-type]
)


class Edges(NamedTuple):
    """Room around the axes, in letters wide (left, right) and lines high (bottom, top)."""

    left: float = 4.2
    right: float = 0.8
    bottom: float = 2.0
    top: float = 0.5


LABELLED = Edges(left=5.6, bottom=3.3)  # both axes have a name


@contextmanager
def canvas(width: float, height: float, size: float = 12, edges: Edges = LABELLED) -> Iterator[tuple[Figure, Any]]:
    """A figure of so many pixels with one pair of axes; `size` is that of its text."""
    with mpl.rc_context({**STYLE, "font.size": size, "axes.labelsize": size}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's browser has the letters
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasSVG(figure)
        left, right, bottom, top = (number * size for number in edges)
        box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
        yield figure, figure.add_axes(box)


def svg(figure: Figure, name: str, label: str) -> Markup:
    """The drawing as one <svg> element. `name` must differ between figures of a page."""
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ET.fromstring(buffer.getvalue())
    _cleaned(root, name)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    box = root.attrib["viewBox"].split()
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("width", f"{float(box[2]):.0f}")
    text = ET.tostring(root, encoding="unicode")
    for stand_in, variable in THEME.items():
        text = text.replace(stand_in, variable)
    return Markup(text)


def _cleaned(root: ET.Element, name: str) -> None:
    """Without namespaces, metadata and style sheets; only identifiers that are used, made unique by `name`."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("metadata") or child.tag == f"{SVG}style":
                parent.remove(child)
    text = ET.tostring(root, encoding="unicode")
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        own = element.attrib.pop("id", None)
        if own and f"#{own}" in text:
            element.set("id", f"{name}-{own}")
        target = element.attrib.pop(LINK, None)
        if target:
            element.set("href", f"#{name}-{target.removeprefix('#')}")
        for rule in FONT.sub("", element.attrib.pop("style", "")).split(";"):  # a strict page allows no inline style
            key, colon, value = rule.partition(":")
            if colon:
                element.set(key.strip(), value.strip())
        if element.attrib.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        for key in GEOMETRY & element.attrib.keys():  # a hundredth of a pixel is enough
            short = LONG.sub(lambda number: f"{float(number[0]):.2f}", element.attrib[key])
            element.set(key, " ".join(short.split()))
        element.tail = None
        if element.text and not element.text.strip():
            element.text = None
        clip = element.attrib.get("clip-path", "")
        if clip.startswith("url(#"):
            element.set("clip-path", f"url(#{name}-{clip.removeprefix('url(#')}")


def far_out(values: Sequence[float]) -> float:
    """Below this, a value is so far from the others that it would flatten them on a common scale.

    Three times what the upper half or the middle half of the values spans, whichever is more, below the
    middle half.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return -np.inf
    first, middle, third = np.quantile(finite, [0.25, 0.5, 0.75])
    span = max(third - first, finite.max() - middle)
    return float(first - 3 * span) if span > 0 else -np.inf


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Places as near as possible to the wanted ones, in their order, `gap` apart, between low and high."""
    order = np.argsort(wanted, kind="stable")
    places = np.clip(np.asarray(wanted, dtype=float)[order], low, high)
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    for _ in range(200):
        short = gap - np.diff(places)
        if not (short > 1e-6).any():
            break
        push = np.maximum(short, 0) / 2
        places[:-1] -= push
        places[1:] += push
        places = np.clip(places, low, high)
    found = np.empty(len(places))
    found[order] = places
    return found


def labels_apart(
    points: np.ndarray, box: tuple[float, float], frame: tuple[float, float, float, float], reach: float = 13
) -> np.ndarray:
    """Centres of one label per point [n, 2] in pixels, off the points and off each other, inside the frame.

    Every label tries places on growing circles around its point, those with few neighbours last, and takes
    the first one that is free and nearest to its own point; where there is none, the one with the least
    overlap. frame: left, bottom, right, top.
    """
    width, height = box
    left, bottom, right, top = frame
    crowd = [np.hypot(*(points - point).T).clip(max=80).sum() for point in points]
    centres = np.full(points.shape, np.nan)
    for index in np.argsort(crowd, kind="stable"):
        best, best_cost = points[index], np.inf
        for ring, turn in itertools.product(range(6), range(16)):
            angle = np.pi / 4 + turn * np.pi / 8
            place = points[index] + reach * (1 + 0.7 * ring) * np.array([np.cos(angle), np.sin(angle)])
            inside = left + width / 2 <= place[0] <= right - width / 2 and (
                bottom + height / 2 <= place[1] <= top - height / 2
            )
            if not inside:
                continue
            placed = centres[~np.isnan(centres[:, 0])]
            cost = _overlap(place, placed, width, height) + _overlap(place, points, width * 0.85, height * 0.9)
            nearest = np.hypot(*(np.delete(points, index, axis=0) - place).T).min(initial=np.inf)
            cost += max(0.0, 1.3 * np.hypot(*(place - points[index])) - nearest) * height
            if cost < best_cost:
                best, best_cost = place, cost
            if not cost:
                break
        centres[index] = best
    return centres


def _overlap(place: np.ndarray, others: np.ndarray, width: float, height: float) -> float:
    """Area, roughly, that a box at `place` shares with boxes at the other places."""
    if not len(others):
        return 0.0
    apart = np.abs(others - place)
    return float((np.maximum(width - apart[:, 0], 0) * np.maximum(height - apart[:, 1], 0)).sum())
