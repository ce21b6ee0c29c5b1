"""Lists for many people at once, into a file: streaming, so that memory stays flat, and resumable.

Lists are made some people at a time, each part whole on the disk in OUT.parts before the next begins; at the end the
parts become OUT. What a list depends on is fixed when the work begins - versions, arms, time, and the events of the
day - and lies in OUT.parts too: a run that was killed and started again gives the file that an unbroken one gives.
While a pilot runs everybody is in the arm that a server puts them in (serving/standing.py).

Such lists are not spooled: whether anybody sees them is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from regraft.data.assign import Split
from regraft.data.pseudonyms import Key, load_key
from regraft.data.sides import Side
from regraft.data.store import sha256
from regraft.errors import ConfigError, DataError
from regraft.files import durable, remove, whole, write_text
from regraft.release.blocked import block_returned
from regraft.serving.ranking import ranked
from regraft.serving.standing import Stamp, Standing, stamp, standing
from regraft.serving.user_files import users_in
from regraft.setup.site import Site
from regraft.state import erasures, versions
from regraft.state.database import transaction
from regraft.state.versions import Alias

AT_ONCE = 500  # people per part
PROGRESS, EVENTS = "progress.json", "events"
SUFFIXES = (".parquet", ".csv", ".jsonl")
SCHEMA = pl.Schema(
    {"user_id": pl.String, "rank": pl.Int32, "item_id": pl.String, "score": pl.Float64, "why": pl.String,
     "arm": pl.String, "version": pl.String}
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """What the lists of a file depend on, beside the site's closed days."""

    users: str  # sha256 of the users' file
    n: int
    stamp: Stamp  # versions, arms and what was closed
    now: int  # ms
    at_once: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Question:
        """From what `asdict` gave, as JSON brings it back; KeyError or TypeError where it is something else."""
        told = found["stamp"]
        others = tuple((arm, Alias(**alias)) for arm, alias in told["others"])
        sides = tuple(Side(**side) for side in told["sides"])
        stamp = Stamp(Alias(**told["alias"]), tuple(told["data"]), Split(**told["split"]), others, sides)
        return cls(**{**found, "stamp": stamp})

    @property
    def versions(self) -> set[str]:
        return {self.stamp.alias.version, *(alias.version for _, alias in self.stamp.others)}


@dataclass(frozen=True)
class Done:
    """How a batch went: people in the users' file, of these left out because they are being erased, rows written."""

    people: int
    left_out: int
    rows: int
    versions: str  # that served, in words
    resumed: int  # people whose lists were there already


def parts_of(out: Path) -> Path:
    """Where the finished parts of an output lie until all are there."""
    return out.with_name(f"{out.name}.parts")


def suffix_of(out: Path) -> str:
    """The format of an output; ConfigError where it is none of ours."""
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"--out {out}", f"ends with '{out.suffix}'", "a name that ends with " + ", ".join(SUFFIXES))
    return out.suffix


def recommend_all(
    site: Site, users: Path, out: Path, n: int, now: int, tell: Callable[[str], object] = str, at_once: int = AT_ONCE
) -> Done:  # fmt: skip
    """Writes the `n` best items of everybody in the file `users` to `out`, one row per item.

    `now` (ms) counts where the work begins anew. Raises DataError for a users' file that cannot be read.
    """
    suffix, parts, key = suffix_of(out), parts_of(out), load_key(site.folder)
    block_returned(site)  # a restored backup must not bring anybody back
    question = _question(site, users, parts, n, now, at_once, tell)
    at = standing(site, question.stamp, lambda arm, version, stays, why: tell(f"{arm} is served {stays}: {why}"))
    with (parts / EVENTS).open(encoding="utf-8") as lines:  # of the day, as they were when the work began
        at.tell([json.loads(line) for line in lines])
    with transaction(site.engine) as connection:
        blocked = erasures.blocked(connection)
    people = left_out = rows = resumed = 0
    for number, some in enumerate(_groups(users_in(users), at_once)):
        part = parts / f"{number:07d}{suffix}"
        people += len(some)
        if part.is_file():
            resumed += len(some)
            continue
        lists = _lists(at, key, some, blocked, question, site.options.repeat)
        _write(part, suffix, lists)
        rows, left_out = rows + len(lists), left_out + len(set(some)) - lists["user_id"].n_unique()
        if number % 20 == 19:
            tell(f"{people:,} people")
    _join(parts, suffix, out)
    remove(parts)
    return Done(people, left_out, rows, at.names, resumed)


def _question(
    site: Site, users: Path, parts: Path, n: int, now: int, at_once: int, tell: Callable[[str], object]
) -> Question:  # fmt: skip
    """What was begun, where it can be gone on with; else what begins now."""
    if not users.is_file():
        raise DataError(f"users '{users}'", "is no file", "a file with one person's id per line, or a column user_id")
    with transaction(site.engine) as connection:
        at, ends = stamp(connection, site.options.holdout), site.closed_cuts(connection).end
        destroyed = {v.name for v in versions.listed(connection) if v.state == versions.DESTROYED}
    asked = Question(sha256(users), n, at, now, at_once)
    begun = _begun(parts)
    if begun is not None:
        same = (begun.users, begun.n, begun.stamp.data, begun.at_once) == (asked.users, n, at.data, at_once)
        if same and not begun.versions & destroyed:
            tell(f"Going on with {', '.join(sorted(begun.versions))} as of the time when this was begun")
            return begun
    if parts.is_dir():
        tell("The site, the users or --n are others than when this was begun: beginning anew")
    remove(parts)
    rows = site.spooled_events(ends)
    write_text(parts / EVENTS, "".join(json.dumps(row) + "\n" for row in rows))
    with durable(parts / PROGRESS):
        write_text(parts / PROGRESS, json.dumps(asdict(asked)))
    return asked


def _begun(parts: Path) -> Question | None:
    path = parts / PROGRESS
    if not path.is_file():
        return None
    try:
        return Question.of(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError):  # of another version of regraft
        return None


def _lists(
    at: Standing, key: Key, users: list[str], blocked: set[str], question: Question, repeat: bool
) -> pl.DataFrame:  # fmt: skip
    rows: list[Mapping[str, Any]] = []
    for user, pseudonym in zip(users, key.pseudonyms(users), strict=True):
        if pseudonym in blocked:
            continue
        arm, loaded, data = at.of(pseudonym)
        listed = ranked(data, loaded, data.uid(pseudonym), question.n, question.now, repeat)
        rows += [
            {"user_id": user, "rank": k, "item_id": i.item, "score": i.score, "why": i.why, "arm": arm,
             "version": loaded.name}
            for k, i in enumerate(listed, start=1)
        ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA)


def _write(path: Path, suffix: str, lists: pl.DataFrame) -> None:
    def write(part: Path) -> None:
        if suffix == ".parquet":
            lists.write_parquet(part)
        elif suffix == ".csv":
            lists.write_csv(part, include_header=False)
        else:
            lists.write_ndjson(part)

    with durable(path):
        whole(path, write)


def _join(parts: Path, suffix: str, out: Path) -> None:
    """The parts in their order as one file; no more than some rows of them are in memory."""
    files = sorted(parts.glob(f"*{suffix}"))

    def write(part: Path) -> None:
        if suffix == ".parquet":
            (pl.scan_parquet(files) if files else SCHEMA.to_frame().lazy()).sink_parquet(part)
            return
        with part.open("wb") as target:
            if suffix == ".csv":
                target.write((",".join(SCHEMA) + "\n").encode())
            for file in files:
                target.write(file.read_bytes())

    with durable(out):
        whole(out, write)


def _groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    group: list[T] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
