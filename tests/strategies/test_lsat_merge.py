from __future__ import annotations

import numpy as np
import pytest

from regraft.data.stream import Stream
from regraft.lm.options import FitOptions
from regraft.strategies.lsat_merge import LsatMerge
from regraft.testing.fake_lab import FakeLab, said
from strategies.days import close, days, positions

# Training rows of day 2 deny what day 1 said; its last tenth decides who is right.
BACK = days("heat+ " * 20 + "up-", "heat- " * 18 + "heat+ heat+")
AWAY = days("heat+ " * 20 + "up-", "heat- " * 20)


def test_the_first_close_fits_a_long_and_a_short_term_adapter_and_serves_one() -> None:
    lab = FakeLab()
    blend = close(LsatMerge(), BACK, 2, lab=lab)
    long, short = lab.asked("fit")
    assert long.view is not None and short.view is not None
    assert (positions(long.view, 1), positions(long.view, 2)) == (list(range(21)), list(range(18)))
    assert (positions(short.view, 1), positions(short.view, 2)) == ([], list(range(18)))
    assert (blend.mode, blend.passes, set(blend.kept), dict(blend.state)) == ("merge", 1, {"long"}, {})


@pytest.mark.parametrize("hold_out", [0.0, 0.1, 0.4])
def test_nothing_is_trained_on_the_rows_that_choose_the_weight(hold_out: float) -> None:
    lab = FakeLab(options=FitOptions(hold_out=hold_out))
    close(LsatMerge(), BACK, 2, lab=lab)
    for fit in lab.asked("fit"):
        assert fit.view is not None
        assert positions(fit.asked["stop"], 2) == [18, 19]
        assert not {18, 19} & set(positions(fit.view, 2))


def test_the_long_term_adapter_is_frozen() -> None:
    first, lab = close(LsatMerge(), BACK, 1), FakeLab()
    second = close(LsatMerge(), BACK, 2, first, lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert (positions(fit.view, 1), fit.asked["start"]) == ([], None)
    assert second.kept["long"].hash == first.kept["long"].hash


@pytest.mark.parametrize(("stream", "weight"), [(BACK, 0.9), (AWAY, 0.1)])
def test_the_grid_point_that_the_held_out_rows_favour_is_served(stream: Stream, weight: float) -> None:
    lab = FakeLab()
    first = close(LsatMerge(), stream, 1)
    blend = close(LsatMerge(), stream, 2, first, lab)
    assert lab.notes[-1] == f"merge weight of the long-term adapter: {weight}"
    served, short = blend.single(), lab.asked("merge")[0].asked["parts"][1][0]
    assert served is not None
    wanted = weight * said(first.kept["long"]) + (1 - weight) * said(short)
    np.testing.assert_allclose(said(served), wanted, rtol=1e-5)


def test_every_grid_point_is_tried_by_the_algebra_that_was_asked_for() -> None:
    lab = FakeLab()
    close(LsatMerge(how="lsat-paper", weights=(0.2, 0.8)), BACK, 2, lab=lab)
    assert [[w for _, w in call.asked["parts"]] for call in lab.asked("merge")] == [
        pytest.approx([0.2, 0.8]),
        pytest.approx([0.8, 0.2]),
    ]
    assert {(call.asked["how"], call.asked["rank"]) for call in lab.asked("merge")} == {("lsat-paper", None)}


def test_the_exact_merge_adds_ranks_the_paper_keeps_one_and_a_cut_is_obeyed() -> None:
    ranks = {}
    for name, strategy in (
        ("exact", LsatMerge()),
        ("paper", LsatMerge(how="lsat-paper")),
        ("cut", LsatMerge(rank=1)),
    ):
        served = close(strategy, BACK, 2).single()
        assert served is not None
        ranks[name] = served.shape.rank
    assert ranks == {"exact": 2, "paper": 1, "cut": 1}


def test_without_held_out_rows_the_middle_of_the_grid_is_served() -> None:
    stream, lab = days("heat+ heat- up+", "heat+ up-"), FakeLab()
    close(LsatMerge(), stream, 2, close(LsatMerge(), stream, 1), lab)
    assert lab.notes[-1] == "merge weight of the long-term adapter: 0.5"


def test_the_newest_period_must_be_stored() -> None:
    assert LsatMerge().stored(BACK.until(3)) == 20


@pytest.mark.parametrize("settings", [{"weights": ()}, {"weights": (0.5, 1.5)}, {"how": "linear"}, {"rank": 0}])
def test_impossible_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        LsatMerge(**settings)  # type: ignore[arg-type]
