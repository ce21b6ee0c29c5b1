"""Puts results on the screen: plain text, tables, or JSON for a program. Data never becomes markup."""

from __future__ import annotations

import json
import shlex
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

PIPE = 160  # columns of a table that does not go to a terminal
TITLE = 18  # columns of the name of a fact
Row = Mapping[str, object]


def plain(text: str) -> str:
    """Text that cannot steer a terminal: control and bidi characters become visible; line ends, tabs and joiners stay."""
    hidden = ("Cc", "Cf", "Cs")
    return "".join(
        c if c in "\n\t\u200c\u200d" or unicodedata.category(c) not in hidden else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


def say(text: str = "", *, error: bool = False) -> None:
    """One or more lines of plain text."""
    typer.echo(plain(text), err=error)


def tell(words: str) -> None:
    """How work goes on, a line as it happens; on standard error, beside results."""
    print(words, file=sys.stderr, flush=True)


def say_json(value: object) -> None:
    """JSON on standard output, for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_as_json, allow_nan=False))


def command(*words: object) -> str:
    """A command of regraft, to be copied into a shell as it is."""
    return shlex.join(["regraft", *map(str, words)])


def show(rows: Sequence[Row], title: str = "") -> None:
    """A table; the columns are the keys of the first row, numbers stand to the right."""
    console().print(table(rows, title))


def table(rows: Sequence[Row], title: str = "") -> Table:
    """The table that `show` prints, for a live display."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(plain(title), style="bold") if title else None)
    made.title_justify = "left"
    for column in rows[0] if rows else ():
        right = all(isinstance(row[column], int | float | None) for row in rows)
        made.add_column(Text(column), justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row.values()))
    return made


@cache
def console() -> Console:
    """Where tables go; wide where nobody looks, so that a pipe gets whole lines."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPE)


def text(value: object) -> str:
    """A value as a person reads it: 12,345 and 0.7512; nothing for what is not known."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def facts(found: Mapping[str, Any]) -> Iterator[str]:
    """A line per fact, several for a list; behind them the groups of settings as YAML, one setting a line."""
    import yaml

    groups = {key: value for key, value in found.items() if isinstance(value, dict) and value}
    for key, value in found.items():
        if key not in groups:
            first, *others = _listed(value) or ["-"]
            yield f"{_title(key):<{TITLE}}{first}"
            yield from (f"{'':<{TITLE}}{line}" for line in others)
    for key, group in groups.items():
        yield _title(key)
        written = yaml.safe_dump(group, allow_unicode=True, sort_keys=False, width=sys.maxsize)
        yield from (f"  {line}" for line in written.splitlines())


def _listed(value: Any) -> list[str]:
    """The lines of a fact: one, those of a list of texts or of facts, all numbers of a list in one."""
    if not isinstance(value, list):
        return [str(value)]
    if all(isinstance(one, int) for one in value):
        return [", ".join(map(str, value))] if value else []
    return [", ".join(f"{k} {v}" for k, v in one.items()) if isinstance(one, dict) else str(one) for one in value]


def _title(key: str) -> str:
    return key.replace("_", " ")


def size(n_bytes: float) -> str:
    """Bytes in the unit a person would use."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if n_bytes < 1024 or unit == "GiB":
            return f"{n_bytes:,.0f} {unit}" if unit == "bytes" else f"{n_bytes:,.1f} {unit}"
        n_bytes /= 1024
    raise AssertionError


def duration(seconds: float) -> str:
    """42 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")


def _cell(value: object) -> Text:
    from rich.text import Text

    return Text(plain(text(value)))


def _as_json(value: Any) -> object:
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if hasattr(value, "tolist"):  # NumPy
        return value.tolist()
    return str(value)
