"""One offline `report.html` of a run: verdict first, then what it rests on. No script, nothing fetched."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from regraft.files import write_text
from regraft.metrics.intervals import FEW_USERS, Interval
from regraft.output_paths import MARK
from regraft.report import figures, ladder_figure, panels
from regraft.report.drawing import far_out
from regraft.report.list_tables import page_rows
from regraft.report.measures import GROUPS
from regraft.report.report_words import Words
from regraft.report.results import Results
from regraft.report.standings import Standing, Summary
from regraft.report.summary import summarise
from regraft.report.verdict import verdict

TEMPLATE = "report.html.jinja"
PAGE_MARK = f"{MARK}|<p class=.over.>regraft"  # stands in every report, the second in older ones
MOST_NOTES = 40  # lines of notes that are shown


def write_report(
    results: Results | Path | str,
    out: Path | str,
    lang: str = "en",
    *,
    summary: Summary | None = None,
    n_resamples: int = 1000,
    brief: bool = False,
) -> Path:
    """Writes the report and returns its path: `out`, or `report.html` inside `out` if that is a folder.

    `lang` is "en" or "ja". Pass `summary` to write several reports from one computation. A `brief` one has all
    numbers and the ladder, without the other figures, which take most of the time.
    """
    if not isinstance(results, Results):
        results = Results.load(results)
    summary = summary or summarise(results, n_resamples)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(context(results, summary, Words(lang), brief))
    out = Path(out)
    if out.is_dir():
        out = out / "report.html"
    write_text(out, page)
    return out


def context(results: Results, summary: Summary, words: Words, brief: bool = False) -> dict[str, Any]:
    """What the template is given: numbers, words and finished figures."""
    return {
        "w": words,
        "lang": words.lang,
        "summary": summary,
        "run": results.run,
        "sentences": verdict(summary, words.lang),
        "status": f"can rank {_status(summary)}",
        "baseline": summary.best_baseline,
        "full": summary.used("full-retrain"),
        "served_rung": summary.served.rung if summary.served and summary.few_users() is None else None,
        "bars": _bars(summary),
        "brief": f"regraft arena report {shlex.quote(str(results.folder))}" if brief else None,
        "figures": _figures(summary, words, brief),
        "period_rows": _by_contender(summary.periods, "period"),
        "cell_rows": _by_contender(summary.cells, "update", "period"),
        "tested": sorted(summary.cells["period"].unique().to_list()),
        "group_rows": _group_rows(summary),
        "group_kinds": list(GROUPS),
        "few_users": FEW_USERS,
        "stream_facts": _stream_facts(results, words),
        "cuts": _cuts(results),
        "notes": _notes(results),
        "list_rows": page_rows(summary, words),
        "config": json.dumps(results.run.get("config"), indent=1, ensure_ascii=False),
    }


def _status(summary: Summary) -> str:
    if summary.can_rank is None:
        return summary.why_unknown
    return "yes" if summary.can_rank else "no"


def _bars(summary: Summary) -> dict[str, Any]:
    """Where to draw each AUC and its interval, in percent of the width, on one scale.

    Contenders far below the others are `off` it.
    """
    drawn = {s.name: _drawn(s.auc) for s in summary.compared if np.isfinite(s.auc.estimate)}
    shown = list(drawn.values())
    if not shown:
        return {"low": 0.0, "high": 1.0, "of": {}, "baseline": None}
    floor = far_out([auc.estimate for auc in shown])
    low = min(auc.low for auc in shown if auc.estimate >= floor)
    high = max(auc.high for auc in shown)
    span = (high - low) or 0.01

    def place(value: float) -> float:
        return round(4 + 92 * max(value - low, 0.0) / span, 2)

    def bar(auc: Interval) -> dict[str, float | bool]:
        off = auc.estimate < floor
        return {"at": place(auc.estimate), "low": place(auc.low), "high": place(auc.high), "off": off}

    best = summary.best_baseline
    return {
        "low": low,
        "high": high,
        "of": {name: bar(auc) for name, auc in drawn.items()},
        "baseline": place(best.auc.estimate) if best else None,
    }


def _drawn(auc: Interval) -> Interval:
    """As it is drawn: without an interval a point alone."""
    return auc if np.isfinite(auc.low) else auc._replace(low=auc.estimate, high=auc.estimate)


def _figures(summary: Summary, words: Words, brief: bool) -> dict[str, Any]:
    """Every figure; those of the whole page as (wide, narrow), None where there is nothing to draw.

    A brief page has the ladder alone.
    """

    def both(draw: Callable[[Summary, Words, bool], Markup], when: bool) -> tuple[Markup, Markup] | None:
        return (draw(summary, words, True), draw(summary, words, False)) if when else None

    def each(draw: Callable[[Summary, Standing, Words], Markup], frame: pl.DataFrame) -> dict[str, Markup]:
        present = set(frame["contender"]) if frame.height and not brief else set()
        return {s.name: draw(summary, s, words) for s in summary.standings if s.name in present}

    def legend(prefix: str) -> list[tuple[Standing, Markup]]:
        label = words("figure swatch")
        return [(s, figures.swatch(mark, f"{prefix}-{s.rank}", label)) for s, mark in key]

    key = figures.key_contenders(summary)
    late = any(point.n_lost and point.k for standing, _ in key for point in standing.staleness)
    groups = summary.groups
    full = groups.filter(pl.col("n") > 0).select("kind", "group").unique() if groups.height else groups
    return {
        "key": legend("swatch"),
        "key_late": legend("late"),
        "ladder": both(ladder_figure.ladder, len(ladder_figure.points(summary, words)) > 1),
        "periods": both(figures.over_periods, bool(summary.standings) and not brief),
        "period": each(panels.period_panel, summary.periods),
        "heat": each(panels.heat_panel, summary.cells),
        "heat_scale": panels.heat_scale(summary, words) if summary.cells.height and not brief else None,
        "staleness": both(figures.staleness, late and not brief),
        "cost": both(figures.quality_and_cost, bool(figures.priced(summary)) and not brief),
        "memory": both(figures.forgetting_and_learning, bool(figures.remembering(summary)) and not brief),
        "group": {
            (row["kind"], row["group"]): panels.group_panel(summary, row["kind"], row["group"], words)
            for row in full.iter_rows(named=True)
            if not brief
        },
        "calibration": each(panels.calibration_panel, summary.curves),
    }


def _by_contender(frame: pl.DataFrame, *keys: str) -> dict[Any, Any]:
    """Rows of a frame, nested by contender and then by the keys."""
    nested: dict[Any, Any] = {}
    for row in frame.iter_rows(named=True):
        place = nested.setdefault(row["contender"], {})
        for key in keys[:-1]:
            place = place.setdefault(row[key], {})
        place[row[keys[-1]]] = row
    return nested


def _group_rows(summary: Summary) -> dict[str, dict[str, dict[str, Any]]]:
    """By kind and group, in their order: facts of the group, and its row of each compared contender."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    compared = {s.name for s in summary.compared}
    for row in summary.groups.iter_rows(named=True):
        if row["contender"] not in compared:
            continue
        group = found.setdefault(row["kind"], {}).setdefault(row["group"], {**row, "of": {}})
        group["of"][row["contender"]] = row
    for groups in found.values():
        for group in groups.values():
            values = [row["auc"] for row in group["of"].values() if np.isfinite(row["auc"])]
            group["best"] = max(values, default=None)
    return found


