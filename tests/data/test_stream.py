"""The stream and its views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.periods import Periods
from regraft.data.row_checks import row_checks
from regraft.data.user_order import UserOrder, count_before, ranges
from regraft.errors import DataError
from worlds import logs, tiny_log, tiny_stream

DAILY = Periods(by="calendar", every="1d")
THREE = tiny_stream("a:x+@1h b:y-@2h a:y+@25h c:x-@26h a:z+@49h", DAILY)


# -- views ------------------------------------------------------------------------------------------


def test_a_view_ends_before_its_cut() -> None:
    assert [len(THREE.until(p).time) for p in (1, 2, 3, 4)] == [0, 2, 4, 5]
    assert THREE.until(2).cuts == THREE.cuts[:2]
    assert THREE.until(2).items["item_id"].to_list() == ["x", "y"]
    assert THREE.until(2).user_ids.to_list() == ["a", "b"]


def test_a_row_stamped_exactly_at_the_cut_is_hidden() -> None:
    stream = tiny_stream("a:x+@0d b:y-@1d", DAILY)
    assert stream.until(2).row_id.tolist() == [1]


@pytest.mark.parametrize("period", [0, 5, -1])
def test_a_cut_that_is_not_there_is_refused(period: int) -> None:
    with pytest.raises(DataError, match=f"stream 'tiny': has no cut {period}\nExpected 1 to 4"):
        THREE.until(period)


def test_a_gap_hides_the_newest_rows() -> None:
    stream = tiny_stream("a:x+@1h b:y-@20h a:y+@25h", DAILY.model_copy(update={"gap": "5h"}))
    assert stream.until(2).row_id.tolist() == [1]
    assert len(stream.cases(1)) == 2


def test_cases_are_the_examples_of_one_period_with_the_history_up_to_them() -> None:
    cases = THREE.cases(2)
    assert cases.ids.tolist() == [3, 4]
    assert cases.row_id.tolist() == [1, 2, 3, 4]
    assert cases.labels.tolist() == [1, 0]
    assert cases.cuts[:2] == THREE.cuts[:2]
    assert cases.cuts[-1] == THREE.time[3] + 1  # when the period will be closed is not told


def test_a_period_without_rows_has_no_cases() -> None:
    stream = tiny_stream("a:x+@1h b:y-@49h", DAILY)
    assert len(stream.cases(2)) == 0
    assert stream.cases(2).row_id.tolist() == [1]


def test_views_of_views_are_views_of_the_whole() -> None:
    for period in (1, 2, 3):
        assert THREE.until(3).until(period).fingerprint == THREE.until(period).fingerprint
    assert THREE.until(3).cases(1).fingerprint == THREE.cases(1).fingerprint


def test_fewer_examples_leave_the_history_as_it_is() -> None:
    view = THREE.only(np.array([True, False, False, True, True]))
    assert view.ids.tolist() == [1, 4, 5]
    assert len(view.time) == 5 and view.rows_hash == THREE.rows_hash
    assert view.fingerprint != THREE.fingerprint
    assert THREE.in_periods(2, 3).ids.tolist() == [3, 4, 5]
    assert THREE.of_users(np.array([0])).ids.tolist() == [1, 3, 5]


def test_the_newest_period_is_split_from_those_before_it() -> None:
    newest, older = THREE.until(3).split_last()
    assert (newest.ids.tolist(), older.ids.tolist()) == ([3, 4], [1, 2])
    none = THREE.only(slice(0, 0))
    assert [len(part) for part in none.split_last()] == [0, 0]


def test_the_end_of_the_newest_period_is_held_out() -> None:
    rest, held = THREE.until(3).hold_out(0.5)
    assert (rest.ids.tolist(), held.ids.tolist()) == ([1, 2, 3], [4])
    rest, held = THREE.until(3).hold_out(0.0)
    assert (len(rest), len(held)) == (4, 0)


def test_views_are_added_by_their_examples() -> None:
    both = THREE.cases(1) + THREE.cases(3)
    assert both.ids.tolist() == [1, 2, 5]
    assert (THREE.cases(3) + THREE.cases(1)).fingerprint == both.fingerprint
    assert (both + both).fingerprint == both.fingerprint


def test_the_warm_up_has_all_its_rows_as_examples_and_nothing_else() -> None:
    stream = tiny_stream("a:x+@0 b:y-@1 a:y+@2 c:x-@3", Periods(by="count", n=2, warm_up=0.5))
    assert stream.warm_up().ids.tolist() == [1, 2]
    assert stream.warm_up().row_id.tolist() == [1, 2]


# -- samples ----------------------------------------------------------------------------------------

LONG = tiny_stream(" ".join(f"u{n % 9}:i{n % 7}{'+' if n % 3 else '-'}@{n}" for n in range(200)))


def test_a_sample_has_the_size_asked_for_and_every_example_once() -> None:
    sample = LONG.sample(30, np.random.default_rng(0))
    assert len(sample) == len(set(sample.ids.tolist())) == 30
    assert (np.diff(sample.targets) > 0).all()
    assert len(LONG.sample(1000, np.random.default_rng(0))) == 200
    assert len(LONG.sample(0, np.random.default_rng(0))) == 0


def test_every_example_is_drawn_alike_and_weights_favour_some() -> None:
    rng, heavy = np.random.default_rng(0), LONG.ids <= 20
    plain, weighted = np.zeros(200), np.zeros(200)
    for _ in range(400):
        plain[LONG.sample(20, rng).targets] += 1
        weighted[LONG.sample(20, rng, np.where(heavy, 9.0, 1.0)).targets] += 1
    assert np.abs(plain - 40).max() < 5 * np.sqrt(40)
    assert weighted[heavy].mean() > 5 * weighted[~heavy].mean()


def test_an_example_without_weight_is_drawn_last() -> None:
    weights = (LONG.ids <= 20).astype(float)
    assert LONG.sample(20, np.random.default_rng(1), weights).ids.tolist() == list(range(1, 21))


# -- names and hashes -------------------------------------------------------------------------------


def test_rows_are_found_by_their_id() -> None:
    assert THREE.positions(np.array([5, 1, 99, -1, 3])).tolist() == [4, 0, -1, -1, 2]
    assert THREE.until(2).positions(np.array([1, 3])).tolist() == [0, -1]
    assert THREE.until(1).positions(np.array([1])).tolist() == [-1]


def test_a_check_tells_who_what_and_when() -> None:
    other = tiny_stream("a:x-@1h b:y+@2h b:y+@25h c:y-@26h a:z+@50h", DAILY)
    rows = np.arange(5)
    same = row_checks(THREE, rows) == row_checks(other, rows)
    assert same.tolist() == [True, True, False, False, False]  # a label is no part of it
    assert row_checks(THREE, np.array([3, 0])).tolist() == row_checks(THREE, rows)[[3, 0]].tolist()
    assert len(row_checks(THREE, np.zeros(0, np.int64))) == 0


@pytest.mark.parametrize("column", ["row_id", "user", "item", "time", "known_at", "label", "period", "happened"])
def test_a_fingerprint_knows_every_column(column: str) -> None:
    values = getattr(THREE, column).copy()
    values[3] = not values[3] if values.dtype == bool else values[3] + 1
    assert replace(THREE, **{column: values}).fingerprint != THREE.fingerprint


def test_a_fingerprint_knows_texts_cuts_and_gap() -> None:
    words = "a:x+@1h b:y-@2h a:y+@25h c:x-@26h a:z+@49h"
    assert tiny_stream(words, DAILY).fingerprint == THREE.fingerprint
    others = [
        tiny_stream(words, DAILY, titles={"x": "another"}),
        tiny_stream(words, DAILY, genres={"z": "new"}),
        tiny_stream(words, DAILY.model_copy(update={"gap": "1h"})),
        replace(THREE, cuts=(*THREE.cuts[:-1], THREE.cuts[-1] + 1)),
    ]
    assert len({s.fingerprint for s in (THREE, *others)}) == 5


def test_hashes_of_periods_are_those_of_all_rows_up_to_their_end() -> None:
    assert list(THREE.hashes) == [1, 2, 3]
    assert THREE.until(3).hashes == {p: THREE.hashes[p] for p in (1, 2)}
    turned = replace(THREE, label=np.array([1, 0, 1, 1, 1], np.int8))
    assert [turned.hashes[p] == THREE.hashes[p] for p in (1, 2, 3)] == [True, False, False]


def test_it_says_in_a_line_what_it_holds() -> None:
    assert THREE.describe() == "tiny: 5 rows, 5 examples, 3 users, 3 items, 1970-01-01 to 1970-01-03, 3 periods"
    assert THREE.until(1).describe() == "tiny: no rows"


# -- users' own time lines --------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(logs(), st.integers(0, 40))
def test_the_order_of_a_prefix_is_a_prefix_of_the_order(text: str, end: int) -> None:
    stream = tiny_stream(text)
    end = min(end, len(stream.time))
    n_users = int(stream.user[:end].max()) + 1 if end else 0
    part, own = stream.order.until(end, n_users), UserOrder.of(stream.user[:end], stream.happened[:end])
    for name in ("rows", "start", "index"):
        assert getattr(part, name).tolist() == getattr(own, name).tolist()


@settings(max_examples=30, deadline=None)
@given(logs())
def test_every_row_knows_how_many_of_its_user_lie_above_it(text: str) -> None:
    stream = tiny_stream(text)
    users = tiny_log(text)["user_id"].to_list()
    assert stream.order.index.tolist() == [users[:n].count(u) for n, u in enumerate(users)]
    half = np.full(len(users), len(users) // 2)
    assert stream.order.known(stream.user, half).tolist() == [users[: len(users) // 2].count(u) for u in users]


def test_counting_and_ranges_take_nothing_as_nothing() -> None:
    none = np.zeros(0, np.int64)
    assert count_before(none, np.zeros(1, np.int64), none, none).tolist() == []
    assert ranges(none, none).tolist() == []
    assert ranges(np.array([5, 2]), np.array([3, 0])).tolist() == [5, 6, 7]


def test_hashes_taken_over_from_the_log_are_those_of_the_view_itself():
    whole = replace(THREE)
    assert len(whole.hashes) == 3  # worked out first, so that views take theirs from it
    for view in (*map(whole.until, range(2, 5)), *map(whole.cases, range(1, 4))):
        assert view.hashes == replace(view).hashes
        assert view.fingerprint == replace(view).fingerprint
