"""Examples as JSON Lines for other training tools, one line per example in the view's order.

    trl      {"prompt", "completion"}              TRL's prompt-completion type
    alpaca   {"instruction", "input", "output"}    LLaMA-Factory, with its dataset_info.json beside the file
    sharegpt {"conversations": [{"from", "value"}]}  the same, as a conversation of two turns

LLaMA-Factory joins instruction and input with one line break, so the text is cut at the last line break
before the first item: joined again, it is the prompt that regraft itself would read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError
from regraft.files import whole
from regraft.prompts.preview import Preview, Prompts
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

INFO = "dataset_info.json"
# What dataset_info.json says of the columns, in the formats that LLaMA-Factory reads.
COLUMNS = {
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "sharegpt": {"messages": "conversations"},
}


def export(
    view: Stream,
    template: Template,
    regime: Regime,
    shape: Shape,
    format: str,
    path: Path,
    refresh: str = "event",
    similarity: str = "tfidf",
) -> int:
    """Writes every example of the view to `path` (UTF-8) and returns how many there were.

    The file appears when it is complete; an older one of that name stays until then.
    """
    if format not in FORMATS:
        raise ConfigError(f"format '{format}'", "is unknown", "one of " + ", ".join(FORMATS))
    prompts = Prompts(view, template, regime, shape, refresh, similarity)
    record = FORMATS[format]
    info = _read_info(path.parent / INFO) if format in COLUMNS else {}
    lines = (_json(record(prompts.preview(i))) + "\n" for i in range(len(prompts)))
    described = {"file_name": path.name, "formatting": format, "columns": COLUMNS.get(format)}
    if info.get(path.stem, described) != described:
        raise ConfigError(
            str(path.parent / INFO), f"describes another data set as '{path.stem}'", "a name that is not taken there"
        )
    count = _write(path, lines)
    if format in COLUMNS:
        info[path.stem] = described
        _write(path.parent / INFO, [_json(info, indent=2) + "\n"])
    return count


def _trl(example: Preview) -> dict[str, str]:
    return {"prompt": example.text, "completion": example.answer}


def _alpaca(example: Preview) -> dict[str, str]:
    text, first = example.text, 0
    for part in example.pieces:
        if part.source == "item":
            break
        first += len(part.text)
    head, _, rest = text[:first].rpartition("\n")
    return {"instruction": head, "input": rest + text[first:], "output": example.answer}


def _sharegpt(example: Preview) -> dict[str, Any]:
    turns = (("human", example.text), ("gpt", example.answer))
    return {"conversations": [{"from": who, "value": said} for who, said in turns]}


FORMATS: dict[str, Callable[[Preview], dict[str, Any]]] = {"trl": _trl, "alpaca": _alpaca, "sharegpt": _sharegpt}


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _read_info(path: Path) -> dict[str, object]:
    """The data sets already described there: several exports may share a folder."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(str(path), f"cannot be read: {error}", "a JSON object, one entry per data set") from error
    if not isinstance(found, dict):
        raise DataError(str(path), f"holds a {type(found).__name__}", "a JSON object, one entry per data set")
    return found


def _write(path: Path, lines: Iterable[str]) -> int:
    """Writes the lines, and returns how many there were."""
    count = 0

    def write(part: Path) -> None:
        nonlocal count
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line)
                count += 1
            file.flush()
            os.fsync(file.fileno())

    whole(path, write)
    return count
