"""Item text is data: cleaned once, so that no title can steer a prompt."""

from __future__ import annotations

import html
import re
import unicodedata

import polars as pl

LONGEST = 400  # characters kept of one field; the token cap is stricter, this bounds the work
# Control, format (bidi, zero-width), surrogate, private-use and unassigned characters.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
SOFT_HYPHEN = "\u00ad"  # shows nothing inside a line
# Unassigned in the Unicode tables of this Python, but set aside for pictographs and ideographs.
NEWER = ((0x1F000, 0x1FAFF), (0x20000, 0x2FFFD), (0x30000, 0x3FFFD))
JOINERS = "\u200c\u200d"
# Scripts that join, and pictographs: behind them a joiner has a meaning (Persian, Hindi, Malayalam, families).
JOINING = re.compile("[\u0530-\u1fff\u2190-\u2bff\ua8e0-\uabff\ufb1d-\ufdff\ufe0f\ufe70-\ufefc\U00010000-\U0001faff]")
FLAG = re.compile("(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")  # of a region
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
TAG = re.compile(
    r"</?(?:a|b|big|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|small|span|strong|sub|sup|table|tbody|td|tr|u|ul)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """NFC text on one line without hidden characters; at most LONGEST characters."""
    if text.isascii() and text.isprintable():  # nearly all titles
        return " ".join(text.split())[:LONGEST].rstrip()
    text = unicodedata.normalize("NFC", text[: 4 * LONGEST].replace(SOFT_HYPHEN, ""))
    short = re.sub(r"\s+", " ", _visible(text)).strip()[:LONGEST]
    return re.sub(r"\s+", " ", _visible(short)).strip()  # the cut may have left half a flag


def _visible(text: str) -> str:
    """Text with blanks in place of hidden characters that have no meaning where they stand."""
    tags = {at for flag in FLAG.finditer(text) for at in range(flag.start(), flag.end())}
    seen: list[str] = []
    for at, character in enumerate(text):
        joins = character in JOINERS and bool(seen) and JOINING.match(seen[-1]) and not seen[-1].isspace()
        seen.append(character if joins or at in tags or not hidden(character) else " ")
    return "".join(seen)


def hidden(character: str) -> bool:
    """Whether it may not reach a prompt or a screen by itself."""
    kind = unicodedata.category(character)
    return kind in HIDDEN and not (kind == "Cn" and any(low <= ord(character) <= high for low, high in NEWER))


def without_markup(text: str) -> str:
    """Text with HTML entities decoded and the usual HTML tags taken out: `&quot;`, `<span class="a">`.

    Entities that were encoded twice (`&amp;quot;`) are decoded as well. Other words in angle brackets stay.
    """
    for _ in range(3):
        plain = ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if plain == text:
            break
        text = plain
    without = TAG.sub(" ", text)
    return text if without == text else " ".join(without.split())


NAMELESS = "item "  # stands before the id of an item without a title


def clean_items(items: pl.DataFrame) -> pl.DataFrame:
    """The same rows with clean text in every column but `item_id`; an item without a title is called by its id."""
    if "title" not in items.columns:
        items = items.with_columns(pl.lit(None, dtype=pl.String).alias("title"))
    texts = {c: [clean(t or "") for t in items[c].cast(pl.String)] for c in items.columns if c != "item_id"}
    texts["title"] = [t or NAMELESS + i for t, i in zip(texts["title"], items["item_id"], strict=True)]
    return pl.DataFrame([pl.Series(c, texts[c], dtype=pl.String) if c in texts else items[c] for c in items.columns])
