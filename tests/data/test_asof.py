"""Counts and sums as of a row, by hand; and that growing in steps changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from regraft.data.asof import AsOf, Grown, on_grid

# Rows 0 ... 5 belong to groups 0 1 0 0 1 2.
GROUP = np.array([0, 1, 0, 0, 1, 2])
ROW = np.arange(6)
VALUE = np.array([1.0, 10.0, 2.0, 4.0, 20.0, 7.0])
ALL = np.full(3, 6)


def six_rows(steps: tuple[int, ...] = (6,)) -> AsOf:
    """The rows above, appended in batches that end at the given rows."""
    asof = AsOf(plain={"value": np.float64}, summed=("total",))
    first = 0
    for end in steps:
        part = slice(first, end)
        asof.append(GROUP[part], ROW[part], value=VALUE[part], total=VALUE[part])
        first = end
    return asof


def groups(*codes: int) -> np.ndarray:
    return np.array(codes)


def test_a_group_counts_the_rows_below_the_limit_alone():
    asof = six_rows()
    for known, expected in {0: [0, 0, 0], 1: [1, 0, 0], 2: [1, 1, 0], 3: [2, 1, 0], 5: [3, 2, 0], 6: [3, 2, 1]}.items():
        assert asof.count(groups(0, 1, 2), np.full(3, known)).tolist() == expected


def test_a_sum_is_over_the_first_rows_of_the_group():
    asof = six_rows()
    assert asof.sum("total", groups(0, 0, 0, 0), groups(0, 1, 2, 3)).tolist() == [0, 1, 3, 7]
    assert asof.sum("total", groups(1, 2), groups(2, 1)).tolist() == [30, 7]


def test_a_sum_of_the_last_rows_leaves_out_the_earlier_ones():
    asof = six_rows()
    assert asof.sum("total", groups(0, 0, 0), groups(3, 2, 1), last=2).tolist() == [6, 3, 1]


def test_the_first_row_of_a_group_is_where_it_appeared():
    assert six_rows().first(groups(0, 1, 2)).tolist() == [0, 1, 5]


def test_append_tells_how_many_rows_of_the_group_precede_each():
    asof = AsOf()
    assert asof.append(GROUP[:3], ROW[:3]).tolist() == [0, 0, 1]
    assert asof.append(GROUP[3:], ROW[3:]).tolist() == [2, 1, 0]


def test_groups_whose_rows_were_expected_leave_no_gaps_and_answer_alike():
    group, row = np.arange(4_000) % 40, np.arange(4_000)
    grown, laid_out = AsOf(summed=("total",)), AsOf(summed=("total",))
    laid_out.expect(np.bincount(group))
    for first in range(0, 4_000, 500):
        part = slice(first, first + 500)
        ranks = [asof.append(group[part], row[part], total=row[part] / 7) for asof in (grown, laid_out)]
        assert ranks[0].tolist() == ranks[1].tolist()
    known = np.linspace(0, 4_000, 40).astype(int)
    counts = [asof.count(np.arange(40), known) for asof in (grown, laid_out)]
    assert counts[0].tolist() == counts[1].tolist()
    sums = [asof.sum("total", np.arange(40), counts[0]) for asof in (grown, laid_out)]
    assert sums[0].tobytes() == sums[1].tobytes()
    assert laid_out.row.n < 1.2 * 4_000 < 2 * 4_000 < grown.row.n


def test_a_stranger_has_no_rows():
    asof = six_rows()
    assert asof.count(groups(-1), groups(6)).tolist() == [0]
    assert asof.sum("total", groups(-1), groups(0)).tolist() == [0]
    assert asof.first(groups(-1)).tolist() == [0]


def test_a_group_that_was_announced_and_has_no_rows_yet_counts_none():
    asof = six_rows()
    asof.reserve(50)
    assert asof.count(groups(3, 49), groups(6, 6)).tolist() == [0, 0]


def test_an_empty_one_can_be_asked():
    assert AsOf().count(groups(-1, -1), groups(0, 5)).tolist() == [0, 0]


@pytest.mark.parametrize("steps", [(1, 2, 3, 4, 5, 6), (3, 3, 6), (5, 6)])
def test_rows_added_in_steps_answer_as_rows_added_at_once(steps: tuple[int, ...]):
    once, grown = six_rows(), six_rows(steps)
    for known in range(7):
        limit = np.full(3, known)
        count = once.count(groups(0, 1, 2), limit)
        assert grown.count(groups(0, 1, 2), limit).tolist() == count.tolist()
        assert grown.sum("total", groups(0, 1, 2), count).tolist() == once.sum("total", groups(0, 1, 2), count).tolist()


def test_a_group_that_moves_takes_its_columns_along():
    asof, n = AsOf(plain={"value": np.float64}, summed=("total",)), 200
    for row in range(n):
        asof.append(groups(row % 3), groups(row), value=groups(row) / 4, total=np.ones(1))
    for g in range(3):
        mine = slice(int(asof.start[g]), int(asof.start[g] + asof.size[g]))
        assert (asof["value"][mine] * 4).tolist() == list(range(g, n, 3))
        assert asof.sum("total", groups(g), asof.size[[g]]).tolist() == [len(range(g, n, 3))]


def test_sums_do_not_depend_in_the_last_bit_on_other_rows():
    values = np.random.default_rng(0).normal(size=400)
    group = np.arange(400) % 7
    alone, longer = AsOf(summed=("total",)), AsOf(summed=("total",))
    alone.append(group[:100], np.arange(100), total=values[:100])
    longer.append(group, np.arange(400), total=values)
    count = alone.count(np.arange(7), np.full(7, 100))
    assert alone.sum("total", np.arange(7), count).tobytes() == longer.sum("total", np.arange(7), count).tobytes()


def test_arrays_restore_the_same_answers_and_take_more_rows():
    asof = six_rows()
    copy = AsOf(plain={"value": np.float64}, summed=("total",)).restore({k: v.copy() for k, v in asof.arrays().items()})
    for one in (asof, copy):
        one.append(groups(2, 0), groups(6, 7), value=np.ones(2), total=np.ones(2))
    assert {n: a.tobytes() for n, a in copy.arrays().items()} == {n: a.tobytes() for n, a in asof.arrays().items()}


def test_rounding_to_the_grid_makes_sums_exact_in_any_order():
    values = on_grid(np.random.default_rng(1).normal(size=1_000))
    assert values.sum() == values[::-1].sum() == np.sort(values).sum()
    assert np.abs(values - np.random.default_rng(1).normal(size=1_000)).max() <= 2.0**-25


def test_a_grown_array_shows_what_was_added_and_no_spare_room():
    grown = Grown(np.zeros(0))
    for n in range(40):
        grown.extend(np.array([n, n]))
    assert grown.values.tolist() == [n for n in range(40) for _ in range(2)]
    assert len(grown.data) > grown.n
