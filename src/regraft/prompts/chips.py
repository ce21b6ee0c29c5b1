"""What a template may print: the columns of an item table and the facts, each with what it looks like."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from regraft.data.text import clean
from regraft.prompts.facts import FACTS

OWNER = "item"  # what an item is called in a timeline template


@dataclass(frozen=True)
class Chip:
    """One field: `write` is what stands in a template; `filled` is the share of items that have it, 1 for facts."""

    write: str
    kind: str  # item, fact
    meaning: str
    example: str
    filled: float = 1.0


def chips(items: pl.DataFrame) -> list[Chip]:
    """The fields of these items, then all facts."""
    found = [_column(items, name) for name in items.columns if name != "item_id"]
    return found + [Chip(f"{{{{ facts.{name} }}}}", "fact", fact.meaning, "") for name, fact in FACTS.items()]


def printed(field: str, owner: str = OWNER) -> str:
    """How a template names a field of an item: item.title, item["list price"]."""
    return f"{owner}.{field}" if field.isidentifier() else f'{owner}["{field}"]'


def _column(items: pl.DataFrame, name: str) -> Chip:
    texts = items[name].cast(pl.String, strict=False).fill_null("").str.strip_chars()
    there = texts.filter(texts != "")
    example = clean(there[0]) if len(there) else ""
    meaning = "title of the item" if name == "title" else f"{there.n_unique():,} different values"
    return Chip(f"{{{{ {printed(name)} }}}}", "item", meaning, example, len(there) / max(1, len(items)))
