"""The verdict of the ladder in sentences: what to serve, why, what each rung costs, where a higher one pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regraft.metrics.intervals import FEW_USERS
from regraft.report.ladder import Step, higher
from regraft.report.report_words import Words

if TYPE_CHECKING:
    from regraft.report.standings import Paired, Summary


def ladder_sentences(summary: Summary, words: Words) -> list[str]:
    """The answer first; nothing where no contender has an AUC."""
    serves = summary.served
    if serves is None:
        return []
    return [
        *_answer(summary, serves, words),
        *_why(summary, serves, words),
        *_costs(summary, words),
        *_elsewhere(summary, words),
    ]


def _answer(summary: Summary, serves: Step, words: Words) -> list[str]:
    values = {"name": serves.best.name, "rung": words.rung(serves.rung)}
    if (few := summary.few_users()) is not None:
        answer = words("serve_few_users", **values, n=few, needed=FEW_USERS)
    elif len(summary.ladder) == 1:
        answer = words("serve_only", **values)
    else:
        answer = words("serve_classical" if serves.classical else "serve_llm", **values)
    if summary.finished:
        return [words("advice", answer=answer)]
    return [words("advice_so_far", answer=answer, done=summary.cells_done, planned=summary.cells_planned)]


def _why(summary: Summary, serves: Step, words: Words) -> list[str]:
    """The gain of the rung that is served, and what the rungs above it reach."""
    if summary.few_users() is not None:
        return []
    said = []
    if serves.below is not None and serves.paired is not None:
        values = {"name": serves.best.name, "rung": words.rung(serves.rung), "below": serves.below.name}
        said.append(words("ladder_gain", measure=summary.measure, **values, **_gap(words, serves.paired)))
    above = [
        words("ladder_step", name=step.best.name, rung=words.rung(step.rung), **_gap(words, step.paired))
        for step in higher(summary.ladder)
        if step.paired is not None
    ]
    return [*said, words("ladder_higher", steps=words.listed(above))] if above else said


def _gap(words: Words, paired: Paired) -> dict[str, str]:
    gap = paired.difference
    return {"gap": f"{gap.estimate:+.4f}", "interval": words.interval(gap.low, gap.high, signed=True)}


def _costs(summary: Summary, words: Words) -> list[str]:
    priced = [
        words(
            "ladder_price", name=step.best.name, update=words.seconds(step.best.spent.cpu_per_update),
            requests=words.seconds(step.best.cpu_per_1000),
        )
        for step in summary.ladder
        if step.best.spent and np.isfinite(step.best.spent.cpu_per_update)
    ]  # fmt: skip
    return [words("ladder_cost", prices=words.listed(priced))] if len(priced) > 1 else []


def _elsewhere(summary: Summary, words: Words) -> list[str]:
    """Groups where a rung pays that does not on average; that there is none is said where groups were compared."""
    if summary.few_users() is not None or not higher(summary.ladder) or summary.judged_by != "auc":
        return []
    found = [
        words(
            "ladder_place", name=place.step.best.name, rung=words.rung(place.step.rung),
            group=words(f"on {place.kind}", group=place.group), gap=f"{place.difference.estimate:+.4f}",
            interval=words.interval(place.difference.low, place.difference.high, signed=True),
            n=f"{place.difference.n:,}",
        )
        for place in summary.elsewhere
    ]  # fmt: skip
    return [words("ladder_elsewhere", places=words.listed(found)) if found else words("ladder_nowhere")]
