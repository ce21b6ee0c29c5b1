"""A simulated site with a pilot in it: people come, see the list of their arm, click, and return or stay away.

Everything on its pages is simulated, and runs through the real parts: ingest, updates, gate, server, pilot. The days
are moved so that the last one is yesterday.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import DAY, START, DriftWorld
from regraft.errors import OutputError
from regraft.files import whole_folder, write_text
from regraft.pilot.conduct import plan, ramp, start
from regraft.release.init import init
from regraft.release.update import update
from regraft.serving.service import Service
from regraft.setup.site import Site

SITE = "site"  # the folder in the folder
PAST, BEFORE, PILOT = 16, 1, 8  # days: in the log, served before the pilot, in the pilot
FIRST_DAYS = 2  # of the pilot, with a quarter of the people
SHOWN = 8  # items of a list
WORLD = DriftWorld(
    users=1000, items=60, periods=PAST + BEFORE + PILOT, seed=1, taste_change_at=None, from_start=1.0, churn=0.01,
    visits=0.8,
)  # fmt: skip
SETTINGS = {
    "name": "demo",
    "data": {"label": 'event == "click"'},
    "champion": {"use": "popularity"},
    "challengers": [{"use": "rates"}],
    "repeat": True,
    "similarity": "none",  # neither of the two reads content facts
    "pilot": {"window_days": 3, "most_weeks": 2, "minimum_lift": 0.1, "guardrails": {"active_days": 0.1},
              "others": ["ctr", "returned"], "segments": ["light", "heavy"]},
}  # fmt: skip


def make_demo(folder: Path, tell: Callable[[str], object]) -> None:
    """Makes the site in folder/site, serves its people day after day, and pilots a challenger: one to three minutes.

    The folder appears when all is done: a call that was stopped leaves nothing. OutputError where something else is in
    it already.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputError(
            f"folder '{folder}'", "is there already and holds no demo", "a new or empty folder",
            f"Choose another one: regraft dashboard --demo {folder}-demo",
        )  # fmt: skip
    with whole_folder(folder) as staging:
        _make(staging, tell)


def _make(folder: Path, tell: Callable[[str], object]) -> None:
    midnight = int(time.time() * 1000) // DAY * DAY
    shift = midnight - (START + WORLD.periods * DAY)
    loop = ClosedLoop(WORLD, PAST + 1)
    log = folder / "log"
    rows = loop.history.interactions.drop("line").with_columns(pl.col("timestamp") + pl.duration(milliseconds=shift))
    write_text(log / "interactions.csv", rows.write_csv())
    write_text(log / "items.csv", loop.history.items.write_csv())
    write_text(folder / SITE / "regraft.yaml", json.dumps(SETTINGS, indent=2))
    tell(f"A site with a log of {PAST} days")
    site, _ = init(folder / SITE, log / "interactions.csv")
    service = Service(site)
    for day in range(BEFORE + PILOT):
        if day == BEFORE:
            plan(site, "first")
            start(site, "first", 0.25)
        if day == BEFORE + FIRST_DAYS:
            ramp(site, "first", 1.0)
        lists = _live(site, service, loop, shift)
        tell(f"Day {day + 1} of {BEFORE + PILOT}: {lists} lists, and an update")
    site.engine.dispose()


def _live(site: Site, service: Service, loop: ClosedLoop, shift: int) -> int:
    """One day is lived and closed; the number of lists."""
    service.look()
    lists = 0
    for visit in loop.day():
        at = visit.time + shift
        listed = service.recommend(visit.user_id, SHOWN, at)
        shown = [one.item for one in listed.items]
        clicks = [item for item, clicked in zip(shown, visit.see(shown), strict=True) if clicked]
        service.take(
            {
                "user_id": visit.user_id, "item_id": item, "event": "click", "request_id": listed.request_id,
                "time": at + 3000 * (1 + shown.index(item)),
            }
            for item in clicks
        )  # fmt: skip
        lists += 1
    outcome = update(site)
    if outcome.state == "held":  # people behave otherwise than under the log's own recommender
        update(site, accept=outcome.run)
    return lists
