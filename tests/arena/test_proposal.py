"""What a first configuration proposes: the ladder as far as the items of the log can climb it."""

from __future__ import annotations

from typing import Any

import polars as pl

from regraft.arena.proposal import ladder
from regraft.plugins import names
from regraft.rungs import CLASSICAL, height
from regraft.setup.config import ContenderOptions, rung_of

TITLED = pl.DataFrame({"item_id": ["a", "b"], "title": ["Alien", "Blade Runner"]})
GENRES = TITLED.with_columns(genres=pl.Series(["horror", None]))


def options(items: pl.DataFrame) -> list[ContenderOptions]:
    given: list[Any] = [one.given for one in ladder(items)]
    return [ContenderOptions(**({"use": one} if isinstance(one, str) else one)) for one in given]


def classical(items: pl.DataFrame) -> list[tuple[str, str]]:
    return [(c.label, rung_of(c)) for c in options(items) if rung_of(c) in CLASSICAL]


def test_the_ladder_is_proposed_from_the_lowest_rung_up() -> None:
    rungs = [height(rung_of(contender)) for contender in options(GENRES)]
    assert rungs == sorted(rungs)
    assert classical(GENRES)[3:] == [
        ("stack-ids", "neighbours"), ("stack-columns", "content columns"), ("stack", "text vectors"),
    ]  # fmt: skip


def test_without_item_columns_there_is_no_rung_for_them() -> None:
    assert [name for name, _ in classical(TITLED)] == ["popularity", "rates", "item-knn", "stack-ids", "stack"]
    empty = TITLED.with_columns(genres=pl.lit(None, pl.String))
    assert classical(empty) == classical(TITLED)


def test_without_titles_items_are_compared_by_their_columns() -> None:
    bare = GENRES.with_columns(title=pl.lit(""))
    assert classical(bare)[3:] == [("stack-ids", "neighbours"), ("stack", "content columns")]
    assert classical(bare.drop("genres"))[3:] == [("stack-ids", "neighbours")]


def test_every_language_model_corrects_the_stack() -> None:
    models = [c for c in options(GENRES) if c.kind == "strategy"]
    assert {c.calibration for c in models} == {"stack"}
    assert models[0].label == "bare+stack"
    assert ("analytic" in {c.use for c in models}) == ("analytic" in names("strategies"))
