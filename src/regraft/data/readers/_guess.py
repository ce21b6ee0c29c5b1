"""A mapping for a file without a header, guessed from what stands in its columns: a line to look at, not a choice."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import polars as pl

from regraft.data.readers._clock import Clock
from regraft.data.readers._written import fitting
from regraft.errors import DataError

FEW = 20  # different values up to which a column may be ratings or kinds of events
SEVERAL = re.compile(r"\S+(?:[ ,]\S+)+")


def without_header(file: str, path: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> DataError:
    """The error for a table whose first line is a row: what it holds, and the mapping it seems to need."""
    ready = guessed(names, rows)
    shown = ", ".join(f"{name} ({cell[:40]})" for name, cell in zip(names, rows[0], strict=False))
    found = f"seems to have no header: its columns are {shown}"
    several = [name for at, name in enumerate(names) if at not in ready.values() and _holds_several(_column(rows, at))]
    if several:
        found += f"; {' and '.join(several)} seem to hold several values in a cell, where a log has one event per row"
    words = [f"--mapping {shlex.quote(f'{key}={names[at]}')}" for key, at in ready.items()]
    if "timestamp" in ready and (form := _form(_column(rows, ready["timestamp"]))):
        words.append(f"--mapping {shlex.quote(f'timestamp_format={form}')}")
    complete = {"user_id", "item_id", "timestamp"} <= set(ready)
    line = f"regraft data inspect {shlex.quote(path)} {' '.join(words)}"
    return DataError(
        file,
        found,
        "a first line with the names of the columns, or a mapping that names them by position",
        f"If this is what they are: {line}"
        if complete
        else "Give user_id, item_id and timestamp with --mapping, or write the log anew with one event per row.",
    )


def guessed(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Canonical name: position of the column that looks like it."""
    columns = {at: _column(rows, at) for at in range(len(names))}
    found: dict[str, int] = {}
    time = next((at for at, cells in columns.items() if cells and _are_times(cells)), None)
    if time is not None:
        found["timestamp"] = time
    free = {at: cells for at, cells in columns.items() if at != time and cells and not _holds_several(cells)}
    varied = [at for at, cells in free.items() if len(set(cells)) > 1 and not _counts_rows(cells)]
    kinds = [at for at in varied if _are_kinds(free[at])]
    scales = [at for at in varied if at not in kinds and _are_values(free[at])]
    rating = min(
        scales, key=lambda at: (not any("." in cell for cell in free[at]), len(set(free[at])), at), default=None
    )
    ids = [at for at in varied if at not in kinds and at not in scales]
    if len(ids) < 2:  # ids may be small numbers, too
        ids += [at for at in scales if at != rating]
    if len(ids) < 2 and rating is not None:
        ids, rating = [*ids, rating], None
    ids = sorted(ids, key=lambda at: -len(set(free[at])))[:2]
    found |= dict(zip(("user_id", "item_id"), sorted(ids), strict=False))
    found |= {"event": kinds[0]} if kinds else {}
    found |= {"value": rating} if rating is not None else {}
    return {key: found[key] for key in ("user_id", "item_id", "value", "event", "timestamp") if key in found}


def _column(rows: Sequence[Sequence[str]], at: int) -> list[str]:
    return [row[at].strip() for row in rows if at < len(row) and row[at].strip()]


def _are_times(cells: list[str]) -> bool:
    try:
        if Clock("auto").settled(pl.Series(cells), "") is not None:
            return True
    except DataError:
        return False
    return bool(fitting(cells))


def _form(cells: list[str]) -> str:
    """The format that has to be named; empty where the times are read without."""
    try:
        known = Clock("auto").settled(pl.Series(cells), "") is not None
    except DataError:
        known = False
    return "" if known else next(iter(fitting(cells)), "")


def _are_kinds(cells: list[str]) -> bool:
    return len(set(cells)) <= min(FEW, len(cells) // 3) and all(re.fullmatch(r"[A-Za-z_\- ]+", cell) for cell in cells)


def _are_values(cells: list[str]) -> bool:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(set(numbers)) <= min(FEW, len(cells) // 3) and all(-10 <= number <= 100 for number in numbers)


def _counts_rows(cells: list[str]) -> bool:
    """Whether the cells are 1, 2, 3, ... or any number and its followers."""
    return len(cells) > 2 and cells[0].isdecimal() and cells == [str(int(cells[0]) + n) for n in range(len(cells))]


def _holds_several(cells: list[str]) -> bool:
    some = sum(bool(SEVERAL.fullmatch(cell)) and bool(re.search(r"\d", cell)) for cell in cells)
    return not fitting(cells[:5]) and 2 * some > len(cells) > 0 and not _are_times(cells)
