"""What counts as liked."""

from __future__ import annotations

import pytest

from regraft.data.labels import LabelRule
from regraft.errors import ConfigError, DataError
from worlds import tiny_log

LOG = tiny_log("a:x+@1 b:y-@2 a:y+@3")


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ("rating > 3", [1, 0, 1]),
        ("value >= 5", [1, 0, 1]),
        ("rating<1.5", [0, 1, 0]),
        ("rating <= 1", [0, 1, 0]),
        ("value == 5.0", [1, 0, 1]),
        ("value != 5", [0, 1, 0]),
        ("rating > -1", None),
    ],
)
def test_a_rule_compares_the_value_with_a_number(rule: str, labels: list[int] | None) -> None:
    if labels is None:
        with pytest.raises(DataError, match="gives every one of 3 rows the same label"):
            LabelRule(rule).apply(LOG)
    else:
        assert LabelRule(rule).apply(LOG)["label"].to_list() == labels


def test_a_rule_compares_the_event_with_a_word_in_quotes() -> None:
    log = LOG.with_columns(event=LOG["event"].clone().set(LOG["line"] == 2, "click"))
    assert LabelRule('event == "click"').apply(log)["label"].to_list() == [0, 1, 0]
    assert LabelRule("event != 'click'").apply(log)["label"].to_list() == [1, 0, 1]


def test_the_implicit_rule_likes_every_row() -> None:
    rule = LabelRule(" implicit ")
    assert rule.implicit
    assert rule.apply(LOG)["label"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(
    "rule", ["", "rating", "rating > x", "event > click", 'rating > "3"', "event == 3", "rating > 3 or 4", "liked == 1"]
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LabelRule(rule)
    assert str(caught.value) == (
        f"label rule '{rule}': cannot be read\nExpected e.g. rating > 3, value >= 4, event == \"click\", or implicit"
    )


def test_rows_without_a_value_are_counted_and_refused() -> None:
    log = LOG.with_columns(value=LOG["value"].clone().set(LOG["line"] == 2, None))
    with pytest.raises(DataError) as caught:
        LabelRule("rating > 3").apply(log)
    assert str(caught.value) == (
        "label rule 'rating > 3': 1 of 3 rows have no value to compare\nExpected a value in every row\n"
        "For a log without ratings use the rule: implicit"
    )


def test_one_event_is_labelled_as_the_same_row_of_a_log_is() -> None:
    import polars as pl

    from regraft.data.labels import LabelRule

    rows = [("click", None), ("click", 4.0), ("skip", 3.0), ("rating", -1.0)]
    frame = pl.DataFrame(rows, schema={"event": pl.String, "value": pl.Float64}, orient="row")
    for text in ("implicit", "rating > 3", "value <= 3", 'event == "click"', "event != 'click'"):
        rule = LabelRule(text)
        expected = frame.select(rule.expression().alias("label"))["label"].to_list()
        expected = expected * len(rows) if text == "implicit" else expected  # a literal is one row
        assert [rule.of(*row) for row in rows] == expected, text
