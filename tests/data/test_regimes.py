"""Which rows were known at a row's time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from regraft.data.periods import Periods
from regraft.data.regimes import UNITS, Regime, duration
from regraft.errors import ConfigError
from worlds import logs, tiny_stream

HOUR = UNITS["h"]
TIES = tiny_stream("a:x+@0h b:y-@1h a:y+@1h c:x+@2h b:x-@26h", Periods(by="calendar", every="1d"))


def test_fresh_hides_rows_of_the_same_instant_from_each_other() -> None:
    assert Regime("fresh").known(TIES).tolist() == [0, 1, 1, 3, 4]


def test_paper_shows_the_rows_above_ties_included() -> None:
    assert Regime("paper").known(TIES).tolist() == [0, 1, 2, 3, 4]


def test_delayed_shows_what_is_as_old_as_the_delay() -> None:
    assert Regime("delayed", HOUR).known(TIES).tolist() == [0, 1, 1, 3, 4]
    assert Regime("delayed", 2 * HOUR).known(TIES).tolist() == [0, 0, 0, 1, 4]
    assert Regime("delayed", 25 * HOUR).known(TIES).tolist() == [0, 0, 0, 0, 3]


def test_no_delay_at_all_hides_the_same_instant_still() -> None:
    assert Regime("delayed", 0).known(TIES).tolist() == Regime("fresh").known(TIES).tolist()


def test_frozen_shows_what_came_before_the_period() -> None:
    assert Regime("frozen").known(TIES).tolist() == [0, 0, 0, 0, 4]


def test_frozen_takes_the_warm_up_row_by_row() -> None:
    stream = tiny_stream("a:x+@0 b:y-@1 a:y+@2 c:x+@3 b:x-@4 c:y+@5", Periods(by="count", n=2, warm_up=0.5))
    assert Regime("frozen").known(stream).tolist() == [0, 1, 2, 3, 4, 4]


def test_rows_that_are_asked_for_get_their_own_numbers() -> None:
    for name in ("fresh", "delayed", "frozen", "paper"):
        regime = Regime(name)
        assert regime.known(TIES, np.array([4, 2])).tolist() == regime.known(TIES)[[4, 2]].tolist()


@settings(max_examples=30, deadline=None)
@given(logs())
def test_no_regime_shows_a_row_its_own_answer_and_frozen_and_delayed_never_show_more_than_fresh(text: str) -> None:
    stream = tiny_stream(text)
    fresh, rows = Regime("fresh").known(stream), np.arange(len(stream.time))
    assert (fresh <= rows).all()
    assert (Regime("paper").known(stream) == rows).all()
    for name in ("frozen", "delayed"):
        assert (Regime(name).known(stream) <= fresh).all()


@settings(max_examples=30, deadline=None)
@given(logs())
def test_what_is_known_does_not_depend_on_later_periods(text: str) -> None:
    stream = tiny_stream(text, Periods(by="calendar", every="1d"))
    for name in ("fresh", "delayed", "frozen", "paper"):
        whole = Regime(name).known(stream)
        for period in range(1, stream.n_periods + 1):
            part = Regime(name).known(stream.until(period))
            assert part.tolist() == whole[: len(part)].tolist()


@pytest.mark.parametrize("text", ["fresh", "frozen", "paper", "delayed 21600s"])
def test_a_regime_is_read_as_it_is_written(text: str) -> None:
    assert str(Regime.parse(text)) == text


def test_delayed_without_a_time_means_a_day() -> None:
    assert Regime.parse("delayed") == Regime("delayed", 24 * HOUR)
    assert Regime.parse(" delayed 6h ") == Regime("delayed", 6 * HOUR)


@pytest.mark.parametrize("text", ["", "live", "fresh 6h", "Frozen"])
def test_a_regime_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"regime '{text}'"):
        Regime.parse(text)


@pytest.mark.parametrize(
    ("text", "ms"), [("90s", 90_000), ("15m", 900_000), ("1.5h", 5_400_000), (" 2 w ", 14 * UNITS["d"])]
)
def test_a_duration_is_a_number_and_a_unit(text: str, ms: int) -> None:
    assert duration(text) == ms


@pytest.mark.parametrize("text", ["", "6", "h", "6 hours", "-1h", "1d2h"])
def test_a_duration_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        duration(text)
    assert str(caught.value) == (
        f"duration '{text}': cannot be read\nExpected a number and a unit, e.g. 90s, 15m, 24h, 7d, 2w"
    )
