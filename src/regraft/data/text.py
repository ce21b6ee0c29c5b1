"""Item text is data: cleaned once, so that no title can steer a prompt."""

from __future__ import annotations

import re
import unicodedata

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
