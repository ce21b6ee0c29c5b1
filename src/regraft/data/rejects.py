"""When too many rows of a log were set aside: one error that says what stands in them and what to do about it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from regraft.data.interactions import REASONS, Cells
from regraft.data.readers._clock import FORMS
from regraft.data.readers._written import fitting
from regraft.errors import DataError

LIMIT = 0.01  # share of rows that may be set aside for one reason
SHOWN = 4  # different texts of a column
MOST = 0.5  # share above which to accept the loss is no advice
# What was expected of a row set aside for reasons that are the same in every format.
EXPECTED = {"duplicate": "every event once", "future": "times up to the present", "early": "times after 1990"}


def hold_limits(
    rejected: pl.DataFrame,
    rows_in: int,
    limits: Mapping[str, float],
    default: float,
    cells: Mapping[str, Cells],
    expected: str,
    asked: Asked,
) -> None:
    """Raises DataError where a reason has more than its share of the rows, and where no row is left."""
    counts = dict(rejected["reason"].value_counts(sort=True).iter_rows())
    over = {reason: n for reason, n in counts.items() if n / rows_in > limits.get(reason, default)}
    if rejected.height == rows_in:
        raise _nothing_left(rejected, counts, cells, asked)
    if not over:
        return
    reason, count = next(iter(over.items()))
    first = rejected.filter(pl.col("reason") == reason).row(0, named=True)
    share = count / rows_in
    accept = {one: math.ceil(100 * n / rows_in) / 100 for one, n in over.items()}
    steps = [*_remedies(reason, cells, asked), f"See them with: {asked.inspect('--quarantine')}"]
    if max(accept.values()) <= MOST:
        words = [word for one, enough in accept.items() for word in ("--limit", f"{one}={enough:g}")]
        steps.append(f"Or go on without them: {asked.init(*words)}")
        given = ", ".join(f"{one}: {enough:g}" for one, enough in accept.items())
        steps.append(f"In a YAML that is there already: limits: {{{given}}} under data")
    raise DataError(
        f"{first['file']} {_place(first['file'])} {first['line']}",
        f"{REASONS.get(reason, reason)}{_detail(reason, cells)}: '{first['text']}'",
        f"{EXPECTED.get(reason, expected)}. {count:,} of {rows_in:,} rows ({share:.2%}) are like this; "
        f"the limit is {limits.get(reason, default):.2%}.",
        "\n".join(steps),
    )


class Asked:
    """How the log was asked for, so that every command that is advised reads it the same way."""

    def __init__(self, path: Path, reader: str | None, mapping: Mapping[str, Any] | None, used: str) -> None:
        self.path, self.reader, self.mapping, self.used = path, reader, dict(mapping or {}), used

    @property
    def takes_mapping(self) -> bool:
        """Whether the log is read with the reader 'table', which can be told more."""
        return self.used == "table"

    def inspect(self, *more: str) -> str:
        return self._command("data", "inspect", *more)

    def init(self, *more: str) -> str:
        return self._command("arena", "init", *more)

    def mapped(self, more: Mapping[str, str]) -> str:
        """The command that looks at the log with some more keys of the mapping."""
        return Asked(self.path, self.reader, {**self.mapping, **more}, self.used).inspect()

    def _command(self, group: str, name: str, *more: str) -> str:
        mapping = {key: value for key, value in self.mapping.items() if value is not None}
        asked = [word for key, value in mapping.items() for word in ("--mapping", f"{key}={_written(value)}")]
        if self.reader:
            asked = ["--reader", self.reader, *asked]
        return shlex.join(["regraft", group, name, str(self.path), *asked, *more])


def _nothing_left(
    rejected: pl.DataFrame, counts: Mapping[str, int], cells: Mapping[str, Cells], asked: Asked
) -> DataError:
    lines = []
    for reason, count in counts.items():
        lines.append(f"  {count:,} {reason}: {REASONS.get(reason, reason)}{_detail(reason, cells)}")
        for row in rejected.filter(pl.col("reason") == reason).head(3).iter_rows(named=True):
            lines.append(f"    {row['file']}:{row['line']}: {row['text']}")
    return DataError(
        str(asked.path),
        f"no row is left: all {rejected.height:,} were set aside\n" + "\n".join(lines),
        "at least some rows that can be read",
        "\n".join(_remedies(next(iter(counts)), cells, asked)),
    )


def _detail(reason: str, cells: Mapping[str, Cells]) -> str:
    found = cells.get(reason)
    if found is None:
        return ""
    few = found.texts[:SHOWN]
    texts = ", ".join(few if not found.column else (f"'{text}'" for text in few))
    return f" (the column '{found.column}' holds {texts})" if found.column else f" ({texts})"


def _remedies(reason: str, cells: Mapping[str, Cells], asked: Asked) -> list[str]:
    found = cells.get(reason)
    if not asked.takes_mapping:
        return []
    if reason == "bad-time" and found:
        texts = [text for text in found.texts if text.strip()]
        forms = fitting(texts) if texts else []
        if forms:
            ways = [asked.mapped({"timestamp_format": form}) for form in forms]
            other = [f"Or, if day and month stand the other way round: {ways[1]}"] if len(ways) > 1 else []
            return [f"Read such times with: {ways[0]}", *other]
        return [f"Times are {FORMS}; any other form is read with --mapping timestamp_format='%d-%m-%Y %H:%M'"]
    if reason == "bad-value" and found:
        as_event = asked.mapped({"event": found.column, "value": ""})
        return [
            "A rating is a number such as 4.5 or 4,5, or true and false.",
            f"Read words as kinds of events: {as_event}",
        ]
    if reason == "encoding":
        return [f"Text that is not UTF-8 is read with its encoding: {asked.mapped({'encoding': 'cp1252'})}"]
    if reason == "duplicate" and found:
        without = asked.mapped({"event_id": ""})
        return [f"Where '{found.column}' does not name each event, read the log without it: {without}"]
    if reason == "nested-id":
        return ["Name a key inside an object with a dot, e.g. --mapping user_id=user.id"]
    return []


def _place(file: str) -> str:
    return "row" if file.endswith((".parquet", ".arrow", ".feather")) else "line"


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}"
    return str(value)


def shown(rejected: pl.DataFrame, most: int) -> list[tuple[str, int, Sequence[tuple[str, int, str]]]]:
    """(reason, rows, first rows as (file, line, text)), the most frequent reason first."""
    found = []
    for (reason,), rows in rejected.group_by("reason", maintain_order=True):
        first = [(row["file"], row["line"], row["text"]) for row in rows.head(most).iter_rows(named=True)]
        found.append((str(reason), rows.height, first))
    return sorted(found, key=lambda one: -one[1])
