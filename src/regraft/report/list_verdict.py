"""The sentences about ranked lists: on a log without dislikes they come before everything said of AUC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regraft.metrics.intervals import FEW_USERS, Interval
from regraft.report.report_words import Words

if TYPE_CHECKING:
    from regraft.report.standings import Summary


def list_sentences(summary: Summary, words: Words) -> list[str]:
    """Who ranks best among the same candidates, who cannot be told from it, and what AUC is measured against."""
    said = _best(summary, words) if summary.lists is not None else []
    return [*said, words("lists sampler", negatives=summary.negatives)] if summary.negatives else said


def _best(summary: Summary, words: Words) -> list[str]:
    lists = summary.lists
    assert lists is not None
    order = lists.ordered()
    if not order:
        return []
    best = lists.places[order[0]]["retrieved"]
    values = {
        "k": lists.k, "candidates": lists.candidates, "name": order[0], "ndcg": _shown(words, best.ndcg),
        "n": f"{best.ndcg.n:,}", "found": words.percent(lists.found), "retriever": lists.retriever,
    }  # fmt: skip
    said = [words("lists best", **values)]
    gaps = {name: lists.minus(order[0], name) for name in order[1:]}
    near = [name for name, gap in gaps.items() if not gap.low > 0]
    if gaps:
        said.append(words("lists shared", names=words.listed(near)) if near else words("lists alone"))
    every = {name: place["all"].ndcg for name, place in lists.places.items() if "all" in place}
    if every:
        name = max(every, key=lambda one: every[one].estimate)
        said.append(words("lists all", name=name, ndcg=_shown(words, every[name]), n=f"{every[name].n:,}", k=lists.k))
    return said


def _shown(words: Words, interval: Interval) -> str:
    few = interval.low != interval.low
    band = words("lists few", needed=FEW_USERS) if few else words.interval(interval.low, interval.high)
    return f"{interval.estimate:.4f} {band}"
