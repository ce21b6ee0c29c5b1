"""Test rows by what was known before the cut, and the table by group."""

from __future__ import annotations

import math

import pytest

from regraft.errors import DataError
from regraft.metrics.groups import (
    ITEM_GROUPS,
    LENGTH_GROUPS,
    USER_GROUPS,
    by_group,
    item_groups,
    length_groups,
    user_groups,
)

# past rows of periods 8, 9 and 10; the test period is 11
PAST = {"past": [0, 1, 1, 2, 0], "periods": [8, 9, 10, 9, 8]}


def test_users_are_new_dormant_or_continuing_by_their_last_event():
    found = user_groups([0, 1, 2, 3, 1], PAST["past"], PAST["periods"], newest=10)
    assert found.tolist() == ["dormant", "continuing", "dormant", "new", "continuing"]


def test_a_longer_memory_makes_fewer_users_dormant():
    found = user_groups([0, 1, 2], PAST["past"], PAST["periods"], newest=10, recent=2)
    assert found.tolist() == ["dormant", "continuing", "continuing"]
    everyone = user_groups([0, 1, 2], PAST["past"], PAST["periods"], newest=10, recent=3)
    assert set(everyone) == {"continuing"}


def test_an_empty_newest_period_makes_every_known_user_dormant():
    found = user_groups([1, 2], PAST["past"], PAST["periods"], newest=11)
    assert found.tolist() == ["dormant", "dormant"]


def test_items_are_cold_new_or_warm_by_their_first_row():
    found = item_groups([0, 1, 2, 9], [0, 1, 2, 2], [8, 10, 9, 10], newest=10)
    assert found.tolist() == ["warm", "new", "warm", "cold"]


def test_without_a_past_every_user_is_new_and_every_item_cold():
    assert user_groups([0, 5], [], [], newest=0).tolist() == ["new", "new"]
    assert item_groups([0, 5], [], [], newest=0).tolist() == ["cold", "cold"]


def test_a_past_without_test_rows_gives_no_labels():
    assert user_groups([], [0], [1], newest=1).size == 0


def test_history_lengths_fall_into_five_bins_with_inclusive_ends():
    lengths = [0, 1, 4, 5, 19, 20, 99, 100, 5000]
    assert length_groups(lengths).tolist() == [*("0", "1-4", "1-4", "5-19", "5-19", "20-99", "20-99", "100+", "100+")]


def test_a_row_of_the_future_in_the_past_is_an_error():
    with pytest.raises(DataError) as caught:
        user_groups([0], [0, 1, 1], [9, 11, 12], newest=10)
    assert str(caught.value) == (
        "user groups: found 2 of 3 past rows after period 10\n"
        "Expected only rows before the cut, of periods up to 10.\n"
        "Pass a view up to the cut: a label from the future would make groups look better than they are."
    )


def test_bad_codes_lengths_and_windows_are_errors():
    with pytest.raises(DataError, match="found 1 item codes below 0"):
        item_groups([-1], [0], [1], newest=1)
    with pytest.raises(DataError, match="found 1 past users, 2 past periods"):
        user_groups([0], [0], [1, 1], newest=1)
    with pytest.raises(DataError, match="found a history of -1 events"):
        length_groups([3, -1])
    with pytest.raises(DataError, match="found recent = 0"):
        user_groups([0], [0], [1], newest=1, recent=0)


def test_the_table_by_group_measures_each_group_alone():
    label, score = [1, 0, 1, 0, 1], [1.0, 0.0, 0.0, 1.0, 0.0]
    users, groups = [0, 0, 1, 2, 3], ["warm", "warm", "new", "new", "cold"]
    table = by_group(label, score, users, groups, ITEM_GROUPS)
    assert table["group"].to_list() == ["cold", "new", "warm"]
    assert table["n"].to_list() == [1, 2, 2]
    assert table["users"].to_list() == [1, 2, 1]
    assert table["like_rate"].to_list() == [1.0, 0.5, 0.5]
    assert table["auc"].to_list()[1:] == [0.0, 1.0]
    assert table["uauc"].to_list()[2] == 1.0
    assert table["uauc_n"].to_list() == [0, 0, 2]
    assert table["log_loss"].to_list()[0] == pytest.approx(math.log(2))


def test_what_is_undefined_is_nan_and_no_group_is_dropped():
    table = by_group([1], [0.3], ["u"], ["new"], USER_GROUPS)
    assert table["group"].to_list() == ["new", "dormant", "continuing"]
    assert table["n"].to_list() == [1, 0, 0]
    assert table["auc"].is_nan().all()
    assert table["uauc"].is_nan().all()
    assert table["log_loss"].is_nan().to_list() == [False, True, True]
    assert table["like_rate"].is_nan().to_list() == [False, True, True]
    assert table.null_count().sum_horizontal().item() == 0


def test_groups_without_a_given_place_follow_by_name():
    table = by_group([1, 0, 1], [0.1, 0.2, 0.3], [0, 1, 2], ["z", "100+", "a"], LENGTH_GROUPS)
    assert table["group"].to_list() == [*LENGTH_GROUPS, "a", "z"]


def test_no_rows_and_no_order_make_an_empty_table():
    assert by_group([], [], [], []).height == 0
