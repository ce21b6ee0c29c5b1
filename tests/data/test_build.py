"""From a log to a stream: names of rows, order, late rows, texts of items."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from regraft.data.build import LARGEST_ID, MOST_NEGATIVES, build_stream, item_versions
from regraft.data.interactions import TIME
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError
from worlds import tiny_log, tiny_stream

DAILY = Periods(by="calendar", every="1d")
HOUR = 3_600_000
LOG = tiny_log("a:x+@1h b:y-@2h a:y+@25h c:x-@26h a:z+@49h")


def built(log: pl.DataFrame, periods: Periods = DAILY, items: pl.DataFrame | None = None, **more: object) -> Stream:
    return build_stream(log, log.select("item_id") if items is None else items, "rating > 3", periods, **more)  # type: ignore[arg-type]


def known(log: pl.DataFrame, line: int, hours: float) -> pl.DataFrame:
    """The log with one row that became known later."""
    late = pl.from_epoch(pl.lit(int(hours * HOUR)), "ms").dt.replace_time_zone("UTC").cast(TIME)
    return log.with_columns(known_at=pl.when(pl.col("line") == line).then(late).otherwise(None))


# -- names and order --------------------------------------------------------------------------------


def test_rows_are_named_by_their_line_where_they_have_no_id() -> None:
    assert built(LOG).row_id.tolist() == [1, 2, 3, 4, 5]
    assert built(LOG.with_columns(row_id=pl.col("line") * 7)).row_id.tolist() == [7, 14, 21, 28, 35]


def test_the_order_of_the_file_plays_no_part_and_equal_times_are_ordered_by_id() -> None:
    log = tiny_log("a:x+@1h b:y-@1h c:z+@1h d:x-@0h")
    stream = built(log)
    assert stream.row_id.tolist() == [4, 1, 2, 3]
    assert built(log.reverse()).fingerprint == stream.fingerprint


def test_users_and_items_are_coded_by_first_appearance() -> None:
    stream = built(LOG)
    assert (stream.user_ids.to_list(), stream.user.tolist()) == (["a", "b", "c"], [0, 1, 0, 2, 0])
    assert (stream.items["item_id"].to_list(), stream.item.tolist()) == (["x", "y", "z"], [0, 1, 1, 0, 2])


@pytest.mark.parametrize("ids", [[1, 1, 2, 3, 4], [-1, 1, 2, 3, 4], [None, 1, 2, 3, 4], [LARGEST_ID, 1, 2, 3, 4]])
def test_ids_that_do_not_name_the_rows_are_refused(ids: list[int | None]) -> None:
    with pytest.raises(DataError, match="stream 'shop': the column row_id does not name the rows"):
        built(LOG.with_columns(row_id=pl.Series(ids, dtype=pl.Int64)), name="shop")


def test_a_log_without_rows_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        built(LOG.clear(), name="shop")
    assert str(caught.value) == "stream 'shop': the log has no rows\nExpected at least one accepted interaction"


def test_rows_of_the_warm_up_are_history_and_no_examples() -> None:
    stream = built(LOG, Periods(by="count", n=2, warm_up=0.4))
    assert stream.period.tolist() == [0, 0, 1, 2, 2]
    assert stream.targets.tolist() == [2, 3, 4]


# -- late rows --------------------------------------------------------------------------------------


def test_a_late_row_stands_where_it_became_known_and_is_never_an_example() -> None:
    stream = built(known(LOG, 2, 25.5))
    assert stream.row_id.tolist() == [1, 3, 2, 4, 5]
    assert stream.time.tolist() == [h * HOUR for h in (1, 25, 2, 26, 49)]
    assert stream.known_at.tolist() == [int(h * HOUR) for h in (1, 25, 25.5, 26, 49)]
    assert stream.period.tolist() == [1, 2, 2, 2, 3]
    assert stream.ids.tolist() == [1, 3, 4, 5]


def test_late_rows_of_one_instant_are_ordered_by_id_among_the_others() -> None:
    assert built(known(LOG, 2, 26)).row_id.tolist() == [1, 3, 2, 4, 5]
    assert built(known(LOG, 1, 25).with_columns(row_id=10 - pl.col("line"))).row_id.tolist() == [8, 7, 9, 6, 5]


def test_a_late_row_is_not_seen_before_and_is_history_after() -> None:
    stream = built(known(LOG, 2, 25.5))
    assert 2 not in stream.until(2).row_id
    assert 2 in stream.until(3).row_id
    assert "b" not in stream.until(2).user_ids.to_list()
    own = stream.order
    b = stream.user_ids.to_list().index("b")
    assert own.rows[own.start[b] : own.start[b + 1]].tolist() == [2]
    assert stream.cases(2).ids.tolist() == [3, 4]


def test_a_row_cannot_be_known_before_it_happened() -> None:
    early = known(LOG, 3, 1)
    assert built(early).known_at.tolist() == built(LOG).known_at.tolist()
    assert built(early).fingerprint == built(LOG).fingerprint


def test_negatives_of_a_late_row_are_no_examples_either() -> None:
    log = known(tiny_log("a:x+@1h b:y+@2h c:z+@3h a:y+@25h c:x+@26h"), 2, 25.5)
    stream = build_stream(log, log.select("item_id"), "implicit", DAILY)
    late = stream.known_at > stream.time
    assert late.sum() == 2 and not np.isin(np.flatnonzero(late), stream.targets).any()


# -- sampled negatives ------------------------------------------------------------------------------


def test_negatives_stand_behind_their_positive_at_its_time_and_in_its_period() -> None:
    stream = tiny_stream(" ".join(f"u{n}:i{n % 4}+@{n}h" for n in range(40)), DAILY, label="implicit", negatives=2)
    above = np.maximum.accumulate(np.where(stream.happened, np.arange(len(stream.time)), 0))
    for name in ("time", "known_at", "period", "user"):
        values = getattr(stream, name)
        assert (values == values[above]).all()
    assert (np.arange(len(above)) - above).max() == 2
    assert stream.implicit and (stream.label == stream.happened).all()


def test_too_many_negatives_and_straddled_cuts_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"data.negatives: is 5000\nExpected at most {MOST_NEGATIVES}"):
        tiny_stream("a:x+@1 b:y+@2", label="implicit", negatives=5000)
    with pytest.raises(ConfigError, match="Sampled negatives share the time of their positive"):
        tiny_stream("a:x+@1 b:y+@2", Periods(by="count", n=2, straddle=True), label="implicit")


# -- texts of items ---------------------------------------------------------------------------------


def items_of(*rows: tuple[str, str | None, float | None]) -> pl.DataFrame:
    frame = pl.DataFrame(
        [(i, t, None if h is None else int(h * HOUR)) for i, t, h in rows],
        schema={"item_id": pl.String, "title": pl.String, "known_at": pl.Int64}, orient="row",
    )  # fmt: skip
    return frame.with_columns(pl.from_epoch("known_at", "ms").dt.replace_time_zone("UTC").cast(TIME))


def titles(stream: Stream) -> list[str]:
    return stream.items["title"].to_list()


def test_a_view_shows_the_text_of_an_item_as_known_at_its_cut() -> None:
    items = items_of(("x", "X", None), ("x", "X, 2nd ed.", 24), ("x", "X, 3rd ed.", 30), ("y", "Y", None))
    stream = built(LOG, items=items)
    assert titles(stream) == ["X, 3rd ed.", "Y", "item z"]
    assert [titles(stream.until(p)) for p in (2, 3)] == [["X", "Y"], ["X, 3rd ed.", "Y"]]
    assert titles(stream.until(3).until(2)) == ["X", "Y"]
    assert titles(stream.cases(2)) == ["X", "Y"]


def test_texts_in_any_order_of_the_file_give_the_same_stream() -> None:
    items = items_of(("x", "new", 20), ("y", "Y", None), ("x", "old", 10), ("x", "newest", 40))
    assert built(LOG, items=items).until(3).fingerprint == built(LOG, items=items.reverse()).until(3).fingerprint


def test_an_item_is_called_by_its_first_text_until_the_second_one_is_known() -> None:
    stream = built(LOG, items=items_of(("x", "first", 30), ("x", "second", 40)))
    assert [titles(stream.until(p))[0] for p in (2, 3)] == ["first", "second"]


def test_a_changed_text_makes_another_fingerprint_and_other_kept_scores_from_its_cut_on() -> None:
    one = built(LOG, items=items_of(("x", "X", None)))
    other = built(LOG, items=items_of(("x", "X", None), ("x", "changed", 25)))
    assert one.until(2).fingerprint == other.until(2).fingerprint
    assert one.until(3).fingerprint != other.until(3).fingerprint
    assert one.until(3).scored_under(1) != other.until(3).scored_under(1)
    assert one.until(3).hashes == other.until(3).hashes


def test_items_without_a_text_are_called_by_their_id_and_the_first_of_two_rows_counts() -> None:
    items = pl.DataFrame(
        {"item_id": ["x", "x", "y"], "title": ["  X\n one ", "X two", None], "genre": ["g", "h", None]}
    )
    stream = built(LOG, items=items)
    assert titles(stream) == ["X one", "item y", "item z"]
    assert stream.items["genre"].to_list() == ["g", "", ""]
    assert stream.item_versions is None
    assert item_versions(pl.DataFrame({"item_id": ["x"]}), pl.Series(["x"]))["title"].to_list() == ["item x"]
