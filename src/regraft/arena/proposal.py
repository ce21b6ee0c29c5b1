"""The contenders that a first configuration proposes: the ladder, as far as the log can climb it."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from regraft.plugins import names


class Proposed(NamedTuple):
    """One contender as it is written into a configuration; `why` opens a group of contenders."""

    given: str | dict[str, Any]
    why: str = ""
    llm: bool = False


def ladder(items: pl.DataFrame) -> list[Proposed]:
    """From counts to retraining. `items` of the log: what they have beside titles decides about the content rungs."""
    titled = bool((items["title"].fill_null("") != "").any()) if "title" in items.columns else False
    others = [name for name in items.columns if name not in ("item_id", "title")]
    columns = any(items[name].null_count() < len(items) for name in others)
    text = stack("columns") if columns and not titled else stack("tfidf")
    return [
        Proposed("popularity", "without a language model, cheapest first: counts, rates, neighbours"),
        Proposed("rates"),
        Proposed("item-knn"),
        Proposed(stack("none", "stack-ids")),
        *([Proposed(stack("columns", "stack-columns"), "item columns")] if columns and titled else []),
        *([Proposed(text, "item texts" if titled else "item columns")] if columns or titled else []),
        *_llms(),
    ]


def stack(similarity: str, name: str = "stack") -> dict[str, Any]:
    """The stack baseline that compares items in this way."""
    return {"use": "stack", "name": name, "settings": {"similarity": similarity}}


def _llms() -> list[Proposed]:
    """Each corrects the stack, so that it can hardly be below it."""
    bare = {"use": "never", "name": "bare+stack", "settings": {"bare": True}, "calibration": "stack"}
    closed_form = ["analytic"] if "analytic" in names("strategies") else []
    renewed = [{"use": use, "calibration": "stack"} for use in (*closed_form, "fine-tune", "replay", "full-retrain")]
    return [
        Proposed(bare, "a language model as it came, correcting the stack", llm=True),
        Proposed({"use": "never", "calibration": "stack"}, "adapted once", llm=True),
        *(Proposed(given, "renewed in every period" if not n else "", llm=True) for n, given in enumerate(renewed)),
    ]