def _stream_facts(results: Results, words: Words) -> list[tuple[str, str]]:
    run, stream = results.run, results.run["stream"]
    base, template = run.get("base"), run.get("template")
    timeline = run.get("timeline")
    base_line = words("none")
    if base:
        size = words.count(float(base.get("parameters") or float("nan")))
        said = [base.get("path"), base.get("objective"), size, *(base.get(k) for k in ("original", "dtype", "hash"))]
        base_line = " · ".join(str(fact) for fact in said if fact)
    return [
        (words("stream"), str(stream.get("describe", "–"))),
        (words("information"), str(stream.get("information", "–"))),
        (words("regime"), str(stream.get("regime", "–"))),
        (words("share"), words.percent(float(stream.get("share", float("nan"))))),
        (words("base model"), base_line),
        (words("template"), f"{template['name']} · {template['hash']}" if template else words("none")),
        (words("timeline"), " + ".join(map(str, timeline)) if timeline else "–"),
        (words("seeds"), ", ".join(map(str, run["seeds"]))),
        (words("updates"), words.span(run["updates"])),
        (words("scored periods"), words.span(run["scored_periods"])),
        (words("created"), str(run.get("created", "–"))),
    ]


def _cuts(results: Results) -> list[tuple[int, str, str]]:
    """(period, first moment, first moment after it)"""

    def day(milliseconds: float) -> str:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"

    cuts = results.run["stream"].get("cuts") or []
    return [(i, day(a), day(b)) for i, (a, b) in enumerate(pairwise(cuts), start=1)]


def _notes(results: Results) -> list[dict[str, Any]]:
    """What updates had to say, such as that the old model was kept."""
    said = results.costs.filter(pl.col("notes").fill_null("") != "").sort("contender", "seed", "update")
    return said.select("contender", "seed", "update", "notes").head(MOST_NOTES).to_dicts()
