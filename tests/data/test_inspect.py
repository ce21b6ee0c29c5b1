"""What is told about a log, what is proposed for it and why, and its picture."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.arena.event_counter import EventCounter
from regraft.data import propose
from regraft.data.inspect import Inspection, inspect
from regraft.data.inspect_plot import plot
from regraft.data.labels import LabelRule
from regraft.data.periods import Periods
from regraft.data.propose import Block
from regraft.data.regimes import Regime
from regraft.data.user_order import UserOrder
from regraft.errors import ConfigError, DataError
from regraft.prompts.timeline import Shape
from worlds import logs, tiny_log, tiny_stream

DAY = 86_400
START = 1_600_000_000  # seconds
HEADER = "user_id,item_id,timestamp,rating"
TEN = (
    "ann,a,0,5  ann,b,1,1  bob,a,2,5 "  # three in ten are warm-up
    "ann,c,3,5  bob,b,4,1  cid,a,5,5  cid,d,6,1 "  # days 3 to 6
    "ann,a,7,1  eve,e,8,5  eve,a,9,5"  # days 7 to 9
)


def written(folder: Path, rows: str, header: str = HEADER) -> Path:
    """`user,item,day,rating ...` as a CSV file."""
    lines = [header]
    for row in rows.split():
        user, item, day, *rest = row.split(",")
        lines.append(",".join([user, item, str(START + int(float(day) * DAY)), *rest]))
    path = folder / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def looked(folder: Path, rows: str = TEN, **options: object) -> Inspection:
    return inspect(written(folder, rows), **{"n_periods": 2, **options})  # type: ignore[arg-type]


# -- what is in it ---------------------------------------------------------------------------------


def test_rows_users_items_values_and_span_are_counted(tmp_path: Path) -> None:
    found = looked(tmp_path)
    assert (found.rows_in, found.accepted, found.users, found.items) == (10, 10, 4, 5)
    assert found.values == {1.0: 4, 5.0: 6}
    assert found.events == {"rating": 10}
    assert found.first == datetime.fromtimestamp(START, UTC)
    assert found.last == datetime.fromtimestamp(START + 9 * DAY, UTC)
    assert sorted(found.per_user.tolist()) == [2, 2, 2, 4]


def test_a_period_tells_who_and_what_was_not_seen_before_it(tmp_path: Path) -> None:
    table = looked(tmp_path, label="rating > 3").table
    assert table["period"].to_list() == [0, 1, 2]
    assert table["rows"].to_list() == [3, 4, 3]
    assert table["users"].to_list() == [2, 3, 2]
    assert table["events_per_user"].to_list() == pytest.approx([3 / 2, 4 / 3, 3 / 2])
    assert table["new_users"].to_list() == pytest.approx([1, 1 / 3, 1 / 2])  # cid, eve
    assert table["new_items"].to_list() == pytest.approx([1, 2 / 4, 1 / 2])  # c and d, e
    assert table["liked"].to_list() == pytest.approx([2 / 3, 1 / 2, 2 / 3])
    assert table["start"][1] == datetime.fromtimestamp(START + 3 * DAY, UTC)


def test_ties_are_rows_with_an_earlier_one_of_the_same_user_at_the_same_instant(tmp_path: Path) -> None:
    rows = "ann,a,0,5 ann,b,0,1 ann,c,0,5 bob,a,0,1 bob,b,1,5 ann,a,2,1 bob,c,3,5 ann,e,4,1"
    assert looked(tmp_path, rows).ties == pytest.approx(2 / 8)  # ann's second and third; bob is another user


def test_the_given_label_rule_decides_what_is_liked(tmp_path: Path) -> None:
    found = looked(tmp_path, label="rating <= 1")
    assert found.liked == pytest.approx(4 / 10)
    assert (found.label.value, found.label.reason) == ("rating <= 1", "given")


def test_a_label_rule_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stars > 3"):
        looked(tmp_path, label="stars > 3")


def test_titles_are_counted_for_the_items_of_the_log_only(tmp_path: Path) -> None:
    log = tmp_path / "interactions.csv"
    log.write_text(written(tmp_path, TEN).read_text())
    (tmp_path / "items.csv").write_text("item_id,title\na,Heat\nb,\nc,Up\nzz,Never seen\n")
    found = inspect(log, n_periods=2)
    assert (found.items, found.titled) == (5, 2)
    assert any("2 of 5 items of the log are not in the item file" in warning for warning in found.warnings)


def test_bad_rows_are_told_by_reason_the_most_frequent_first_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, TEN)
    with path.open("a") as file:
        file.write("ann,a,soon,5\n")
        file.writelines(f"bob,b,{START + 20 * DAY + n},good\n" for n in range(4))
    found = inspect(path, n_periods=2, quarantine=True)
    assert (found.rows_in, found.accepted) == (15, 10)
    worst, other = found.set_aside
    assert (worst.reason, worst.rows, worst.file) == ("bad-value", 4, "log.csv")
    assert worst.first[0] == (13, f"bob,b,{START + 20 * DAY},good")
    assert len(worst.first) == 3
    assert (other.reason, other.rows, other.meaning) == ("bad-time", 1, "a timestamp that is not a time")
    assert not any("set aside" in warning for warning in found.warnings)  # told once, not twice


def test_too_many_bad_rows_are_an_error_that_says_how_to_see_them(tmp_path: Path) -> None:
    path = written(tmp_path, TEN)
    with path.open("a") as file:
        file.write("ann,a,soon,5\n")
    with pytest.raises(DataError, match=r"log\.csv line 12.*\n.*1 of 11 rows \(9\.09%\)[\s\S]*--quarantine"):
        inspect(path)


def test_a_mapping_is_told_as_what_was_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, TEN, "who,what,when,stars")
    found = inspect(path, mapping={"user_id": "who", "item_id": "what", "timestamp": "when"}, n_periods=2)
    assert found.recognised.startswith("read as 'table': ")
    assert found.mapping == {"user_id": "who", "item_id": "what", "timestamp": "when"}
    assert found.users == 4


def test_what_is_handed_to_programs_holds_the_proposals_as_a_configuration_takes_them(tmp_path: Path) -> None:
    told = looked(tmp_path).as_dict()
    proposed = told["proposals"]
    assert Periods(**proposed["periods"]["value"]) == looked(tmp_path).periods.value
    assert Block(**proposed["timeline"]["value"]) == looked(tmp_path).block.value
    assert LabelRule(proposed["label"]["value"])
    assert all(one["reason"] for one in proposed.values())
    assert told["periods"][1]["rows"] == 4


# -- label rules -----------------------------------------------------------------------------------


def rows_of(events: list[str] | None = None, values: list[float | None] | None = None) -> pl.DataFrame:
    n = len(events or values or [])
    return pl.DataFrame(
        {"event": events or ["rating"] * n, "value": values or [None] * n},
        schema={"event": pl.String, "value": pl.Float64},
    )


def test_the_event_that_says_most_is_liked() -> None:
    rule = propose.label_rule(rows_of(["click", "view", "Add to Cart", "view"]))
    assert rule.value == 'event == "Add to Cart"'
    assert rule.reason.startswith("25.0% of the rows")


def test_a_kind_with_an_unknown_name_is_liked_where_all_others_say_no() -> None:
    assert propose.label_rule(rows_of(["impression", "watched", "skip"])).value == 'event == "watched"'


def test_a_log_of_one_kind_without_values_is_implicit() -> None:
    rule = propose.label_rule(rows_of(["click", "click"]))
    assert rule.value == "implicit"
    assert "negatives are sampled" in rule.reason


def test_two_kinds_that_nobody_knows_are_not_guessed() -> None:
    assert propose.label_rule(rows_of(["heard", "met"])).value == "implicit"


def test_ratings_are_split_where_the_halves_are_most_alike() -> None:
    rule = propose.label_rule(rows_of(values=[1, 2, 3, 4, 4, 5]))
    assert rule == propose.Proposal("rating > 3", "50.0% liked, the split nearest to half of the values 1, 2, 3, 4, 5")


def test_many_values_are_split_in_the_middle() -> None:
    rule = propose.label_rule(rows_of(["watch"] * 41, [float(v) for v in range(41)]))
    assert rule.value == "value > 20"


def test_a_middle_that_is_the_highest_value_is_not_taken() -> None:
    values = [float(v) for v in range(20)] + [99.0] * 30
    rule = propose.label_rule(rows_of(["watch"] * 50, values))
    assert rule.value == "value > 19"


@given(
    st.lists(st.sampled_from(["view", "click", "purchase", "rating", "listen"]), min_size=2, max_size=30),
    st.lists(st.integers(-5, 40), min_size=30, max_size=30),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_proposed_rule_can_always_be_applied(events: list[str], values: list[int], valued: bool) -> None:
    rows = rows_of(events, [float(v) for v in values[: len(events)]] if valued else None)
    labels = LabelRule(propose.label_rule(rows).value).apply(rows)["label"]
    assert set(labels.to_list()) <= {0, 1}


# -- periods ---------------------------------------------------------------------------------------


def test_an_even_load_is_cut_by_time() -> None:
    cut = propose.periods(np.arange(40_000) * 1000)
    assert (cut.value.by, cut.value.n, cut.value.warm_up) == ("time", 5, 0.3)
    assert cut.reason.startswith("the load is even; 5,600 to 5,600 rows each")


def test_a_burst_is_cut_by_count_and_the_reason_says_what_equal_times_would_hold() -> None:
    time = np.concatenate([np.arange(10_000), 10**9 + np.arange(10_000)])
    cut = propose.periods(time)
    assert (cut.value.by, cut.value.n) == ("count", 4)
    assert "periods of equal time would hold 0 to 10,000 rows" in cut.reason


def test_no_log_gets_more_than_twenty_periods_nor_a_large_one_much_warm_up() -> None:
    cut = propose.periods(np.arange(1_000_000))
    assert (cut.value.n, cut.value.warm_up) == (20, 0.1)
    assert "more than 20 periods cost more than they tell" in cut.reason


def test_the_number_that_was_asked_for_is_taken() -> None:
    assert propose.periods(np.arange(1000), 7).value.n == 7


def test_too_few_different_times_make_fewer_periods_and_the_reason_says_so() -> None:
    cut = propose.periods(np.repeat([0, 10, 20, 30], 25), 10)
    assert cut.value.n < 10
    assert "too few different times for 10 periods" in cut.reason


def test_a_log_of_one_instant_is_refused() -> None:
    with pytest.raises(DataError, match="has 50 rows at 1 different times"):
        propose.periods(np.zeros(50, dtype=np.int64))


# -- blocks ----------------------------------------------------------------------------------------


def test_short_histories_get_a_short_context() -> None:
    user = np.repeat(np.arange(40), 5)
    order = UserOrder.of(user, np.ones(200, dtype=bool))
    found = propose.block(order, np.ones(200, dtype=np.int32))
    assert found.value.context == 3
    assert found.reason.startswith("W: a quarter of the events have 3 earlier ones of their user or more. H: ")


def test_long_histories_get_the_published_context() -> None:
    order = UserOrder.of(np.zeros(500, dtype=np.int32), np.ones(500, dtype=bool))
    period = np.repeat(np.arange(1, 6), 100).astype(np.int32)
    assert propose.block(order, period).value.context == propose.CONTEXT


def test_the_block_length_is_the_one_that_reads_the_fewest_events() -> None:
    order = UserOrder.of(np.zeros(500, dtype=np.int32), np.ones(500, dtype=bool))
    period = np.repeat(np.arange(1, 6), 100).astype(np.int32)
    found = propose.block(order, period).value
    read = [propose.events_read(order, period, Block(found.context, h)) for h in propose.BLOCKS]
    assert propose.events_read(order, period, found) == min(read)


@given(logs(ties=False), st.sampled_from([1, 2, 4, 10]), st.sampled_from([1, 3, 5]))
@settings(max_examples=40, deadline=None)
def test_the_events_read_are_those_that_the_block_rule_reads(text: str, targets: int, context: int) -> None:
    stream = tiny_stream(text, Periods(by="calendar", every="1d"))
    counter = EventCounter(stream, Regime(), Shape(context, targets), "timeline")
    read = sum(counter.read(np.flatnonzero(stream.period == p)) for p in range(1, stream.n_periods + 1))
    order = UserOrder.of(stream.user, stream.happened)
    assert propose.events_read(order, stream.period, Block(context, targets)) == pytest.approx(read / len(stream))


def test_a_log_that_is_all_warm_up_reads_nothing() -> None:
    log = tiny_log("ann:a+@1 ann:b-@2")
    order = UserOrder.of(np.zeros(len(log), dtype=np.int32), np.ones(len(log), dtype=bool))
    assert propose.events_read(order, np.zeros(len(log), dtype=np.int32), Block(2, 4)) == 0.0


# -- the picture -----------------------------------------------------------------------------------


def test_the_ending_of_the_name_decides_the_format(tmp_path: Path) -> None:
    found = looked(tmp_path)
    for name, begins in (("a.svg", b"<?xml"), ("b/c.PNG", b"\x89PNG"), ("d.pdf", b"%PDF")):
        assert plot(found, tmp_path / name).read_bytes().startswith(begins)


def test_the_picture_shows_load_newcomers_and_histories(tmp_path: Path) -> None:
    drawn = plot(looked(tmp_path, label="rating > 3"), tmp_path / "a.svg").read_text()
    for words in ("Events per period", "Not seen before the period", "Events per user", "liked (rating &gt; 3)"):
        assert f"<!-- {words} -->" in drawn
    assert "half have 2 or more" in drawn


def test_the_same_log_gives_the_same_picture(tmp_path: Path) -> None:
    found = looked(tmp_path)
    assert plot(found, tmp_path / "a.svg").read_bytes() == plot(found, tmp_path / "b.svg").read_bytes()


def test_an_implicit_log_has_no_share_of_likes_in_its_picture(tmp_path: Path) -> None:
    rows = " ".join(row.rpartition(",")[0] for row in TEN.split())
    found = inspect(written(tmp_path, rows, "user_id,item_id,timestamp"), n_periods=2)
    assert found.label.value == "implicit"
    assert "liked (" not in plot(found, tmp_path / "a.svg").read_text()


def test_what_was_found_is_plain_json(tmp_path: Path) -> None:
    told = json.loads(json.dumps(looked(tmp_path).as_dict()))
    assert told["periods"][0]["start"] == looked(tmp_path).table["start"][0].isoformat()


def test_another_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a name ending in \.svg, \.png, \.pdf"):
        plot(looked(tmp_path), tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e6])
def test_a_proposed_rule_can_be_read_whatever_the_size_of_the_values(scale: float) -> None:
    rows = pl.DataFrame({"event": ["rating"] * 40, "value": [scale * (1 + n % 4) for n in range(40)]})
    liked = LabelRule(propose.label_rule(rows).value).apply(rows)["label"]
    assert liked.to_list() == [int(n % 4 >= 2) for n in range(40)]
