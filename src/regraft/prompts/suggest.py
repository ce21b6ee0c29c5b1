"""A first template for a log: its titles, the item columns that tell most, and live facts, explained in its head.

A column is taken where most items have it, its texts are short, and it neither tells items apart one by one nor says
what people thought of them. It is a beginning to be edited, not the best template: only a trial tells that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from regraft.data.labels import LabelRule
from regraft.prompts.chips import printed
from regraft.prompts.lint import LABEL_NAMES

COLUMNS = 2  # at most: every word of an event is read at every item
FILLED, LONGEST, DISTINCT = 0.3, 40, 0.8  # least share of items, characters of the middle text, share of items
JAPANESE = r"[぀-ヿ㐀-鿿]"
FACTS = ("item_rate", "item_count", "user_lean", "recent", "kin")
ADDRESS = r"^\s*(https?://|www\.)"


@dataclass(frozen=True)
class Words:
    """The sentences of a template in one language."""

    about: str
    head: str
    behind: str
    facts: str
    brackets: tuple[str, str]
    comma: str
    answers: tuple[str, str]
    answer: tuple[tuple[str, str], ...]  # (yes, no) of ratings, of an event, of choices


WORDS = {
    "en": Words(
        "Suggested from the columns {columns}; edit what it says to what is true of your shop.",
        "What one person thought of each item, in order. Yes: {yes}. No: {no}.",
        "After the title: {columns}",
        "per cent of people who liked it, how many judged it, this person's leaning, per cent liked lately, "
        "verdicts on items judged alike.",
        (" (", ")"), ", ", (" Yes", " No"),
        (("liked", "not liked"), ("{event}", "no {event}"), ("chosen", "not chosen")),
    ),
    "ja": Words(
        "列 {columns} から提案。お店に合わせて書き直してください。",
        "ある人が見た順に、商品とその反応。はい：{yes}。いいえ：{no}。",
        "名前の後：{columns}",
        "気に入った人の割合、評価数、この人の甘さ、最近気に入った割合、似た商品への評価。",
        ("（", "）"), "、", (" はい", " いいえ"),
        (("気に入った", "気に入らなかった"), ("{event}", "{event} なし"), ("選んだ", "選ばなかった")),
    ),
}  # fmt: skip


def suggest(items: pl.DataFrame, label: str = "rating > 3", lang: str | None = None) -> str:
    """The text of a timeline template. `label` is the rule of what counts as liked; `lang` None: as the titles are."""
    words = WORDS[lang or language(items)]
    chosen = telling(items)
    shown = [name for name in ("title",) if name in items.columns] + chosen
    left, right = words.brackets
    optional = (f"{{% if {printed(c)} %}}{left}{{{{ {printed(c)} }}}}{right}{{% endif %}}" for c in chosen)
    event = ("{{ item.title }}" if "title" in items.columns else "") + "".join(optional)
    yes, no = _answers(label, words)
    columns = "".join(name + words.comma for name in chosen)
    facts = "".join(f" {{{{ facts.{name} }}}}" for name in FACTS)
    return (
        f"{{# {words.about.format(columns=', '.join(shown))} #}}\n"
        f"{{% block head %}}{words.head.format(yes=yes, no=no)}\n"
        f"{words.behind.format(columns=columns)}{words.facts}\n{{% endblock %}}\n"
        f"{{% block event %}}{event}{facts}{{% endblock %}}\n"
        f"{{% block yes %}}{words.answers[0]}\n{{% endblock %}}\n"
        f"{{% block no %}}{words.answers[1]}\n{{% endblock %}}\n"
    )


def telling(items: pl.DataFrame) -> list[str]:
    """Names of at most COLUMNS columns that say most about an item in few words, the best first."""
    worth = {name: _worth(items[name]) for name in items.columns if name not in ("item_id", "title")}
    usable = [name for name, value in worth.items() if value > 0 and not LABEL_NAMES & set(name.lower().split("_"))]
    return sorted(usable, key=lambda name: -worth[name])[:COLUMNS]


def language(items: pl.DataFrame) -> str:
    """ja where a third of the titles hold Japanese characters, else en."""
    if "title" not in items.columns or not len(items):
        return "en"
    return "ja" if _share(items["title"].fill_null("").str.contains(JAPANESE)) > 1 / 3 else "en"


def _worth(column: pl.Series) -> float:
    """Share of items that have a text, times its entropy in bits; 0 for what no prompt should show."""
    texts = column.cast(pl.String, strict=False).fill_null("").str.strip_chars()
    there = texts.filter(texts != "")
    counts = there.value_counts()["count"] if len(there) else pl.Series([1])
    if len(there) < FILLED * len(texts) or len(counts) < 2 or len(counts) > max(2, DISTINCT * len(texts)):
        return 0.0
    if _share(there.str.len_chars() > LONGEST) > 0.5 or _share(there.str.contains(ADDRESS)) > 0.5:
        return 0.0
    return len(there) / len(texts) * float((counts / counts.sum()).entropy(2) or 0)


def _share(met: pl.Series) -> float:
    return int(met.sum()) / max(1, len(met))


def _answers(label: str, words: Words) -> tuple[str, str]:
    rule = LabelRule(label)
    kind = 2 if rule.implicit else int(rule.about_events)
    named = re.search(r"[\"']([^\"']*)[\"']", label)
    event = named[1] if named else ""
    yes, no = (text.format(event=event) for text in words.answer[kind])
    return (no, yes) if kind == 1 and "!=" in label else (yes, no)
