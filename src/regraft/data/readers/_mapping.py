"""Which column of a table is the user, the item, the time: named by the user, or by a well-known name."""

from __future__ import annotations

import codecs
import re
import shlex
import zoneinfo
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from regraft.data.readers import _names
from regraft.data.readers._clock import UNITS
from regraft.data.readers._names import ITEM_NAMES, LOG_NAMES, REQUIRED
from regraft.errors import DataError

SHOWN = 40  # names of columns
NUMBERED = re.compile(r"c([1-9]\d{0,4})")  # a column by its position


@dataclass(frozen=True)
class Columns:
    """The columns of one table, as a mapping may name them."""

    file: str
    names: Sequence[str]  # the keys of nested objects as "user.id"
    objects: AnyMapping[str, Sequence[str]] = field(default_factory=dict)  # column of objects: the keys in it
    width: int = 0  # of text that has positions: columns may be named c1, c2, ... as well
    firsts: Sequence[str] = ()  # the first cells of a file without a header

    def holds(self, name: str) -> bool:
        """Whether a mapping can name this column."""
        position = NUMBERED.fullmatch(name)
        return name in self.names or bool(position and int(position[1]) <= self.width)

    def shown(self) -> str:
        """The names, with the first cells where the names are positions only."""
        if self.firsts:
            return ", ".join(f"{name} ({cell})" for name, cell in zip(self.names, self.firsts, strict=False))
        more = f" and {len(self.names) - SHOWN:,} more" if len(self.names) > SHOWN else ""
        return ", ".join(self.names[:SHOWN]) + more


@dataclass(frozen=True)
class Mapping:
    """Column names of a log, and how its times are written.

    A column that is not named is looked for under its well-known names; "" says that the log has none. A column
    of a text file may be named by its position (c1, c2, ...), a key inside an object as "user.id".
    Raises DataError for a unit, zone or encoding that does not exist.
    """

    user_id: str | None = None
    item_id: str | None = None
    timestamp: str | None = None
    value: str | None = None  # the rating
    event: str | None = None  # "click", "purchase", ...
    event_id: str | None = None  # names each event: the same id again is the same event
    time_unit: str = "auto"  # s, ms, us, ns, iso; "auto" takes what fits, row by row
    time_zone: str = "UTC"  # of dates and written times that name no zone
    timestamp_format: str = ""  # how times are written, e.g. "%d-%m-%Y %H:%M"
    encoding: str = ""  # of lines that are not UTF-8, e.g. cp1252
    items: Path | None = None  # a table of items; default: X.items.csv beside X.interactions.csv
    item_columns: dict[str, str] = field(default_factory=dict)  # item_id, title and attributes: column

    def __post_init__(self) -> None:
        units = (*UNITS, "iso", "auto")
        if self.time_unit not in units:
            raise DataError("mapping, time_unit", f"'{self.time_unit}' is not a unit", f"one of {', '.join(units)}")
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
            raise DataError(
                "mapping, time_zone", f"'{self.time_zone}' is not a time zone", "a name such as Europe/Berlin"
            ) from error
        form = self.timestamp_format
        if form and not all(re.search(f"%[{letters}]", form) for letters in ("Yys", "mbBjs", "djs")):
            raise DataError(
                "mapping, timestamp_format", f"'{form}' gives no date", 'year, month and day, e.g. "%d-%m-%Y %H:%M"'
            )
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError as error:
            raise DataError(
                "mapping, encoding", f"'{self.encoding}' is not an encoding", "a name such as cp1252 or shift_jis"
            ) from error

    @classmethod
    def of(cls, given: Mapping | AnyMapping[str, Any] | None) -> Mapping:
        """A mapping from a dictionary, as it stands in a settings file."""
        if isinstance(given, Mapping):
            return given
        keys = [one.name for one in fields(cls)]
        for key, value in (given or {}).items():
            if key not in keys:
                raise DataError("mapping", f"'{key}' is not a key", f"one of {', '.join(keys)}")
            if key == "item_columns":
                _check_item_columns(value)
            elif not isinstance(value, str | Path | None):
                raise DataError(
                    f"mapping, {key}", f"{value!r} is not a name", f'a text in quotes, e.g. {key}: "{value}"'
                )
        values = {key: value for key, value in (given or {}).items() if value is not None or key in LOG_NAMES}
        if values.get("items") is not None:
            values["items"] = Path(values["items"])
        return cls(**values)

    def log_columns(self, table: Columns) -> dict[str, str]:
        """Canonical name: column of the log. Raises DataError where a column is missing or stands twice."""
        chosen = {name: getattr(self, name) for name in LOG_NAMES}
        found = _found(chosen, LOG_NAMES, table)
        missing = [name for name in REQUIRED if name not in found]
        if missing:
            raise _not_known(missing, found, table)
        for name, column in found.items():
            _refuse_twice(name, column, table)
        return found

    def items_columns(self, table: Columns) -> dict[str, str]:
        """Canonical name: column of the item table; all columns, where `item_columns` names none."""
        found = _found({**dict.fromkeys(ITEM_NAMES), **self.item_columns}, ITEM_NAMES, table)
        if "item_id" not in found:
            first = table.names[0]
            raise DataError(
                table.file,
                f"has no column known to be item_id; its columns are {table.shown()}",
                f"one of the names {', '.join(ITEM_NAMES['item_id'][:12])}, ...",
                f"Name it in the mapping, e.g. --mapping {shlex.quote(f'item_columns={{item_id: {first}}}')}",
            )
        if not self.item_columns:
            whole = (name for name in table.names if "." not in name or name.split(".")[0] not in table.objects)
            found |= {name: name for name in whole if name not in found and name not in found.values()}
        return found


