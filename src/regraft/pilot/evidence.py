"""What a pilot shows: its people as of the last closed day, the analysis, the verdict, and whether it is healthy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from regraft.data.assign import COMPARED, CONTROL, TREATMENT
from regraft.data.labels import LabelRule
from regraft.data.sides import Side, arms_since, contaminated, seen_from
from regraft.errors import StateError
from regraft.pilot.analyse import Analysis, analyse, by_exposure
from regraft.pilot.sample_ratio import SampleRatio, sample_ratio
from regraft.pilot.terms import Terms
from regraft.pilot.verdict import Verdict, verdict
from regraft.pilot.windows import DAY, by_day, exposed, labelled, people, seen_in_both
from regraft.setup.site import Site
from regraft.state import pilots, versions
from regraft.state.database import transaction
from regraft.state.pilots import Pilot
from regraft.state.versions import Version

BEFORE = 28 * DAY  # of rows before a pilot: covariates and segments come from them
EVEN = 0.02  # by which so many examples may differ: one in ten is kept back by chance


@dataclass(frozen=True)
class Evidence:
    """A pilot as of `until` (ms), the end of the last closed day or of the pilot."""

    pilot: Pilot
    terms: Terms
    until: int
    people: pl.DataFrame  # whose window ended: the frame of regraft.pilot.people
    days: pl.DataFrame  # the same people on each day of their windows: pilot.windows.by_day
    entered: Mapping[str, int]  # people by arm, those who are still followed too
    in_both: int  # seen in both arms, and left out
    versions: Mapping[str, tuple[str, ...]]  # by arm: what really served it, oldest first
    fallen_back: int  # lists of the treatment that the control's version served
    contaminated: float  # share of the rows since it began, as the control learns from them, by the treatment's people
    learnt: Mapping[str, int]  # examples that the newest version of each arm learnt from; no arm before its first

    @property
    def analysis(self) -> Analysis:
        """Of those who were followed to the end; the split is that of everybody who entered."""
        assert self.pilot.begun is not None
        open_for = (self.until - self.pilot.begun) / DAY - self.terms.plan.window_days
        return analyse(self.people, self.terms.plan, self._arms, max(0.0, open_for))

    @property
    def verdict(self) -> Verdict:
        return verdict(self.analysis)

    @property
    def sample_ratio(self) -> SampleRatio:
        """Of everybody who entered, followed to the end or not."""
        return sample_ratio(*self._arms)

    @property
    def _arms(self) -> tuple[int, int]:
        return self.entered[CONTROL], self.entered[TREATMENT]

    @property
    def evenly(self) -> bool:
        """Whether both arms learnt from equally many examples, up to what chance keeps back for the gate."""
        few, many = min(self.learnt.values(), default=0), max(self.learnt.values(), default=0)
        return many - few <= EVEN * many

    @property
    def by_exposure(self) -> pl.DataFrame:
        """The primary metric's effect on each day since exposure."""
        return by_exposure(self.days, self.terms.plan, self.terms.plan.primary)

    @property
    def days_left(self) -> int:
        """Until the last window of the plan ends."""
        assert self.pilot.begun is not None
        return max(0, -(-(self.terms.ends(self.pilot.begun) - self.until) // DAY))


def evidence_of(site: Site, name: str | None = None) -> Evidence:
    """Of a pilot, by default the newest. StateError where there is none, or it was never started."""
    with transaction(site.engine) as connection:
        pilot = found(pilots.listed(connection), name, site)
        cut, made = site.closed_cuts(connection).end, versions.listed(connection)
    if pilot.begun is None:
        raise StateError(
            "pilot '{pilot}'", "has not been started", "one that people were served in",
            "Start it with: regraft pilot start {site} {pilot}", pilot=pilot.name, site=site.folder,
        )  # fmt: skip
    terms, until = Terms.model_validate(pilot.plan), min(cut, pilot.ended or cut)
    rows = labelled(site.rows(pilot.begun - BEFORE, until), LabelRule(site.options.data.label))
    entered = exposed(rows, pilot.begun, until)
    served = rows.filter(pl.col("arm").is_in(list(COMPARED)) & (pl.col("at") >= pilot.begun))
    window = terms.plan.window_days
    followed = people(rows, entered, until, window)
    of_control = seen_from(rows, Side(CONTROL, terms.slice, pilot.begun))
    return Evidence(
        pilot, terms, until, followed, by_day(rows, followed, window),
        {arm: int((entered["arm"] == arm).sum()) for arm in COMPARED}, seen_in_both(rows, pilot.begun, until),
        {arm: _versions(served.filter(pl.col("arm") == arm)) for arm in COMPARED}, _fallen_back(served),
        contaminated(of_control, pilot.begun, arms_since(rows, pilot.begun)), _learnt(made, pilot, terms),
    )  # fmt: skip


def found(known: list[Pilot], name: str | None, site: Site) -> Pilot:
    """The pilot of this name, by default the newest; StateError where there is none."""
    for one in reversed(known):
        if name in (None, one.name):
            return one
    names, which = ", ".join(one.name for one in known), f" '{name}'" if name else ""
    raise StateError(
        "site '{site}'", "has no pilot{which}", "one of {names}" if names else "a plan",
        "Plan one with: regraft pilot plan {site} NAME", site=site.folder, which=which, names=names,
    )  # fmt: skip


def snapshot(of: Evidence) -> dict[str, Any]:
    """The evidence as JSON, without anybody's id: what `status --json` prints and the ledger keeps."""
    analysis = of.analysis
    said = verdict(analysis)
    return {
        "pilot": of.pilot.name, "state": of.pilot.state, "share": of.pilot.share, "begun": of.pilot.begun,
        "ended": of.pilot.ended, "until": of.until, "days_left": of.days_left,
        "terms": of.terms.model_dump(mode="json"),
        "entered": dict(of.entered), "followed": len(of.people), "sample_ratio_p": of.sample_ratio.p,
        "in_both": of.in_both, "contaminated": of.contaminated, "fallen_back": of.fallen_back,
        "learnt": dict(of.learnt), "learnt_evenly": of.evenly,
        "versions": {arm: list(served) for arm, served in of.versions.items()},
        "decision": said.decision, "sentences": said.sentences(), "effects": _plain(analysis.frame()),
        "by_exposure": _plain(of.by_exposure),
    }  # fmt: skip


def _learnt(made: list[Version], pilot: Pilot, terms: Terms) -> dict[str, int]:
    """Examples that the newest version of each arm's contender learnt from, of those made in the pilot."""
    found: dict[str, int] = {}
    for arm, contender in ((CONTROL, terms.control), (TREATMENT, terms.treatment)):
        own = [v for v in made if v.contender == contender and "examples" in v.lineage]
        inside = [v for v in own if (pilot.begun or 0) < v.cut <= (pilot.ended or v.cut)]
        found |= {arm: int(inside[-1].lineage["examples"])} if inside else {}
    return found


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows without NaN, which is not JSON: what is not known is null."""
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None)).to_dicts()


def _versions(served: pl.DataFrame) -> tuple[str, ...]:
    first = served.drop_nulls("version").group_by("version").agg(pl.col("at").min()).sort("at", "version")
    return tuple(first["version"].to_list())


def _fallen_back(served: pl.DataFrame) -> int:
    """Lists of the treatment by a version that served the control: the challenger could not be loaded."""
    of_control = served.filter(pl.col("arm") != TREATMENT)["version"].unique()
    theirs = served.filter((pl.col("arm") == TREATMENT) & pl.col("version").is_in(of_control.implode()))
    return int(theirs["request_id"].n_unique()) if len(theirs) else 0
