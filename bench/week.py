"""A week in service, told as a story and asserted: what `make week` runs.

    python bench/week.py [LOG] [--share 0.1] [--from 2000-11-24] [--days 7] [--classical] [--small] [--out runs/week]

A site is made from the log up to the first day. Then, day by day, a server answers people and takes in what they did,
through its API, and in the night `regraft update` closes the day. One night the update is killed; one day brings
flipped and flooded events, which the gate holds, and the server is started anew; one night a worse model stands for
election; one night a person is erased; and at the end the site goes back to an earlier version, and lets go of what it
may keep no longer. Three days tell the story in short. Without LOG the people are simulated: they
see the lists that are served and click what they like. With LOG they do what the log says, whatever they are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from by_day import day_of, write_log
from common import ROOT, data_file
from story import CODES, Server, Story, in_ms

from regraft.counted import counted
from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import DAY, START, DriftWorld
from regraft.data.ingest import ingest
from regraft.privacy.scan import scan
from regraft.setup.site import Site
from regraft.state import erasures
from regraft.state.database import transaction
from regraft.state.erasures import Erasure


def bad(rows: pl.DataFrame) -> pl.DataFrame:
    """A broken client: every label flipped, and one person clicks everything again and again."""
    kinds = rows["event"].unique().to_list()
    if {"click", "skip"} <= set(kinds):
        flipped = pl.when(pl.col("event") == "click").then(pl.lit("skip")).otherwise(pl.lit("click"))
        rows = rows.with_columns(event=flipped)
    else:
        rows = rows.with_columns(value=6 - pl.col("value"))
    robot = rows.head(1)["user_id"][0]
    flood = (
        pl.concat([rows] * 2)
        .with_columns(user_id=pl.lit(robot))
        .with_columns(timestamp=pl.col("timestamp") + pl.duration(milliseconds=pl.int_range(pl.len())))
    )
    return pl.concat([rows, flood])


def _rewrite(path: Path, **lines: str) -> None:
    changed = [
        next((f"{name}: {value}" for name, value in lines.items() if line.startswith(f"{name}:")), line)
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(changed) + "\n")


@contextmanager
def settings(story: Story, **lines: str) -> Iterator[None]:
    """regraft.yaml with other lines for a while."""
    path = Path(story.site) / "regraft.yaml"
    before = path.read_text()
    _rewrite(path, **lines)
    try:
        yield
    finally:
        path.write_text(before)


def week(story: Story) -> None:
    nights = (
        (_usual, _killed, _held, _usual, _worse, _erased, _usual) if len(story.days) > 3 else (_killed, _held, _worse)
    )
    tell, first = story.tell, story.rows.filter(day_of(story.rows) < story.days[0])
    log = write_log(story.out / "log", first, story.items)
    tell(f"A site is made from {len(first):,} rows up to {story.days[0]}.")
    story.regraft("init", story.site, "--from", str(log))
    tell(f"  {story.champion()} is the champion.")
    if story.challengers != "[]":
        options = Path(story.site) / "regraft.yaml"
        _rewrite(options, challengers=story.challengers)
        options.write_text(
            options.read_text() + "fit: {epochs: 1}  # a week shows how it runs, not how well it learns\n"
        )
        tell(f"  Renewed and judged beside it from now on: {story.challengers}")
    server, before = Server(story), story.champion()
    try:
        for number, day in enumerate(story.days):
            tell(f"{datetime.fromisoformat(day):%A %d %B}")
            rows, night = story.of(day), nights[number % len(nights)]
            if night is _held:
                tell("  The server is stopped and started again.")
                server.stop()
                server.start()
            if story.loop:
                lists, events = server.lived(story.loop, night is _held)
            else:
                lists, events = server.replayed(bad(rows) if night is _held else rows)
            tell(f"  {lists:,} lists were served by {server.version()}, {events:,} events came in.")
            before = night(story, server)
        _rolled_back(story, server)
        if _erased in nights:
            _let_go(story, server)
        known = story.regraft("why", story.site, before)
        assert "batches" in known
        tell(f"At the end of the week {story.champion()} serves. Why it is as it is:")
        for line in known.splitlines()[:12]:
            tell(f"  {line[:150]}")
    finally:
        server.stop()
    assert not _ids_in(story.out / "serve.log", story.rows["user_id"].unique().to_list())


def _usual(story: Story, server: Server) -> str:
    outcome = story.update(code=None)
    assert outcome["state"] in ("promoted", "kept"), outcome
    return _followed(story, server, outcome)


def _followed(story: Story, server: Server, outcome: dict[str, Any]) -> str:
    champion = story.champion()
    assert champion == outcome["champion"]
    seconds = server.waits_for(champion)
    foresaw = ", ".join(f"{name} {seen['auc']:.3f}" for name, seen in outcome["judged"].items()) or "nobody"
    story.tell(
        f"  The night: {outcome['state']}; {champion} serves {seconds:.1f} s later. Who foresaw the day, AUC: {foresaw}."
    )
    return champion


def _killed(story: Story, server: Server) -> str:
    before = story.champion()
    done = story.regraft("update", story.site, "--json", code=-signal.SIGKILL, REGRAFT_CRASH_AFTER="renew")
    assert not done and story.champion() == before and server.version() == before
    story.tell(f"  The night: the update is killed (kill -9) after it had trained; {before} still serves.")
    return _followed(story, server, story.update(code=None))


def _held(story: Story, server: Server) -> str:
    before = story.champion()
    outcome = story.update(code=CODES["held"])
    assert outcome["state"] == "held" and story.champion() == before and server.version() == before
    story.tell(f"  The night: the gate holds the day for a person; {before} serves on.")
    story.regraft("update", story.site, "--skip", str(outcome["run"]))
    story.tell("  A person skips the day: nothing learns from it.")
    assert story.champion() == before
    return before


def _worse(story: Story, server: Server) -> str:
    before = story.champion()
    with settings(story, champion="{use: popularity}"):
        outcome = story.update(code=CODES["kept"])
    assert outcome["state"] == "kept" and story.champion() == before
    assert server.version() == before
    story.tell(f"  The night: popularity stood for election and was not promoted; {before} serves on.")
    return before


def _erased(story: Story, server: Server) -> str:
    person = story.rows["user_id"].mode().sort()[0]
    uid = json.loads(story.regraft("export-person", story.site, person))["uid"]
    assert scan(Site.open(Path(story.site)), [uid])["data"]
    server("DELETE", f"/users/{person}")
    server("GET", f"/recommend/{person}", codes=(410,))
    story.tell("  In the evening a person asks to be erased, and is refused at once.")
    began = time.monotonic()
    site = Site.open(Path(story.site))
    while _open(site):  # the server begins it, in a process of its own
        assert time.monotonic() < began + 1800, (story.out / "serve.log").read_text()
        time.sleep(0.2)
    assert not any(n for store, n in scan(Site.open(Path(story.site)), [uid]).items() if store != "state")
    assert not json.loads(story.regraft("export-person", story.site, person))["rows"]
    seconds = server.waits_for(story.champion())
    story.tell(
        f"  {time.monotonic() - began:.0f} s later they are in no file, the models are made again without them, and "
        f"{story.champion()} serves {seconds:.1f} s after that."
    )
    return _usual(story, server)


def _open(site: Site) -> list[Erasure]:
    with transaction(site.engine) as connection:
        return erasures.open_ones(connection)


def _let_go(story: Story, server: Server) -> None:
    last = datetime.fromisoformat(story.days[-1]) + timedelta(days=1)
    first = last - timedelta(days=len(story.days))
    path = Path(story.site) / "regraft.yaml"
    policy = {"rows": {"keep": f"{len(story.days)}d"}, "versions": {"keep": "2d"}}
    options = yaml.safe_load(path.read_text()) | {"retention": policy}
    path.write_text(yaml.safe_dump(options))
    apply = ("retention", "apply", story.site, "--as-of", f"{last:%Y-%m-%d}", "--json")
    if story.challengers != "[]":
        story.regraft(*apply, code=2)
        story.tell("Rows that are too old cannot leave while a model stands on a base that was built from them.")
        path.write_text(yaml.safe_dump(options | {"challengers": []}))
        story.tell("  The nano model is taken out of the contest; then they can.")
    said = story.regraft(*apply)
    gone = ", ".join(counted(one["count"], one["unit"]) for one in json.loads(said) if one["count"])
    days = {path.parent.name for path in (Path(story.site) / "data").glob("2*/*.parquet")}
    assert days and all(day >= f"{first:%Y-%m-%d}" for day in days), days
    story.tell(f"What may be kept no longer is let go of: {gone}.")
    server("GET", f"/recommend/{story.rows['user_id'][0]}", at=in_ms(last))
    assert "PROBLEM" not in story.regraft("doctor", story.site)


def _rolled_back(story: Story, server: Server) -> None:
    newest = story.champion()
    story.regraft("rollback", story.site)
    back = story.champion()
    assert back != newest
    seconds = server.waits_for(back)
    assert seconds < 5.0
    story.tell(
        f"  The morning after: back to {back}, which serves {seconds:.1f} s later; nothing was lost, and forward again."
    )
    assert "nothing was changed" in story.regraft("rollback", story.site, back, code=1)
    story.regraft("rollback", story.site, newest)
    server.waits_for(newest)


def _ids_in(path: Path, people: list[str]) -> list[str]:
    """People whose id stands as a word in the server's log."""
    words = set(path.read_text().split())
    return [user for user in people if user in words and len(user) > 3]


