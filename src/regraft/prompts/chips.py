"""What a template may print: the columns of an item table and the facts, each with what it looks like."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from regraft.data.text import clean
from regraft.prompts.facts import FACTS

OWNER = "item"  # what an item is called in a timeline template
TITLE = {"en": "title of the item", "ja": "商品の題名"}
VALUES = {"en": "{n:,} different values", "ja": "{n:,} 種類の値"}
JAPANESE = {  # meanings of facts
    "item_rate": "この商品へのこれまでの評価のうち、好意的なものの割合（%）",
    "item_count": "この商品がこれまでに評価された回数",
    "item_age": "この商品が最初に現れてからの時間",
    "user_rate": "この人のこれまでの評価のうち、好意的なものの割合（%）",
    "user_lean": "この人の好意的な評価が、商品自体の率から予想されるより多いか少ないか（ポイント）",
    "user_count": "この人がこれまでに評価した回数",
    "recent": "この人の最近 10 回の評価のうち、好意的なものの割合（%）",
    "kin": "この商品と同じように評価される商品を、この人がどう評価したか（ポイント）",
    "alike_rate": "文が最もよく似た商品へのこれまでの評価のうち、好意的なものの割合（%）",
    "alike_vote": "文がよく似た商品を、この人がどう評価したか（ポイント）",
    "alike_best": "この人が気に入った商品のうち、最も似たものとの類似度（%）",
}


@dataclass(frozen=True)
class Chip:
    """One field: `write` is what stands in a template; `filled` is the share of items that have it, 1 for facts."""

    write: str
    kind: str  # item, fact
    meaning: str
    example: str
    filled: float = 1.0


def chips(items: pl.DataFrame, lang: str = "en") -> list[Chip]:
    """The fields of these items, then all facts; meanings in the language `en` or `ja`."""
    found = [_column(items, name, lang) for name in items.columns if name != "item_id"]
    said = {name: JAPANESE.get(name, fact.meaning) if lang == "ja" else fact.meaning for name, fact in FACTS.items()}
    return found + [Chip(f"{{{{ facts.{name} }}}}", "fact", meaning, "") for name, meaning in said.items()]


def printed(field: str, owner: str = OWNER) -> str:
    """How a template names a field of an item: item.title, item["list price"]."""
    return f"{owner}.{field}" if field.isidentifier() else f'{owner}["{field}"]'


def _column(items: pl.DataFrame, name: str, lang: str) -> Chip:
    texts = items[name].cast(pl.String, strict=False).fill_null("").str.strip_chars()
    there = texts.filter(texts != "")
    example = clean(there[0]) if len(there) else ""
    meaning = TITLE[lang] if name == "title" else VALUES[lang].format(n=there.n_unique())
    return Chip(f"{{{{ {printed(name)} }}}}", "item", meaning, example, len(there) / max(1, len(items)))
