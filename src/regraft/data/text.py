"""Item text is data: cleaned once, so that no title can steer a prompt."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

LONGEST = 400  # characters kept of one field; the token cap is stricter, this bounds the work
# Control, format (bidi, zero-width), surrogate, private-use and unassigned characters.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def clean(text: str) -> str:
    """NFC text on one line without hidden characters; at most LONGEST characters."""
    if text.isascii() and text.isprintable():  # nearly all titles
        return " ".join(text.split())[:LONGEST].rstrip()
    text = unicodedata.normalize("NFC", text[: 4 * LONGEST])
    visible = "".join(c if unicodedata.category(c) not in HIDDEN else " " for c in text)
    return re.sub(r"\s+", " ", visible).strip()[:LONGEST].rstrip()


def clean_items(items: pl.DataFrame) -> pl.DataFrame:
    """The same rows with clean text in every column but `item_id`; an item without a title is called by its id."""
    if "title" not in items.columns:
        items = items.with_columns(pl.lit(None, dtype=pl.String).alias("title"))
    texts = {c: [clean(t or "") for t in items[c].cast(pl.String)] for c in items.columns if c != "item_id"}
    texts["title"] = [t or f"item {i}" for t, i in zip(texts["title"], items["item_id"], strict=True)]
    return items.with_columns(pl.Series(c, values, dtype=pl.String) for c, values in texts.items())
