"""Closing one period of a site: all contenders judged on it, then renewed with it, each into a folder of its own.

The same steps as a cell of the arena (views, evaluation rows, strategies.close_period): what was measured there is
what is run here. Whatever is finished is kept in the staging folder, so that a killed update goes on from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from regraft.counted import counted
from regraft.data.stream import Stream
from regraft.files import write_text
from regraft.metrics.binary import auc
from regraft.metrics.estimate import Estimate
from regraft.metrics.online import foresight
from regraft.release.adapter_files import lay_adapter
from regraft.setup.config import ContenderOptions
from regraft.strategies.contender import DESCRIPTION
from regraft.workbench import CONTENDER, Workbench

RENEWED = "renewed.json"
SECONDS_ALL = "seconds_all"  # in the lineage of a version: what making it took, with reading, the base and judging
Served = Mapping[str, Mapping[str, Collection[str]]]  # uids by contender and arm
NOBODY: Served = {}


@dataclass(frozen=True)
class Work:
    """A contender and the version that it goes on from; None for one that is new, or reads another template now."""

    options: ContenderOptions
    version: str | None = None
    parent: Path | None = None  # the folder of its contender
    judged: tuple[ContenderOptions, Path] | None = None  # of one that begins anew: what it was, and its folder


def judge(
    bench: Workbench, work: list[Work], period: int, served: Served = NOBODY
) -> dict[str, dict[str, float]]:  # fmt: skip
    """How well every contender's last version foresaw the whole new period, which none of them has seen.

    By name of the contender: `auc`, `rows`, `liked`, and of each number of metrics.online.foresight NAME, NAME_low,
    NAME_high and NAME_people, where it is a number. Of people whom it `served` in an arm the same again, as ARM:NAME.
    Called before `renew`: a calibration is fitted on these scores, kept as the arena's are.
    """
    cases = bench.stream.cases(period)
    found: dict[str, dict[str, float]] = {}
    for one in work:
        last = one.judged or (one.parent and (one.options, one.parent))
        if last and len(cases):
            scores = bench.of_version(*last).score(cases)
            found[one.options.label] = {
                "auc": _number(auc(cases.labels, scores)), "rows": float(len(cases)),
                "liked": float(cases.labels.sum()), **_told(foresight(cases.labels, scores, cases.users)),
                **_by_arm(cases, scores, served.get(one.options.label, {})),
            }  # fmt: skip
    return found


def _by_arm(cases: Stream, scores: np.ndarray, people: Mapping[str, Collection[str]]) -> dict[str, float]:
    """The numbers of each arm's own people, as ARM:NAME."""
    found: dict[str, float] = {}
    for arm, uids in people.items():
        own = np.isin(cases.users, np.flatnonzero(cases.user_ids.is_in(list(uids))))
        if own.any():
            told = _flat(foresight(cases.labels[own], scores[own], cases.users[own]))
            found |= {f"{arm}:{name}": number for name, number in told.items()}
    return found


def renew(
    bench: Workbench, work: list[Work], period: int, staging: Path, tell: Callable[[str], object]
) -> dict[str, dict[str, Any]]:
    """Renews every contender with the period and saves it under staging/LABEL; gives what each took."""
    past = bench.past(period)
    found = {}
    for one in work:
        label, place = one.options.label, staging / one.options.label
        done = place / RENEWED
        if done.is_file():
            found[label] = json.loads(done.read_text())
            continue
        tell(f"{label} learns from {len(past):,} examples of {counted(period, 'periods')}")
        began = perf_counter()
        contender = bench.new(one.options) if one.parent is None else bench.of_version(one.options, one.parent)
        renewal = contender.renew(past)
        contender.save(place / CONTENDER)
        lay_adapter(place)
        found[label] = {
            "cost": renewal.cost.as_dict(), "notes": list(renewal.notes), "seconds": perf_counter() - began,
            "examples": len(past), "people": len(np.unique(past.users)),
            "side": asdict(bench.side) if bench.side else None,
        }  # fmt: skip
        write_text(done, json.dumps(found[label]))
    return found


def with_whole(
    took: Mapping[str, Mapping[str, Any]], own: Mapping[str, float], elapsed: float
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """What each took, and SECONDS_ALL: of the `elapsed` seconds at one bench all that no other's `own` ones were.

    After a kill finished work is not waited for again: never less than its own seconds.
    """
    busy = sum(own.values())
    return {label: {**one, SECONDS_ALL: max(own[label], elapsed - busy + own[label])} for label, one in took.items()}


def contender_in(folder: Path) -> bool:
    """Whether a folder holds a contender that was saved whole."""
    return (folder / DESCRIPTION).is_file()


def _told(found: Mapping[str, Estimate]) -> dict[str, float]:
    """The numbers but the AUC, which the gate wants of rows with one label, too."""
    return {name: number for name, number in _flat(found).items() if name != "auc"}


def _flat(found: Mapping[str, Estimate]) -> dict[str, float]:
    """Numbers alone: NaN is not JSON."""
    flat = {
        name + ending: float(number)
        for name, one in found.items()
        for ending, number in zip(("", "_low", "_high", "_people"), one, strict=True)
    }
    return {name: number for name, number in flat.items() if np.isfinite(number)}


def _number(value: float) -> float:
    """NaN is not JSON: the AUC of rows with one label is told as 0.5, a coin's."""
    return 0.5 if np.isnan(value) else float(value)
