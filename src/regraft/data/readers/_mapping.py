"""Which column of a table is the user, the item, the time: named by the user, or by a well-known name."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from regraft.data.readers._clock import UNITS
from regraft.errors import DataError

# Recognised in this order, whatever their case.
WELL_KNOWN = {
    "user_id": ("user_id", "user", "userid", "uid", "reviewerid", "reviewer_id", "customer_id", "visitorid"),
    "item_id": (
        "item_id",
        "item",
        "itemid",
        "iid",
        "movieid",
        "movie_id",
        "parent_asin",
        "asin",
        "product_id",
    ),
    "timestamp": (
        "timestamp",
        "time",
        "ts",
        "unixreviewtime",
        "datetime",
        "event_time",
        "created_at",
        "date",
    ),
    "value": ("value", "rating", "overall", "score", "stars"),
    "event": ("event", "event_type", "event_name", "action"),
}
REQUIRED = ("user_id", "item_id", "timestamp")
ITEM = {
    "item_id": (*WELL_KNOWN["item_id"], "id"),
    "title": ("title", "name", "product_title", "movie_title", "item_title"),
}


@dataclass(frozen=True)
class Mapping:
    """Column names of a log, and how its times are written.

    A column that is not named is looked for under its well-known names; "" says that the log has none.
    Raises DataError for a unit or zone that does not exist.
    """

    user_id: str | None = None
    item_id: str | None = None
    timestamp: str | None = None
    value: str | None = None  # the rating
    event: str | None = None  # "click", "purchase", ...
    time_unit: str = "auto"  # s, ms, us, ns, iso; "auto" takes what fits the first rows
    time_zone: str = "UTC"  # of dates and ISO times that name no zone
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

    @classmethod
    def of(cls, given: Mapping | AnyMapping[str, Any] | None) -> Mapping:
        """A mapping from a dictionary, as it stands in a settings file."""
        if isinstance(given, Mapping):
            return given
        keys = [one.name for one in fields(cls)]
        for key in given or {}:
            if key not in keys:
                raise DataError("mapping", f"'{key}' is not a key", f"one of {', '.join(keys)}")
        values = dict(given or {})
        if values.get("items") is not None:
            values["items"] = Path(values["items"])
        return cls(**values)

    def log_columns(self, names: Sequence[str], file: str) -> dict[str, str]:
        """Canonical name: column of the log. Raises DataError where a column is missing."""
        chosen = {name: getattr(self, name) for name in WELL_KNOWN}
        return _found(chosen, WELL_KNOWN, REQUIRED, names, file)

    def items_columns(self, names: Sequence[str], file: str) -> dict[str, str]:
        """Canonical name: column of the item table; all columns, where `item_columns` names none."""
        found = _found({**dict.fromkeys(ITEM), **self.item_columns}, ITEM, ("item_id",), names, file)
        if not self.item_columns:
            found |= {name: name for name in names if name not in found and name not in found.values()}
        return found


def _found(
    chosen: AnyMapping[str, str | None],
    well_known: AnyMapping[str, Sequence[str]],
    required: Sequence[str],
    names: Sequence[str],
    file: str,
) -> dict[str, str]:
    known = {name.lower(): name for name in reversed(names)}
    found = {}
    for key, column in chosen.items():
        candidates = [known[name] for name in well_known.get(key, ()) if name in known]
        if column and column not in names:
            raise DataError(
                file,
                f"has no column '{column}', which the mapping names as {key}",
                f"one of its columns: {', '.join(names)}",
            )
        if column or (column is None and candidates):
            found[key] = column or candidates[0]
        elif key in required:
            raise DataError(
                file,
                f"has no column known to be {key}; its columns are {', '.join(names)}",
                f"one of the names {', '.join(well_known[key])}",
                f"Name it in the mapping, e.g. {key}: {names[0]}",
            )
    return found
