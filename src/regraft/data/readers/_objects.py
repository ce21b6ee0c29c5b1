"""Reads JSON lines: one object per line, the keys that are asked for as strings.

polars parses all lines at once; where it refuses, the lines are halved until the broken ones are found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from regraft.data.interactions import empty_quarantine
from regraft.data.readers.lines import Lines, Mask, Part, readable, set_aside

FEW = 4096  # lines that are worth looking at one by one


def objects(lines: Lines, columns: Mapping[str, str]) -> Part:
    """`columns` (name: key) of every line that is a JSON object, as strings.

    A missing key and `null` are null; numbers, lists and objects come as their JSON text.
    """
    usable, broken = readable(lines)
    pieces = [(_nothing(columns), broken), *_parsed(usable, columns)]
    fields = pl.concat([fields for fields, _ in pieces])
    return Part(lines.file, fields, pl.concat([rejected for _, rejected in pieces]), lines.text)


def fields_of(lines: Lines, paths: Mapping[str, tuple[str, str]], ids: Sequence[str]) -> Part:
    """As `objects`, for keys inside objects too: `paths` gives (key, key in its object or "") for every name.

    Rows in which one of the `ids` is a list or an object are set aside.
    """
    part = objects(lines, {name: key for name, (key, _) in paths.items()})
    inner = {name: inside for name, (_, inside) in paths.items() if inside}
    fields = part.fields.with_columns(
        pl.col(name).str.json_path_match(f"$[{json.dumps(inside)}]") for name, inside in inner.items()
    )
    bad = pl.Series([False]).new_from_index(0, fields.height)
    for name in (name for name in ids if name in fields.columns):
        maybe = fields[name].str.contains(r"^[\[{]").fill_null(False).arg_true()
        nested = [at for at, text in zip(maybe, fields[name].gather(maybe), strict=True) if _is_nested(text)]
        bad = bad.scatter(nested, True)
    if not bad.any():
        return replace(part, fields=fields)
    numbers = fields.filter(bad)["line"].to_list()
    aside = set_aside(part.file, numbers, ["nested-id"] * len(numbers), part.text(numbers))
    return replace(part, fields=fields.filter(~bad), rejected=pl.concat([part.rejected, aside]).sort("line"))


def nested_keys(lines: Sequence[bytes]) -> dict[str, list[str]]:
    """The keys that hold objects in some of these lines, with the keys inside them."""
    found: dict[str, dict[str, None]] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        for key, value in row.items() if isinstance(row, dict) else ():
            if isinstance(value, dict):
                found.setdefault(key, {}).update(dict.fromkeys(value))
    return {key: list(keys) for key, keys in found.items()}


def keys_of(line: bytes) -> list[str]:
    """The keys of a line that is a JSON object; none where it is not one."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list(found) if isinstance(found, dict) else []


def words(value: str | None) -> str | None:
    """A JSON list of words as "a, b"; other text as it is; None where nothing is said."""
    if value and value.startswith("["):
        try:
            found = json.loads(value)
        except ValueError:
            return value
        value = ", ".join(word.strip() for word in found if isinstance(word, str) and word.strip())
    return value or None


def is_one_object(line: bytes) -> bool:
    """Whether a line is an object of lists and objects only: a whole table in one object, and no event."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(isinstance(value, dict | list) for value in found.values())


def _is_nested(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _parsed(lines: Lines, columns: Mapping[str, str]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Pieces (fields, rejected) of some lines, in their order."""
    if not len(lines):
        return
    fields = _all_at_once(lines, columns)
    if fields is not None:
        yield fields, empty_quarantine()
    elif len(lines) == 1:
        yield _nothing(columns), lines.rejected(np.ones(1, np.bool_), "not-json")
    elif len(lines) <= FEW and not (good := _look_like_objects(lines)).all():
        yield _nothing(columns), lines.rejected(~good, "not-json")
        yield from _parsed(lines.select(good), columns)
    else:
        middle = len(lines) // 2
        yield from _parsed(lines.cut(0, middle), columns)
        yield from _parsed(lines.cut(middle, len(lines)), columns)


def _all_at_once(lines: Lines, columns: Mapping[str, str]) -> pl.DataFrame | None:
    """The fields of all lines; None where some line is not an object."""
    try:
        frame = pl.read_ndjson(lines.data, schema=dict.fromkeys(columns.values(), pl.String))
    except (pl.exceptions.PolarsError, OSError):  # OSError: taken for a compressed file
        return None
    if frame.height != len(lines):  # a line of blanks gives no row
        return None
    named = [pl.col(key).alias(name) for name, key in columns.items()]
    return frame.select(*named, pl.lit(pl.Series("line", lines.numbers)))


def _nothing(columns: Mapping[str, str]) -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), "line": pl.Int64})


def _look_like_objects(lines: Lines) -> Mask:
    return np.array([_is_object(lines.raw(index)) for index in range(len(lines))], np.bool_)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON, though Python reads it")
