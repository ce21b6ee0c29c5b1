"""A pilot in the closed-loop drift world: two policies of counts, their users, and what became of them.

The site has shown honest items by their click rate for four weeks. Then everybody who comes is in one of two arms:
the control goes on as before, the treatment is one of SCENARIOS. Each arm learns from its own visits alone.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from regraft.data.drift_world import DriftWorld
from regraft.data.drift_world_life import Visits
from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import DAY, START

WINDOW = 7 * DAY  # ms
SLOTS = 8
SHARPNESS = 4.0  # of the draws: how much more a likely item is shown
BY_ITSELF, BEFORE, WEEKS = 2, 28, 2  # days by itself, days under the control's policy, weeks in which users enter
WORLD = DriftWorld(
    users=6000, items=100, periods=BY_ITSELF + BEFORE + 7 * (WEEKS + 1), churn=0.04, bait=0.2, from_start=1.0,
    taste_change_at=None, new_items_at=None, season_every=None,
)  # fmt: skip


@dataclass
class Policy:
    """Shows what was clicked: item rates, and with `personal` each user's own genre rates beside them."""

    loop: ClosedLoop
    honest: bool = True  # leaves out bait, as an editor would
    personal: float = 0.0  # weight of the user's own rates
    seen: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        users, (items, genres) = len(self.loop.user_ids), self.loop.items.genres.shape
        shapes = {"shown": items, "clicked": items, "shown of": (users, genres), "clicked of": (users, genres)}
        self.seen = {name: np.zeros(shape) for name, shape in shapes.items()}

    def learn(self, visits: Visits) -> None:
        """Counts a day's rows."""
        genre = self.loop.items.first[visits.item]
        for name, rows in (("shown", slice(None)), ("clicked", visits.click)):
            self.seen[name] += np.bincount(visits.item[rows], minlength=len(self.seen[name]))
            own = self.seen[f"{name} of"]
            cell = visits.user[rows] * own.shape[1] + genre[rows]
            own += np.bincount(cell, minlength=own.size).reshape(own.shape)

    def show(self, who: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Item codes [visits, SLOTS], best first: drawn without replacement, by rates to the power SHARPNESS."""
        items = self.loop.items
        rates = (self.seen["clicked"] + 1) / (self.seen["shown"] + 4) * np.where(items.bait & self.honest, 1e-6, 1.0)
        weights = np.float32(rates**SHARPNESS)[None, :]
        if self.personal:
            own = (self.seen["clicked of"][who] + 2) / (self.seen["shown of"][who] + 7)
            weights = weights * np.float32(own ** (SHARPNESS * self.personal))[:, items.first]
        when = rng.standard_exponential((len(who), len(items.first)), dtype=np.float32) / weights
        first = np.argpartition(when, SLOTS, axis=1)[:, :SLOTS]
        return np.take_along_axis(first, np.argsort(np.take_along_axis(when, first, axis=1), axis=1), axis=1)


SCENARIOS = {  # what the treatment does otherwise than the control
    "a real lift": {"personal": 0.3},
    "no lift": {},
    "clicks up, return down": {"honest": False},
}


def past(seed: int) -> tuple[ClosedLoop, Policy, list[Visits]]:
    """The world as it stands when the pilot begins, the policy in service, and the visits under it by day."""
    world = DriftWorld(**{**vars(WORLD), "seed": seed})
    loop = ClosedLoop(world, BY_ITSELF + 1)
    policy, rng, days = Policy(loop), np.random.default_rng([seed, 1]), []
    for _ in range(BEFORE):
        days.append(loop.step(lambda who, begin: policy.show(who, rng)))
        policy.learn(days[-1])
    return loop, policy, days


def pilot(loop: ClosedLoop, policy: Policy, before: list[Visits], scenario: str, seed: int) -> pl.DataFrame:
    """The people of a pilot, followed to the end of their windows; the past is left as it is."""
    loop, control = deepcopy((loop, policy))
    treatment = deepcopy(control)
    control.loop = treatment.loop = loop
    for name, value in SCENARIOS[scenario].items():
        setattr(treatment, name, value)
    rng, days = np.random.default_rng([seed, 2]), []
    treated = rng.random(len(loop.user_ids)) < 0.5

    def show(who: np.ndarray, begin: np.ndarray) -> np.ndarray:
        shown = np.empty((len(who), SLOTS), dtype=np.int64)
        for arm, policy in ((False, control), (True, treatment)):
            own = treated[who] == arm
            shown[own] = policy.show(who[own], rng)
        return shown

    while loop.period <= loop.world.periods:
        day = loop.step(show)
        days.append(day)
        for arm, policy in ((False, control), (True, treatment)):
            policy.learn(only(day, treated[day.user] == arm))
    opened = (BY_ITSELF + BEFORE) * DAY
    frame = people(joined(days), opened, opened + WEEKS * WINDOW, joined(before))
    return frame.with_columns(arm=pl.Series(np.where(treated[frame["user"].to_numpy()], "treatment", "control")))


def people(visits: Visits, first: int, last: int, before: Visits) -> pl.DataFrame:
    """One row per user who came in [first, last), by their first visit; times in ms since the start.

    ctr: clicks and impressions in the seven days since; active_days: on how many of them the user was seen.
    Both have a covariate from the rows of `before`: the same numbers of all its days.
    """
    rows = frame(visits).filter(pl.col("time") >= first)
    entered = rows.group_by("user").agg(entered=pl.col("time").min()).filter(pl.col("entered") < last)
    window = rows.join(entered, on="user").with_columns(age=pl.col("time") - pl.col("entered"))
    values = window.filter(pl.col("age") < WINDOW).group_by("user").agg(
        ctr_num=pl.col("click").sum().cast(pl.Float64), ctr_den=pl.len().cast(pl.Float64),
        active_days=(pl.col("age") // DAY).n_unique().cast(pl.Float64),
    )  # fmt: skip
    earlier = (
        frame(before)
        .group_by("user")
        .agg(ctr_before=pl.col("click").mean(), active_days_before=(pl.col("time") // DAY).n_unique().cast(pl.Float64))
    )
    found = entered.join(values, on="user").join(earlier, on="user", how="left").sort("entered", "user")
    return found.with_columns(uid=pl.col("user").cast(pl.String), entered=pl.col("entered") + START)


def frame(visits: Visits) -> pl.DataFrame:
    return pl.DataFrame({"user": visits.user, "time": visits.time, "click": visits.click})


def only(visits: Visits, rows: np.ndarray) -> Visits:
    return Visits(*(getattr(visits, name)[rows] for name in Visits.__annotations__))


def joined(days: list[Visits]) -> Visits:
    return Visits(*(np.concatenate([getattr(day, name) for day in days]) for name in Visits.__annotations__))