def _check_item_columns(value: Any) -> None:
    pairs = value.items() if isinstance(value, AnyMapping) else [(None, None)]
    if not all(isinstance(name, str) and isinstance(column, str) for name, column in pairs):
        raise DataError(
            "mapping, item_columns",
            f"{value!r} names no columns",
            "item_id, title and attributes with their columns, each as text",
            "e.g. --mapping 'item_columns={item_id: nr, title: name}'",
        )


def _found(
    chosen: AnyMapping[str, str | None], known: AnyMapping[str, Sequence[str]], table: Columns
) -> dict[str, str]:
    """The columns that are named, and those with a well-known name."""
    found = {}
    open_names = [name for name in table.names if name not in table.objects and name not in chosen.values()]
    for key, column in chosen.items():
        if column:
            _check_named(key, column, table)
            found[key] = column
        elif column is None and (same := _names.well_known(open_names, known.get(key, ()))):
            found[key] = same
    return found


def _check_named(key: str, column: str, table: Columns) -> None:
    if column in table.objects:
        inside = [f"{column}.{one}" for one in table.objects[column]]
        raise DataError(
            table.file,
            f"holds objects in the column '{column}', which the mapping names as {key}",
            f"a key inside them: {', '.join(inside)}",
            f"Name it, e.g. --mapping {shlex.quote(f'{key}={inside[0]}')}" if inside else "Name another column.",
        )
    if not table.holds(column):
        without = " and seems to have no header" if table.firsts else ""
        raise DataError(
            table.file,
            f"has no column '{column}', which the mapping names as {key}{without}",
            f"one of its columns: {table.shown()}",
        )


def _not_known(missing: Sequence[str], found: AnyMapping[str, str], table: Columns) -> DataError:
    free = [name for name in table.names if name not in found.values() and name not in table.objects]
    names: dict[str, str] = {}
    for key in missing:
        left = [name for name in free if name not in names.values()]
        names[key] = _names.hinted(left, key) or next(iter(left), "")
    ready = " ".join(f"--mapping {shlex.quote(f'{key}={name}')}" for key, name in names.items())
    remedy = f"Name {'it' if len(missing) == 1 else 'them'} in the mapping, e.g. {ready}"
    return DataError(
        table.file,
        f"has no column known to be {' or '.join(missing)}; its columns are {table.shown()}",
        "; ".join(f"as {name} one of {', '.join(LOG_NAMES[name][:8])}, ..." for name in missing),
        remedy if all(names.values()) else "A log has at least a user, an item and a time in every row.",
    )


def _refuse_twice(key: str, column: str, table: Columns) -> None:
    at = [number for number, name in enumerate(table.names, 1) if name == column]
    if len(at) > 1:
        places = " and ".join(f"c{number}" for number in at)
        raise DataError(
            table.file,
            f"has {len(at)} columns called '{column}', which is the {key}: {places}",
            "one column of that name",
            f"Say which one it is, e.g. --mapping {key}=c{at[-1]}",
        )
