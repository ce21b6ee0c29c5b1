"""Shared attributes: every value of an item's columns is a dimension, weighted by how rare it is."""

from __future__ import annotations

from typing import Any

from regraft.prompts.similarity.terms import Terms, values


class Columns(Terms):
    rung = "content columns"

    @staticmethod
    def terms(columns: tuple[str, ...], texts: tuple[Any, ...]) -> list[str]:
        return values(columns, texts)
