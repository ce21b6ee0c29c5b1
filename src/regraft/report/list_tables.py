"""What ranked lists add to the leaderboard: columns of the CSV file and the Markdown table, rows of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regraft.report.lists import AMONG, Place

if TYPE_CHECKING:
    from regraft.metrics.intervals import Interval
    from regraft.report.report_words import Words
    from regraft.report.standings import Summary


def listed(summary: Summary, name: str) -> dict[str, Any]:
    """Columns of one contender in the CSV file: ndcg, recall and mrr with intervals and n; empty: not ranked so."""
    if summary.lists is None:
        return {}
    row: dict[str, Any] = {}
    for among in AMONG:
        place = summary.lists.places.get(name, {}).get(among)
        row[f"requests_{among}"] = place.ndcg.n if place else None
        for measure in Place._fields:
            interval = getattr(place, measure) if place else None
            label = f"{measure}_{summary.lists.k}_{among}"
            row[label] = interval.estimate if interval else None
            row |= {f"{label}_{end}": getattr(interval, end) if interval else None for end in ("low", "high")}
    return row | {"retriever_recall": summary.lists.found, "negatives": summary.negatives or None}


def list_head(summary: Summary) -> list[str]:
    """Heads of the columns of the Markdown table."""
    if summary.lists is None:
        return []
    k, n = summary.lists.k, summary.lists.candidates
    return [f"NDCG@{k} of {n}", f"recall@{k} of {n}", f"MRR@{k} of {n}", "requests", f"NDCG@{k} of all", "requests"]


def list_cells(summary: Summary, name: str) -> list[str]:
    """The cells of one contender under `list_head`."""
    if summary.lists is None:
        return []
    place = summary.lists.places.get(name, {})
    few, every = place.get("retrieved"), place.get("all")
    return [
        *([_number(few.ndcg), _number(few.recall), _number(few.mrr), f"{few.ndcg.n:,}"] if few else [""] * 4),
        *([_number(every.ndcg), f"{every.ndcg.n:,}"] if every else [""] * 2),
    ]


def list_note(summary: Summary) -> str:
    """What is to be known of the sampler and of the lists, for the line below the Markdown table."""
    note = f" {summary.negatives[0].upper()}{summary.negatives[1:]}." if summary.negatives else ""
    if (lists := summary.lists) is not None:
        note += (
            f" Lists: of {lists.candidates}: reranking what one retriever ({lists.retriever}) found, {lists.found:.1%} "
            "of the wanted items; of all: every item on offer. What is not in a list has rank infinity."
        )
    return note


def page_rows(summary: Summary, words: Words) -> list[tuple[str, list[str]]]:
    """(contender, cells) of the page's table, best NDCG among the retrieved first."""
    if summary.lists is None:
        return []
    rows = []
    for name in summary.lists.ordered():
        cells = []
        for among in AMONG:
            place = summary.lists.places[name].get(among)
            shown = [getattr(place, m) for m in Place._fields] if place else [None] * len(Place._fields)
            cells += [f"{words.number(i.estimate)} {words.interval(i.low, i.high)}" if i else "–" for i in shown]
            cells.append(f"{place.ndcg.n:,}" if place else "–")
        rows.append((name, cells))
    return rows


def _number(interval: Interval) -> str:
    band = f" [{interval.low:.4f}, {interval.high:.4f}]" if interval.low == interval.low else ""
    return f"{interval.estimate:.4f}{band}"