def simulated(days: int, small: bool, seed: int) -> ClosedLoop:
    size = {"users": 200, "items": 200} if small else {"users": 1000, "items": 300}
    opens = 13 if small else 22
    world = DriftWorld(**size, periods=opens - 1 + days, seed=seed, taste_change_at=None, from_start=1.0)
    return ClosedLoop(world, opens)


def logged(path: Path, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log as regraft reads it; rows of a share of the people."""
    found = ingest(path)
    people = found.interactions["user_id"].unique().sort()
    chosen = people.sample(fraction=share, seed=0, shuffle=False) if share < 1 else people
    return found.interactions.filter(pl.col("user_id").is_in(chosen.implode())).drop("line"), found.items


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--share", type=float, default=0.1, help="of the people of LOG")
    parser.add_argument("--from", dest="first", default="2000-11-24", help="first day of the week in LOG")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--classical", action="store_true", help="with LOG: no nano language model beside the stack")
    parser.add_argument("--small", action="store_true", help="a small simulated log")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "week")
    options = parser.parse_args()
    began = time.monotonic()
    if options.log:
        rows, items = logged(options.log if options.log.exists() else data_file(str(options.log)), options.share)
        start = datetime.fromisoformat(options.first)
        loop = None
    else:
        loop = simulated(options.days, options.small, options.seed)
        rows, items = loop.history.interactions.drop("line"), loop.history.items
        start = datetime.fromtimestamp((START + (loop.period - 1) * DAY) / 1000, UTC)
    days = [f"{start + timedelta(days=k):%Y-%m-%d}" for k in range(options.days)]
    if options.out.exists():
        shutil.rmtree(options.out)
    options.out.mkdir(parents=True)
    environment = os.environ | {"REGRAFT_KEY_FILE": str(options.out / "keys" / "vault.key")}
    challengers = "[]" if loop or options.classical else "[{use: fine-tune, name: nano, calibration: stack}]"
    week(Story(options.out, rows, items, days, loop, challengers, environment))
    print(f"All that was claimed held. The week took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
