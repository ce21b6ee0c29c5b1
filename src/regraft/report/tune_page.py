"""The page of a tuning: advice first, then curves and the table it rests on. No script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from regraft.files import write_text
from regraft.report import tune_figures
from regraft.report.drawing import MARKS
from regraft.report.figures import swatch
from regraft.report.tune_words import TuneWords, sentences

TEMPLATE = "tune.html.jinja"


def write_page(found: dict[str, Any], path: Path, lang: str = "en") -> Path:
    """Writes the page of what a tune.json holds."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    w = TuneWords(lang)
    page = environment.get_template(TEMPLATE).render(
        w=w, lang=lang, found=found, sentences=sentences(found, lang), contenders=list(_contenders(found, w)),
        priced=found["price_per_hour"] > 0,
    )  # fmt: skip
    write_text(path, page)
    return path


def _contenders(found: dict[str, Any], w: TuneWords) -> Iterator[dict[str, Any]]:
    """Advice, settings and figures of each contender that has an advice."""
    for number, advice in enumerate(found["advice"]):
        rows = [row for row in found["settings"] if row["contender"] == advice["contender"]]
        gaps = {part: {_key(c): c["gap"] for c in advice["against_best"][part]} for part in ("earlier", "later")}
        table = [
            row | {"earlier": gaps["earlier"][_key(row)], "later": gaps["later"][_key(row)],
                   "advised": _key(row) == _key(advice["advised"])}
            for row in rows
        ]  # fmt: skip
        every = sorted({row["every"] for row in rows})
        names = [w.frequency(k) for k in every]
        legend = [(n, swatch(MARKS[i % len(MARKS)], f"key-{number}-{i}", n)) for i, n in enumerate(names)]
        yield {
            "advice": advice,
            "rows": table,
            "legend": legend,
            "figures": _figures(rows, advice["advised"], number, w),
        }


def _key(setting: dict[str, Any]) -> tuple[Any, ...]:
    return setting["share"], setting["every"], setting["days"]


def _figures(rows: list[dict[str, Any]], advised: dict[str, Any], number: int, w: TuneWords) -> list[Markup]:
    days = sorted({row["days"] for row in rows}, key=lambda d: float("inf") if d == "all" else d)
    ticks = {d: w.tune("all") if d == "all" else str(d) for d in days}
    drawn = [
        tune_figures.curve(rows, advised, "days", "every", f"days-{number}", w.tune("axis days"), ticks),
        tune_figures.cloud(rows, advised, "persons_exposed", f"people-{number}", w.tune("axis persons")),
        tune_figures.cloud(rows, advised, "seconds_per_period", f"cost-{number}", w.tune("axis seconds")),
    ]
    shares = {row["share"]: f"{row['share']:g}" for row in rows if row["share"] is not None}
    if len(shares) > 1:
        axis = w.tune("axis share")
        drawn.append(tune_figures.curve(rows, advised, "share", "every", f"share-{number}", axis, shares))
        drawn.append(tune_figures.forgotten(rows, advised, f"lost-{number}", w.tune("axis lost"), shares))
    return drawn
