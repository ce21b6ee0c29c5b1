"""Versions change under load: every answer comes wholly from the version that it names, and none is dropped.

Sixteen clients ask a real server at a time that stands still; every answer is worked out again afterwards, without
the server, from the version that it names. Every fifth version is damaged in one of four ways.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regraft.data.pseudonyms import load_key
from regraft.release.update import update
from regraft.serving.ranking import ranked
from regraft.serving.standing import Data, load, read_data
from regraft.setup.manifest import publish
from regraft.setup.site import DAY, Site
from regraft.state import versions
from regraft.state.database import transaction
from regraft.state.versions import Alias
from served import Client, Server, serving
from site_world import FIRST, SiteWorld

CLIENTS = 16
PEOPLE = [f"u{number:03d}" for number in range(1, 41)]
ITEMS = ["i01", "i02", "i03", "i04", "i05"]


def not_a_number(folder: Path) -> None:
    """Weights that are no numbers, under a manifest that is right: only asking the version tells."""
    path = next((folder / "contender").rglob("*.npz"))
    with np.load(path, allow_pickle=False) as found:
        arrays = {n: np.full_like(a, np.nan) if a.dtype.kind == "f" else a for n, a in found.items()}
    np.savez(path, **arrays)


def flipped_bit(folder: Path) -> None:
    path = next((folder / "contender").rglob("*.npz"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(folder: Path) -> None:
    path = next((folder / "contender").rglob("*.npz"))
    path.write_bytes(path.read_bytes()[:-1])


def lost(folder: Path) -> None:
    next((folder / "contender").rglob("*.npz")).unlink()


def copied(site: Site, name: str, before: Callable[[Path], None] = str, after: Callable[[Path], None] = str) -> str:
    """A new version like `name`; the harm is done `before` its manifest is written, or `after`."""
    with transaction(site.engine) as connection:
        old, number = versions.version(connection, name), versions.next_number(connection)
        new = versions.version_name(site.options.name, number)
        staged = site.staging / new
        shutil.copytree(site.versions / name, staged)
        before(staged)
        manifest = publish(staged, site.versions / new, {"lineage": old.lineage})
        versions.add(connection, replace(old, name=new, number=number, manifest=manifest))
    after(site.versions / new)
    return new


def point(site: Site, version: str) -> None:
    with transaction(site.engine) as connection:
        versions.point(connection, "champion", version, "test", {}, at=1)


@dataclass
class Load:
    """Clients that ask without a pause, and all that they were answered."""

    server: Server
    at: int
    lists: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    scores: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(self.server.client(), number)) for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, ask: Client, number: int) -> None:
        for turn, user in enumerate(islice(cycle(PEOPLE), number, None)):
            if self._stop.is_set():
                return
            began = time.perf_counter()
            try:
                if (turn + number) % 2:
                    answer = ask("GET", f"/recommend/{user}?n=8", Regraft_Time=str(self.at))
                else:
                    body = {"user_id": user, "items": ITEMS}
                    answer = ask("POST", "/score", body, Regraft_Time=str(self.at))
            except OSError as error:
                self.errors.append(repr(error))
                return
            self.seconds.append(time.perf_counter() - began)
            if answer.status != 200:
                self.errors.append(f"{answer.status} {answer.body[:200]!r}")
                return
            (self.lists if (turn + number) % 2 else self.scores).append((user, answer.json()))


def rescored(site: Site, found: Load, known: set[str]) -> None:
    """Asserts that every answer is what its version says when asked alone."""
    data = read_data(site)
    loaded = {name: load(site, data, Alias("champion", name, 0)) for name in known}
    uids = _uids(site, data)

    @cache  # at a time that stands still a version always says the same
    def listed(user: str, version: str) -> list[dict[str, Any]]:
        best = ranked(data, loaded[version], uids[user], 8, found.at)
        return [{"item_id": one.item, "score": one.score, "why": one.why} for one in best]

    @cache
    def scored(user: str, version: str) -> dict[str, float]:
        scores = loaded[version].score(data.live.request(uids[user], ITEMS, found.at))
        return dict(zip(ITEMS, scores.tolist(), strict=True))

    for user, answer in found.lists:
        assert answer["items"] == listed(user, answer["version"]), (user, answer["version"])
    for user, answer in found.scores:
        assert answer["scores"] == scored(user, answer["version"]), (user, answer["version"])


def _uids(site: Site, data: Data) -> dict[str, str]:
    pseudonyms = load_key(site.folder).pseudonyms(PEOPLE)
    return {user: data.uid(pseudonym) for user, pseudonym in zip(PEOPLE, pseudonyms, strict=True)}


@pytest.fixture
def shop(world: SiteWorld) -> SiteWorld:
    """A site with four versions that say different things: v1 and v2 of the stack, rates, popularity."""
    path = world.folder / "shop" / "regraft.yaml"
    text = path.read_text()
    path.write_text(text.replace("challengers: []", "challengers: [{use: rates}, {use: popularity}]"))
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    return world


@pytest.mark.parametrize("swaps", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_every_answer_is_of_the_version_it_names_and_damaged_versions_are_refused(
    shop: SiteWorld, tmp_path: Path, swaps: int
) -> None:
    site = shop.site
    with transaction(site.engine) as connection:
        good = [v.name for v in versions.listed(connection)]
        serving_now = versions.alias(connection, "champion").version
        at = site.closed_cuts(connection).end + DAY // 2
    assert len(good) == 4
    turns = cycle([*good[good.index(serving_now) + 1 :], *good[: good.index(serving_now) + 1]])
    harms = cycle([{"before": not_a_number}, {"after": flipped_bit}, {"after": cut_short}, {"after": lost}])
    seen_in, refused = [], []
    with (
        serving(site.folder, tmp_path / "serve.log", "--replay") as server,
        Load(server, at) as found,
    ):
        ask = server.client()
        for swap in range(1, swaps + 1):
            corrupt = swap % 5 == 0
            to = copied(site, good[1], **next(harms)) if corrupt else next(turns)
            point(site, to)
            began = time.monotonic()
            if corrupt:
                while not server.told("refused", version=to, stays=serving_now):
                    assert time.monotonic() - began < 20, server.said()
                    time.sleep(0.02)
                refused.append(to)
                assert f"regraft_version_load_failures {len(refused)}.0" in ask("GET", "/metrics").body.decode()
            else:
                while ask("GET", "/readyz").json()["version"] != to:
                    assert time.monotonic() - began < 20, server.said()
                    time.sleep(0.02)
                seen_in.append(time.monotonic() - began)
                serving_now = to
            assert ask("GET", "/readyz").json()["version"] == serving_now
    assert not found.errors, found.errors[:3]
    named = {answer["version"] for _, answer in (*found.lists, *found.scores)}
    assert named == set(good)
    assert min(len(found.lists), len(found.scores)) > 3 * swaps
    rescored(site, found, named)
    print(
        f"{len(found.lists) + len(found.scores):,} answers; a swap seen in {np.median(seen_in):.2f} s (median), "
        f"{max(seen_in):.2f} s at most; {len(refused)} refused"
    )
