"""Which batches the rows of compacted files came with: a batch of its own for every compaction, and its sources.

Row ids are given out batch by batch, so a source is known by its first and last one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from regraft.errors import StateError
from regraft.state import files
from regraft.state.files import Counts, Listed
from regraft.state.tables import batches, merged


@dataclass(frozen=True)
class Source:
    """The rows `first` to `last` (ids, inclusive) of the compacted batch came with the batch `source`."""

    batch: int
    source: int
    first: int
    last: int


def add(
    connection: Connection, sources: dict[int, tuple[int, int]], old: Iterable[Listed], new: Iterable[object]
) -> int:
    """Lists `new` files in the place of the `old` ones, in a batch that remembers its sources; gives its number.

    `sources`: first and last row id of each batch whose rows the new files hold. No row came in with the new batch, so
    it counts none, and it is as old as the newest of its sources.
    """
    at = connection.execute(select(func.max(batches.c.at)).where(batches.c.id.in_(sources))).scalar_one()
    batch = files.add(connection, Counts("compaction", "0" * 64, 0, 0, 0, 0), (), at)
    files.replace(connection, [file.name for file in old], [(file, batch) for file in new])
    rows = [{"batch": batch, "source": s, "first_row": a, "last_row": b} for s, (a, b) in sorted(sources.items())]
    connection.execute(insert(merged), rows)
    return batch


def sources(connection: Connection) -> dict[int, list[Source]]:
    """The sources of every compacted batch, by its number."""
    found: dict[int, list[Source]] = {}
    for row in connection.execute(select(merged).order_by(merged.c.batch, merged.c.source)):
        found.setdefault(row.batch, []).append(Source(row.batch, row.source, row.first_row, row.last_row))
    return found


def demand_apart(connection: Connection, numbers: Iterable[int]) -> None:
    """StateError where rows of one of these batches lie in a compacted file, so that it cannot be taken out alone."""
    together = {one for batch, parts in sources(connection).items() for one in (batch, *(p.source for p in parts))}
    if found := sorted(together & set(numbers)):
        raise StateError(
            "batches {batches}", "were compacted: their rows lie in files of several batches",
            "batches that came in since the last compaction",
            "Go back without --batch, or to a version that has seen these rows", batches=", ".join(map(str, found)),
        )  # fmt: skip
