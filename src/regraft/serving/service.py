"""The service behind the routes: who asks, what is on offer, what their arm's version says, and what is spooled of it.

A watcher looks at the database twice a second. Where the champion's alias has moved it loads and probes the new
version, where a period was closed or rows left it reads the site anew, and then swaps one pointer: requests in
progress end with what they began with. Where the new version cannot be loaded, the old one stays and the failure is
counted and said. While a pilot runs, and for a holdout, the versions of those arms are loaded beside the champion.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from regraft.data.pseudonyms import Key, load_key
from regraft.data.spool import Spool
from regraft.errors import DataError, RegraftError
from regraft.prompts.live import Live
from regraft.release.blocked import block_returned
from regraft.serving.candidates.protocol import Candidates
from regraft.serving.loaded import Loaded
from regraft.serving.ranking import Recommended, ranked
from regraft.serving.standing import Data, Stamp, Standing, load, others, stamp, standing
from regraft.setup.site import Site
from regraft.state import erasures
from regraft.state.database import transaction

LOOK = 0.5  # seconds between looks at the database
MOST = 500  # recommended items
AHEAD = 10 * 60_000  # ms by which the clock of who reports an event may be ahead of ours


class GoneError(DataError):
    """Of a person who is being erased."""


class Tell(Protocol):
    """Hears what the service does: a step, and facts about it in which no id of a person stands."""

    def __call__(self, step: str, /, **facts: Any) -> object: ...


def silent(step: str, /, **facts: Any) -> None:
    """Tells nobody."""


def wall_clock() -> int:
    """ms since 1970 UTC, as this machine has it."""
    return round(time.time() * 1000)


@dataclass(frozen=True)
class Listed:
    """A list as it was served."""

    request_id: str
    arm: str
    version: str
    items: tuple[Recommended, ...]


class Service:
    """Opens a site for serving; `start` begins to watch for new versions, `stop` ends it.

    `clock` gives ms since 1970 UTC.
    """

    def __init__(self, site: Site, tell: Tell = silent, clock: Callable[[], int] = wall_clock) -> None:
        self.site, self.tell, self.clock = site, tell, clock
        self.key: Key = load_key(site.folder)
        self.lists, self.events = Spool(site.spool / "lists"), Spool(site.spool / "events")
        self.failures = 0
        self._refused: Stamp | None = None
        self._swap = threading.Lock()
        self._taking = threading.Lock()
        self._meanwhile: list[Mapping[str, Any]] | None = None  # events taken while the site is read anew
        self._stopped = threading.Event()
        block_returned(site)  # a restored backup must not bring anybody back
        now, self._blocked = self._look_up()
        self._at = self._standing(now)

    @property
    def loaded(self) -> Loaded:
        """The champion, as it serves."""
        return self._at.loaded

    @property
    def others(self) -> dict[str, Loaded]:
        """By arm, the versions that serve beside it."""
        return dict(self._at.others)

    @property
    def live(self) -> Live:
        return self._at.data.live

    @property
    def sources(self) -> dict[str, Candidates]:
        return self._at.data.sources

    # -- starting and watching -------------------------------------------------------------------

    def start(self) -> None:
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        self._stopped.set()
        self.lists.close()
        self.events.close()

    def look(self) -> None:
        """One look at the database: who is blocked, and a swap where the site has moved on."""
        with self._swap:
            now, blocked = self._look_up()
            if blocked != self._blocked:
                self._blocked = blocked
                self._finish_segments()  # an erasure waits for them
            if now == self._at.stamp or now == self._refused:
                return
            try:
                if self._at.stamp.read != now.read:
                    self._finish_segments()  # the next update takes them in and removes them, retention waits for them
                before, self._at = self._at, self._standing(now)
                if self._at.names != before.names:
                    self.tell("swapped", version=self._at.names, before=before.names)
            except RegraftError as error:
                self.failures, self._refused = self.failures + 1, now
                self.tell("refused", version=now.alias.version, stays=self.loaded.name, reason=f"{error}")

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK):
            try:
                self.lists.sync()
            except Exception as error:  # they are in the file all the same, and lost only with the machine's power
                self.tell("lists may not be on the disk", error=type(error).__name__)
            try:
                self.look()
            except Exception as error:  # the database may be away for a while: the last version serves on
                self.tell("cannot look for new versions", error=type(error).__name__)

    def _finish_segments(self) -> None:
        self.lists.finish()
        self.events.finish()

    def _look_up(self) -> tuple[Stamp, set[str]]:
        with transaction(self.site.engine) as connection:
            return stamp(connection, self.site.options.holdout), erasures.blocked(connection)

    def _standing(self, now: Stamp) -> Standing:
        """All that is answered from as the site stands now; what has not changed is kept."""
        old: Standing | None = getattr(self, "_at", None)
        if old is not None and old.stamp.read == now.read:
            same = old.loaded.epoch == now.alias.epoch
            loaded = old.loaded if same else load(self.site, old.data, now.alias)
            beside = others(self.site, now, old.data, old.apart, old.others, self._told_refused)
            return Standing(now, old.data, loaded, beside, old.apart)
        with self._taking:
            self._meanwhile = []
        try:
            found = standing(self.site, now, self._told_refused)
            spooled = self.site.spooled_events(found.data.closed)
            self._tell_all(found, spooled)
            with self._taking:  # what came while we read
                known = {row["event_id"] for row in spooled}
                self._tell_all(found, [row for row in self._meanwhile if row["event_id"] not in known])
                self._at = found
            return found
        finally:
            self._meanwhile = None

    def _told_refused(self, arm: str, version: str, stays: str, error: RegraftError) -> None:
        """A version that cannot be loaded is counted and said."""
        self.failures += 1
        self.tell("refused", version=version, arm=arm, stays=stays, reason=f"{error}")

    def _tell_all(self, at: Standing, rows: Iterable[Mapping[str, Any]]) -> None:
        at.tell([row for row in rows if row["pseudonym"] not in self._blocked])

    # -- answering -------------------------------------------------------------------------------

    def recommend(self, user: str, n: int, now: int | None = None) -> Listed:
        """The `n` best items for a person, spooled before it is returned; on the disk with the watcher's next look."""
        began = time.perf_counter()
        at, now = self._at, self.clock() if now is None else now
        pseudonym, uid = self._who(user, at.data)
        arm, loaded, data = at.of(pseudonym)
        items = ranked(data, loaded, uid, n, now, self.site.options.repeat)
        listed = Listed(uuid.uuid4().hex, arm, loaded.name, items)
        self.lists.append(
            [
                {
                    "request_id": listed.request_id, "pseudonym": pseudonym, "time": now, "arm": arm,
                    "version": listed.version, "items": [one.item for one in items],
                    "facts_row": data.live.facts.rows, "seconds": round(time.perf_counter() - began, 6),
                }
            ],
            wait=False,  # an answer need not wait for the disk: the watcher sees to it
        )  # fmt: skip
        return listed

    def score(self, user: str, items: list[str], now: int | None = None) -> tuple[str, np.ndarray]:
        """(version, log-odds per item). DataError where an item is unknown."""
        at = self._at
        if unknown := [item for item in items if not at.data.live.knows(item)]:
            raise DataError(
                "items", f"{len(unknown)} of {len(items)} are unknown, the first is '{unknown[0]}'", "items"
            )
        pseudonym, uid = self._who(user, at.data)
        _, loaded, data = at.of(pseudonym)
        request = data.live.request(uid, items, self.clock() if now is None else now)
        return loaded.name, loaded.score(request)

    def take(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Spools events, durably, and moves facts on; how many there were.

        DataError, which says the row, where one lies in the future: facts would take it for now, and no day would
        ever take it in.
        """
        taken, now = [], self.clock()
        for number, row in enumerate(rows):
            pseudonym, _ = self._who(str(row["user_id"]), self._at.data)
            happened = now if row.get("time") is None else row["time"]
            if happened > now + AHEAD:
                raise DataError(
                    f"events.{number}.time", f"lies {(happened - now) / 1000:,.0f} s in the future",
                    f"at most {AHEAD // 60_000} minutes ahead of this server's clock",
                )  # fmt: skip
            taken.append(
                {
                    "event_id": row.get("event_id") or uuid.uuid4().hex, "pseudonym": pseudonym,
                    "item_id": row["item_id"], "time": happened, "event": row["event"],
                    "value": row.get("value"), "request_id": row.get("request_id"),
                }
            )  # fmt: skip
        with self._taking:  # not between the reading of the spool and the swap
            self.events.append(taken)
            self._tell_all(self._at, taken)
            if self._meanwhile is not None:
                self._meanwhile.extend(taken)
        return len(taken)

    def _who(self, user: str, data: Data) -> tuple[str, str]:
        """(pseudonym, uid) of a person's own id; a stranger goes by the pseudonym. GoneError: is being erased."""
        (pseudonym,) = self.key.pseudonyms([user])
        if pseudonym in self._blocked:
            raise GoneError("user", "is being erased", "somebody else")
        return pseudonym, data.uid(pseudonym)
