from __future__ import annotations

import numpy as np
import pytest

from regraft.lm.options import FitOptions
from regraft.strategies.reptile import Reptile, towards
from regraft.testing.fake_lab import FakeLab, adapter_of, said
from strategies.days import close, days, positions

STREAM = days("heat+ heat+ heat+ heat-", "heat- heat- heat-", "heat+ heat+ up-")


def test_the_first_close_goes_through_the_periods_one_by_one_each_from_the_meta_adapter() -> None:
    lab = FakeLab()
    blend = close(Reptile(step=0.5), STREAM, 3, lab=lab)
    fits = lab.asked("fit")
    assert [int(np.unique(c.view.period[c.view.targets])[0]) for c in fits if c.view is not None] == [1, 2, 3]
    assert fits[0].asked["start"] is None
    first = FakeLab().fit(STREAM.until(4).in_periods(1, 1))
    assert fits[1].asked["start"].hash == first.hash  # the first adapted weights are the first meta adapter
    adapted = FakeLab().fit(STREAM.until(4).in_periods(2, 2), start=first)
    np.testing.assert_allclose(said(fits[2].asked["start"]), (said(first) + said(adapted)) / 2, rtol=1e-6)
    assert list(blend.kept) == ["meta"]


def test_a_later_close_trains_on_the_newest_period_only_from_the_meta_adapter() -> None:
    first, lab = close(Reptile(), STREAM, 2), FakeLab()
    close(Reptile(), STREAM, 3, first, lab)
    (fit,) = lab.asked("fit")
    assert fit.view is not None
    assert (positions(fit.view, 2), positions(fit.view, 3)) == ([], [0, 1, 2])
    assert fit.asked["start"] == first.kept["meta"]


def test_what_serves_is_the_adapted_one_and_the_meta_adapter_moves_a_share_of_the_way_to_it() -> None:
    first = close(Reptile(), STREAM, 2)
    second = close(Reptile(step=0.25), STREAM, 3, first)
    adapted, meta = second.single(), first.kept["meta"]
    assert adapted is not None
    assert adapted.hash == FakeLab().fit(STREAM.until(4).in_periods(3, 3), start=meta).hash
    np.testing.assert_allclose(said(second.kept["meta"]), 0.75 * said(meta) + 0.25 * said(adapted), rtol=1e-6)


def test_a_step_of_one_moves_all_the_way() -> None:
    blend = close(Reptile(step=1.0), STREAM, 3)
    served = blend.single()
    assert served is not None
    np.testing.assert_allclose(said(blend.kept["meta"]), said(served), rtol=1e-6)


def test_tasks_are_trained_at_the_rate_from_scratch_for_one_epoch() -> None:
    lab = FakeLab(options=FitOptions(lr=0.003, lr_incremental=0.0001, epochs=7))
    close(Reptile(), STREAM, 3, lab=lab)
    assert {(call.asked["lr"], call.asked["epochs"]) for call in lab.asked("fit")} == {(0.003, 1)}


def test_rate_and_epochs_can_be_set() -> None:
    lab = FakeLab()
    close(Reptile(lr=0.02, epochs=2), STREAM, 3, lab=lab)
    assert {(call.asked["lr"], call.asked["epochs"]) for call in lab.asked("fit")} == {(0.02, 2)}


def test_towards_moves_the_factors_and_names_both_ends() -> None:
    start, end = adapter_of(np.zeros(8)), adapter_of(np.arange(8.0))
    moved = towards(start, end, 0.25)
    np.testing.assert_array_equal(moved.weights["fake.lora_B"][:, 0], np.arange(8, dtype=np.float32) / 4)
    np.testing.assert_array_equal(moved.weights["fake.lora_A"], end.weights["fake.lora_A"])
    assert moved.lineage == {"parents": [start.hash, end.hash], "moved": 0.25}


def test_the_newest_period_must_be_stored() -> None:
    assert Reptile().stored(STREAM.until(4)) == 3


@pytest.mark.parametrize("settings", [{"step": 0.0}, {"step": 1.1}, {"epochs": 0}, {"lr": 0.0}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Reptile(**settings)  # type: ignore[arg-type]
