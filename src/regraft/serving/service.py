"""The service behind the routes: who asks, what is on offer, what the champion says, and what is spooled of it.

A watcher looks at the database twice a second. Where the champion's alias has a higher epoch, it loads and probes
the new version and then swaps one pointer: requests in progress end with the version they began with. Where the
new version cannot be loaded, the old one stays and the failure is counted and said.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from regraft.data.labels import LabelRule
from regraft.data.pseudonyms import Key, load_key
from regraft.data.spool import Spool
from regraft.errors import DataError, RegraftError, StateError
from regraft.plugins import names, plugin_class
from regraft.prompts.live import Event
from regraft.serving.candidates.protocol import Candidates, Snapshot
from regraft.serving.loaded import Loaded
from regraft.setup.manifest import verify
from regraft.setup.site import Site
from regraft.state import vault, versions
from regraft.state.database import transaction
from regraft.workbench import Workbench

LOOK = 0.5  # seconds between looks at the database
PER_SOURCE = 50  # candidates of each source
MOST = 500  # recommended items


@dataclass(frozen=True)
class Recommended:
    """One item of a list: `score` is a log-odds, `why` its facts in words."""

    item: str
    score: float
    why: str


@dataclass(frozen=True)
class Listed:
    """A list as it was served."""

    request_id: str
    version: str
    items: tuple[Recommended, ...]


class Service:
    """Opens a site for serving; `start` begins to watch for new versions, `stop` ends it."""

    def __init__(self, site: Site, tell: Callable[[str], object] = str) -> None:
        self.site, self.tell = site, tell
        self.key: Key = load_key(site.folder)
        self.rule = LabelRule(site.options.data.label)
        self.lists, self.events = Spool(site.spool / "lists"), Spool(site.spool / "events")
        self.failures = 0
        self._refused: str | None = None
        self._swap = threading.Lock()
        self._stopped = threading.Event()
        self._uids: dict[str, str] = {}
        self._read_data()
        self.loaded = self._load(self._alias())

    # -- starting and watching -------------------------------------------------------------------

    def start(self) -> None:
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        self._stopped.set()
        self.lists.close()
        self.events.close()

    def look(self) -> None:
        """One look at the database: swaps where the alias has moved."""
        with self._swap:
            alias = self._alias()
            if alias.epoch <= self.loaded.epoch or alias.version == self._refused:
                return
            try:
                self.loaded = self._load(alias)
                self.tell(f"now serving {alias.version}")
            except RegraftError as error:
                self.failures, self._refused = self.failures + 1, alias.version
                self.tell(f"{alias.version} is refused, {self.loaded.name} stays: {error}")

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK):
            try:
                self.look()
            except Exception as error:  # the database may be away for a while: the last version serves on
                self.tell(f"cannot look for new versions: {error}")

    def _alias(self) -> versions.Alias:
        with transaction(self.site.engine) as connection:
            alias = versions.alias(connection, "champion")
        if alias is None:
            raise StateError(f"site '{self.site.folder}'", "has no version yet", "a site made by regraft init")
        return alias

    def _load(self, alias: versions.Alias) -> Loaded:
        with transaction(self.site.engine) as connection:
            version = versions.version(connection, alias.version)
        folder = self.site.versions / alias.version
        verify(folder, version.manifest)
        contender = self.bench.released(version)
        found = Loaded(alias.version, alias.epoch, contender, folder)
        found.score(self.live.request("", self.probe, self.live.now))
        return found

    def _read_data(self) -> None:
        """Facts, candidates and uids of the site up to its last close, then the spooled events since."""
        with transaction(self.site.engine) as connection:
            cuts = self.site.cuts(connection)
            self._uids = vault.everybody(connection)
        if cuts is None:
            raise StateError(f"site '{self.site.folder}'", "has closed no period yet", "a site made by regraft init")
        stream, catalogue = self.site.stream(cuts), self.site.catalogue()
        self.bench = Workbench(self.site, stream)
        self.live = self.bench.live(stream, catalogue)
        snapshot = Snapshot(stream, catalogue)
        self.sources: dict[str, Candidates] = {
            name: plugin_class("candidates", name)(snapshot) for name in names("candidates")
        }
        self.probe = catalogue["item_id"].head(3).to_list()
        for row in self.site.spooled_events(cuts.end):
            self.live.tell(Event(self._uid(row["pseudonym"]), row["item_id"], row["time"], self._label(row)))

    # -- answering -------------------------------------------------------------------------------

    def recommend(self, user: str, n: int, now: int | None = None) -> Listed:
        """The `n` best items for a person, spooled before it is returned."""
        loaded, now = self.loaded, self.now if now is None else now
        pseudonym, uid = self._who(user)
        history = self.live.history(uid)
        known = set() if self.site.options.repeat else self.live.seen(uid)
        offered = self._candidates(history, known, max(n, PER_SOURCE))
        request = self.live.request(uid, offered, now)
        scores = loaded.score(request) if offered else np.zeros(0)
        best = np.argsort(-scores, kind="stable")[:n]
        facts = request.facts
        items = tuple(
            Recommended(offered[k], float(scores[k]), "" if facts is None else in_words(facts.row(k, named=True)))
            for k in best.tolist()
        )
        listed = Listed(uuid.uuid4().hex, loaded.name, items)
        self.lists.append(
            [
                {
                    "request_id": listed.request_id, "pseudonym": pseudonym, "time": now, "arm": "champion",
                    "version": loaded.name, "items": [one.item for one in items], "facts_row": self.live.facts.rows,
                }
            ]
        )  # fmt: skip
        return listed

    def score(self, user: str, items: list[str], now: int | None = None) -> tuple[str, np.ndarray]:
        """(version, log-odds per item). DataError where an item is unknown."""
        loaded = self.loaded
        if unknown := [item for item in items if not self.live.knows(item)]:
            raise DataError(
                "items", f"{len(unknown)} of {len(items)} are unknown, the first is '{unknown[0]}'", "items"
            )
        _, uid = self._who(user)
        return loaded.name, loaded.score(self.live.request(uid, items, self.now if now is None else now))

    def take(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Spools events, durably, and moves facts on; how many there were."""
        taken = []
        for row in rows:
            pseudonym, _ = self._who(str(row["user_id"]))
            taken.append(
                {
                    "event_id": row.get("event_id") or uuid.uuid4().hex, "pseudonym": pseudonym,
                    "item_id": row["item_id"], "time": row.get("time") or self.now, "event": row["event"],
                    "value": row.get("value"), "request_id": row.get("request_id"),
                }
            )  # fmt: skip
        self.events.append(taken)
        for row in taken:
            self.live.tell(Event(self._uid(row["pseudonym"]), row["item_id"], row["time"], self._label(row)))
        return len(taken)

    @property
    def now(self) -> int:
        """ms since 1970 UTC."""
        return round(time.time() * 1000)

    def _candidates(self, history: Any, known: set[str], n: int) -> list[str]:
        """Items that any source proposes and the person does not know yet, each once."""
        found: dict[str, None] = {}
        for source in self.sources.values():
            new = (item for item in source.of(history, n + len(known)) if item not in known and self.live.knows(item))
            for item, _ in zip(new, range(n), strict=False):
                found.setdefault(item)
        return list(found)

    def _who(self, user: str) -> tuple[str, str]:
        """(pseudonym, uid) of a person's own id; a stranger goes by the pseudonym."""
        (pseudonym,) = self.key.pseudonyms([user])
        return pseudonym, self._uid(pseudonym)

    def _uid(self, pseudonym: str) -> str:
        return self._uids.get(pseudonym, pseudonym)

    def _label(self, row: Mapping[str, Any]) -> int:
        return self.rule.of(row["event"], row["value"])


def in_words(facts: Mapping[str, float]) -> str:
    """Why an item is shown, from facts that anyone can check: "liked by 74 % of 1.2k"."""
    count = int(facts["item_count"])
    if count >= 1000:
        shown = f"{count / 1000:.1f}k"
    else:
        shown = str(count)
    said = ["new here" if not count else f"liked by {facts['item_rate']:.0%} of {shown}".replace("%", " %")]
    if facts.get("alike_best", 0.0) >= 0.3:
        said.append("like something that you liked")
    elif facts.get("kin", 0.0) > 0.05:
        said.append("liked by those who like what you like")
    return "; ".join(said)
