"""JSON that is not one object per line, as lines: an array of objects, and objects as Python prints them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

import numpy as np

from regraft.data.readers.lines import Lines, lines_of
from regraft.errors import DataError

BETWEEN = re.compile(r"[\s,]*")


def elements(text: str) -> Iterator[str]:
    """The elements of a JSON array as they are written, each on one line.

    Raises ValueError, with the number of the element, where the array breaks off.
    """
    decoder, number = json.JSONDecoder(), 0
    at = BETWEEN.match(text, text.index("[") + 1).end()  # type: ignore[union-attr]
    while text[at : at + 1] != "]":
        number += 1
        try:
            end = decoder.raw_decode(text, at)[1]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"element {number} is not complete JSON") from error
        yield text[at:end].replace("\n", " ").replace("\r", " ")
        at = BETWEEN.match(text, end).end()  # type: ignore[union-attr]


def array_lines(data: bytes, file: str, first: int) -> Lines:
    """The elements of a JSON array as lines, numbered from `first`."""
    try:
        found = list(elements(data.decode("utf-8", "replace").removeprefix("\ufeff")))
    except ValueError as error:
        raise DataError(
            file, f"is a JSON array that breaks off: {error}", "a complete array", "Fetch the file again."
        ) from error
    return lines_of("".join(f"{one}\n" for one in found).encode(), file, first)


def first_elements(data: bytes, most: int = 50) -> list[bytes]:
    """The first elements of a JSON array of which only the beginning is at hand."""
    found: list[bytes] = []
    try:
        for one in elements(data.decode("utf-8", "replace").removeprefix("\ufeff")):
            found.append(one.encode())
            if len(found) == most:
                break
    except ValueError:
        pass
    return found


def is_python(line: bytes) -> bool:
    """Whether a line is a dictionary as Python prints it, and no JSON: {'a': u'b'}."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return _literal(line) is not None
    return False


def from_python(lines: Lines) -> Lines:
    """Lines of Python dictionaries as JSON; lines that are none stay as they are."""
    raw = [lines.raw(index) for index in range(len(lines))]
    written = [
        json.dumps(found, ensure_ascii=False, default=str).encode() if (found := _literal(one)) else one for one in raw
    ]
    data = b"".join(one + b"\n" for one in written)
    return Lines(lines.file, data, np.cumsum([len(one) + 1 for one in written], dtype=np.int64) - 1, lines.numbers)


def _literal(line: bytes) -> dict[str, object] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found = ast.literal_eval(line.decode().strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return found if isinstance(found, dict) and all(isinstance(key, str) for key in found) else None
