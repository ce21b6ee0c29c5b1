"""Erasing a person, models included. Named steps, each of which can be killed and run again:

blocked   servers refuse the person from now on; what must be made again is written down
data      data files are written without the person's rows, the list flipped in one transaction
traces    caches, spool, set-aside rows and arena runs hold nothing of the person
served    the newest version that never saw the person serves, else popularity without them
destroyed folders of versions that saw the person are deleted
remade    versions behind an alias are trained again without the person and take their places
done      the vault's row is gone, the database has no free pages, the proof is signed and in the ledger
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import Connection

from regraft import __version__
from regraft.counted import counted
from regraft.data import erased, spool
from regraft.data.erased import Erased
from regraft.files import remove, write_text
from regraft.privacy import certificate, exposure
from regraft.privacy.retrain import retrain, seconds_of
from regraft.privacy.rewrite import without_person
from regraft.privacy.scan import scan
from regraft.release.blocked import block, block_returned, known, returned, waiting_jobs
from regraft.release.journal import boundary
from regraft.release.publish import fallback, publish_remade
from regraft.release.recovery import working
from regraft.release.runs import now
from regraft.setup.site import Site
from regraft.state import erasures, jobs, lease, ledger, objections, vault, versions
from regraft.state.database import tidy, transaction
from regraft.state.erasures import Erasure
from regraft.state.lease import Lease

Tell = Callable[[str], object]
EXCEPTIONS = (
    "copies made before: exports, backups until their end date, adapters loaded elsewhere",
    "what other people did on seeing recommendations that the person's rows had shaped",
    "the pre-training of a foreign base model",
    "free blocks of the disk until they are written again",
)


@dataclass(frozen=True)
class Foreseen:
    """What an erasure would do: rows and files that hold the person, versions that saw them, those to be remade."""

    rows: int
    files: int
    exposed: tuple[str, ...]
    remade: Mapping[str, tuple[str, ...]]
    seconds: float  # about, from what making these versions took; the files and the proof come on top


def foresee(site: Site, user: str) -> Foreseen:
    """Says what `forget` would do; nothing is changed. DataError where nobody of this id is known."""
    uid, _ = known(site, user)
    with transaction(site.engine) as connection:
        plan, held = _plan(site, connection, uid)
    from regraft.data import store

    rows = store.read(site.data, held, ["uid"])["uid"]
    return Foreseen(
        int((rows == uid).sum()), len(held), tuple(plan["exposed"]),
        {name: tuple(aliases) for name, aliases in plan["needed"].items()}, plan["seconds"],
    )  # fmt: skip


def forget(site: Site, users: list[str], tell: Tell = str, wait: float = 0.0) -> list[Path]:
    """Erases people, whoever a server was asked to erase, and who was erased and came back with a restored backup.

    Gives the certificates. Goes on where it was killed. People are blocked at once, whoever works on the site; who does
    is waited for, so many seconds.

    Raises DataError where nobody of an id is known, StateError where another process works on the site: then the
    erasure waits, and a server, or the next update, begins it.
    """
    for user in users:
        erasure = block(site, user)
        tell(f"{user} is refused from now on. For them, to find themselves in {_name(erasure)}: salt {_salt(erasure)}")
    certificate.signing_key(site.folder)  # what is wrong with it is said before anything takes long
    lease.wait(site.engine, site.lease_name, wait, tell)
    with working(site, "forget") as held:
        if again := block_returned(site):
            tell(f"{again} of the people who were erased came back with a restored backup")
        boundary("blocked", people=len(users))
        with transaction(site.engine) as connection:
            waiting, asked = erasures.open_ones(connection), waiting_jobs(connection)
        proofs = [_Forgetting(site, held, one, tell).run() for one in waiting]
        with transaction(site.engine) as connection:
            for job in asked:
                jobs.put(connection, job.id, jobs.DONE, {"lines": [path.name for path in proofs], "code": 0})
        return proofs


def forget_waiting(site: Site, tell: Tell = str) -> list[Path]:
    """As `forget` of nobody in particular; the site is left alone where no erasure waits."""
    with transaction(site.engine) as connection:
        waiting = erasures.open_ones(connection)
    return forget(site, [], tell) if waiting or returned(site) else []


def _name(erasure: Erasure) -> str:
    """Of the proof's file."""
    return f"erasure-{erasure.id:06d}.json"


