"""Words of title and attributes, weighted by how rare they are (TF-IDF), and whole attribute values."""

from __future__ import annotations

import re
from typing import Any

from regraft.prompts.similarity.terms import Terms, values

WORD = re.compile(r"\w+")


class Tfidf(Terms):
    rung = "text vectors"

    @staticmethod
    def terms(columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
        words = [word for text in texts if text for word in WORD.findall(str(text).lower())]
        return words + values(columns, texts)
