"""The items of a log, complete: each once, with a title, and with a word on everything that was missing or odd."""

from __future__ import annotations

import polars as pl

from regraft.data.interactions import REASONS, Catalogue
from regraft.data.text import without_markup

CALLED = "they are called 'item <id>'"
SHOWN = 3  # rows of the item file that could not be read
MARKUP = r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|</?[A-Za-z]"
# How ids are changed by tools that take them for numbers, or by hand.
CAUSES = {
    "leading zeros were ignored: the ids of one file lost them when they were read as numbers": r"^0+(?:\B|$)|\.0+$",
    "'.0' at their end was ignored: the ids of one file became numbers with a point": r"\.0+$",
}


def complete(found: Catalogue, rows: pl.DataFrame, as_published: bool = False) -> tuple[pl.DataFrame, list[str]]:
    """The items of the catalogue and of the log, each once and with a title; and what had to be added or changed.

    HTML entities and tags in the texts are taken out, unless they are to stay `as_published`.
    """
    warnings = [*_unread(found), *found.notes]
    catalogue = found.items.cast(pl.String).filter(pl.col("item_id").is_not_null() & (pl.col("item_id") != ""))
    once = catalogue.unique("item_id", keep="first", maintain_order=True)
    if repeated := catalogue.height - once.height:
        warnings.append(f"{repeated:,} rows of the item file repeat an item; the first one is kept")
    once, changed = (once, 0) if as_published else _plain(once)
    if changed:
        warnings.append(
            f"{changed:,} of {once.height:,} items had HTML entities or tags in their text; they were taken out"
        )
    logged = rows.select(pl.col("item_id").unique(maintain_order=True))
    absent = logged.join(once, on="item_id", how="anti", maintain_order="left")
    untitled = pl.col("title").is_null() | (pl.col("title").str.strip_chars() == "")
    if absent.height:
        where = "in the item file" if once.height else "described: no item file was found"
        if found.rejected.height:
            where = "among the rows of the item file that could be read"
        warnings.append(f"{absent.height:,} of {logged.height:,} items of the log are not {where}; {CALLED}")
        warnings += _cause(absent["item_id"], once["item_id"])
    if without := once.filter(untitled).height:
        warnings.append(f"{without:,} of {once.height:,} items in the item file have no title; {CALLED}")
    title = pl.when(untitled).then(pl.lit("item ") + pl.col("item_id")).otherwise(pl.col("title"))
    return pl.concat([once, absent], how="diagonal").with_columns(title.alias("title")), warnings


def _unread(found: Catalogue) -> list[str]:
    """The rows of the item file that could not be read, by reason, with the first of them."""
    told = []
    for (reason,), rows in found.rejected.group_by("reason", maintain_order=True):
        first = "; ".join(
            f"{row['file']}:{row['line']}: {row['text']}" for row in rows.head(SHOWN).iter_rows(named=True)
        )
        remedy = " (name their encoding, e.g. --mapping encoding=cp1252)" if reason == "encoding" else ""
        meaning = REASONS.get(str(reason), str(reason))
        told.append(f"{rows.height:,} rows of the item file could not be read: {meaning}{remedy}, e.g. {first}")
    return told


def _plain(items: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The items with the markup of web pages taken out of their texts, and how many had some."""
    texts = [name for name in items.columns if name != "item_id"]
    marked = [name for name in texts if items[name].str.contains(MARKUP).any()]
    plain = items.with_columns(
        pl.Series(name, [text and without_markup(text) for text in items[name]], pl.String) for name in marked
    )
    changed = pl.Series([False]).new_from_index(0, items.height)
    for name in marked:
        changed |= plain[name].ne_missing(items[name])
    return plain, int(changed.sum())


def _cause(absent: pl.Series, known: pl.Series) -> list[str]:
    """What most likely keeps ids of the log from those of the item file: one change that makes most of them meet."""
    if not len(known):
        return []
    for cause, pattern in reversed(CAUSES.items()):
        log, file = (ids.str.strip_chars().str.replace(pattern, "") for ids in (absent, known))
        if 2 * log.is_in(file.implode()).sum() > len(absent):
            return [f"most of these would be found if {cause}"]
    log, file = (ids.str.strip_chars().str.to_lowercase() for ids in (absent, known))
    if 2 * log.is_in(file.implode()).sum() > len(absent):
        return ["most of these would be found if blanks around the ids and capital letters were ignored"]
    return []