def _salt(erasure: Erasure) -> str:
    """Who came back with a backup was told theirs when they were erased."""
    return str(erasure.plan.get("salt", "as it was told before"))


def _plan(site: Site, connection: Connection, uid: str) -> tuple[dict[str, Any], list[Any]]:
    """Versions that saw the person, those to be remade with their aliases, and the files that hold rows of theirs."""
    held = exposure.files_with(site, connection, uid)
    found = exposure.exposed(connection, exposure.first_known(site, held, uid))
    needed = exposure.needed(connection, found)
    seconds = sum(seconds_of(connection, v) for v in found if v.name in needed)
    return {"exposed": [v.name for v in found], "needed": needed, "seconds": seconds}, held


class _Forgetting:
    """One erasure, step by step; a step gives what is to be kept of it in the plan."""

    def __init__(self, site: Site, held: Lease, erasure: Erasure, tell: Tell) -> None:
        self.site, self.held, self.erasure, self.tell = site, held, erasure, tell

    def run(self) -> Path:
        steps: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
            "blocked": (self._data, "data"), "data": (self._traces, "traces"),
            "traces": (self._serve_another, "served"), "served": (self._destroy, "destroyed"),
            "destroyed": (self._remake, "remade"),
        }  # fmt: skip
        while self.erasure.step in steps:
            work, step = steps[self.erasure.step]
            found = work()
            with transaction(self.site.engine) as connection:
                self._advance(connection, step, **found)
            boundary(step)
        self._finish()
        boundary(erasures.DONE)
        return self._certificate

    @property
    def _certificate(self) -> Path:
        return self.site.reports / _name(self.erasure)

    def _advance(self, connection: Connection, step: str, **more: Any) -> None:
        lease.demand(connection, self.held)
        self.erasure = erasures.advance(connection, self.erasure, step, {**self.erasure.plan, **more})

    def _data(self) -> dict[str, Any]:
        began = perf_counter()
        with transaction(self.site.engine) as connection:
            plan, files = _plan(self.site, connection, self.erasure.uid)
            if "needed" in self.erasure.plan:  # killed behind the flip: what was exposed was written down before
                plan = {}
            self._advance(connection, "blocked", **plan)
        removed = without_person(self.site, self.held, files, self.erasure.uid)
        earlier = self.erasure.plan.get("removed", {"files": 0, "rows": 0})
        self.tell(f"Taken out of {counted(removed['files'], 'data files')}: {counted(removed['rows'], 'rows')}")
        total = {name: earlier[name] + removed[name] for name in removed}
        return {"removed": total, "seconds_data": perf_counter() - began}

    def _traces(self) -> dict[str, Any]:
        lines = self._spooled()
        # Set aside are rows that nobody could read, with ids as they came; scores of arena runs carry uids.
        for folder, names in ((self.site.cache, "*"), (self.site.spool / "aside", "*"), (self.site.reports, "arena*")):
            for path in sorted(folder.glob(names)):
                remove(path)
        self._kept_elsewhere()
        self.tell(f"{lines:,} spooled lines, caches, set-aside rows and arena runs are gone")
        return {"lines": lines}

    def _spooled(self) -> int:
        """Takes the person's lines out of the spool; how many."""
        pseudonym = self.erasure.pseudonym
        return sum(
            spool.drop(self.site.spool / kind, lambda row: row["pseudonym"] == pseudonym)
            for kind in ("events", "lists")
        )

    def _kept_elsewhere(self) -> None:
        """States in a folder that other sites or runs may share: what is the person's is taken out of it."""
        folder = self.site.options.cache.folder
        if folder and Path(folder).is_dir():
            from regraft.lm.kept_files import KEPT, forget_owner, within
            from regraft.lm.owner import owner_of

            for place in (place for place in within(Path(folder)) if place.name != KEPT):  # of runs, on other ids
                forget_owner(place, owner_of(self.erasure.uid))

    def _serve_another(self) -> dict[str, Any]:
        with transaction(self.site.engine) as connection:
            alias = versions.alias(connection, "champion")
        if alias and alias.version in self.erasure.plan["exposed"]:
            served = fallback(self.site, self.held, alias, set(self.erasure.plan["exposed"]), self.tell)
            self.tell(f"{served} serves until the versions are made again")
        return {}

    def _destroy(self) -> dict[str, Any]:
        exposed = self.erasure.plan["exposed"]
        with transaction(self.site.engine) as connection:
            lease.demand(connection, self.held)
            versions.destroy(connection, exposed)
        for name in exposed:
            remove(self.site.versions / name)
        for path in sorted(self.site.staging.glob("*")):
            if not path.name.startswith("erasure"):
                remove(path)
        self.tell(f"Destroyed: {counted(len(exposed), 'versions')} that saw the person")
        return {}

    def _remake(self) -> dict[str, Any]:
        began = perf_counter()
        place = self.site.staging / f"erasure-{self.erasure.id}"
        made = dict(self.erasure.plan.get("made", {}))
        gone: list[str] = []  # aliases of versions that cannot be made again
        for name, aliases in self.erasure.plan["needed"].items():
            if name in made:
                continue
            with transaction(self.site.engine) as connection:
                version = versions.version(connection, name)
            self.tell(f"{name} is made again")
            remade = retrain(self.site, version, place / name, self.tell)
            if remade is None:
                self.tell(f"{name} cannot be made again: all of its rows have left")
                gone += aliases
                continue
            note = partial(self._note, made, name)
            publish_remade(self.site, self.held, version, remade.folder, remade.took, aliases, note)
        if gone:
            self._repoint(gone)
        remove(place)
        return {"made": made, "seconds_remade": perf_counter() - began}

    def _repoint(self, aliases: list[str]) -> None:
        """Lets these aliases point to the newest version that can be served."""
        with transaction(self.site.engine) as connection:
            lease.demand(connection, self.held)
            to = next(v.name for v in reversed(versions.listed(connection)) if v.state == versions.GOOD)
            for name in aliases:
                if (alias := versions.alias(connection, name)) and alias.version != to:
                    versions.point(connection, name, to, "fell back", {}, now())
                    self.tell(f"{name} is {to} from now on")

    def _note(self, made: dict[str, str], old: str, connection: Connection, new: str) -> None:
        """Writes down, in the transaction that names it, what stands in the place of an old version."""
        made[old] = new
        self._advance(connection, "destroyed", made=made)

    def _finish(self) -> None:
        plan, uid, pseudonym = self.erasure.plan, self.erasure.uid, self.erasure.pseudonym
        late = self._spooled()  # by a server that had not looked yet
        found = scan(self.site, [uid, pseudonym])
        content = {
            "request": self.erasure.id, "asked": self.erasure.at, "finished": now(), "person": plan["commitment"],
            "site": self.site.options.name, "removed": plan["removed"], "spooled_lines": plan["lines"] + late,
            "destroyed": plan["exposed"], "retrained": plan["made"],
            "files_that_still_hold_the_person": {name: n for name, n in found.items() if name != "state"},
            "exceptions": EXCEPTIONS, "code": __version__,
        }  # fmt: skip
        signed = certificate.sign(certificate.signing_key(self.site.folder), content)
        path = self._certificate
        write_text(path, json.dumps(signed, indent=2, sort_keys=True))
        erased.add(self.site.folder, Erased(uid, plan["commitment"], self.site.options.name, now()))
        with transaction(self.site.engine) as connection:
            vault.forget(connection, pseudonym)
            objections.withdraw(connection, uid)
            ledger.append(connection, "erased", {"request": self.erasure.id, "signature": signed["signature"]}, now())
            lease.demand(connection, self.held)
            self.erasure = erasures.advance(connection, self.erasure, erasures.DONE, {})
        tidy(self.site.engine)
