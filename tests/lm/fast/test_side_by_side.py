"""Batches side by side give what they give one after the other, in the same order, and leave nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lm.models import encoder_for, random_world, tiny_base
from regraft.data.periods import Periods
from regraft.lm.activation import activated_at, active_tokens
from regraft.lm.batches import grouped
from regraft.lm.blend import Blend
from regraft.lm.fast.override_forward import override_forward
from regraft.lm.fast.side_by_side import cpu_seconds, in_lane, lanes, side_by_side
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.workshop import Workshop

CPU = torch.device("cpu")
VIEW = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))


@pytest.fixture
def two() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two")
def test_results_come_in_order_from_threads_that_compute_alone():
    names, overtaken = set(), threading.Event()

    def work(number: int) -> tuple[int, int, bool, int]:
        if number == 0:
            assert overtaken.wait(60)
        elif number == 1:
            overtaken.set()
        names.add(threading.current_thread().name)
        return number, torch.get_num_threads(), in_lane(), lanes(CPU)

    with torch.inference_mode():
        found = list(side_by_side(work, range(7), CPU))
    assert found == [(number, 1, True, 1) for number in range(7)]
    assert len(names) == 2 and threading.current_thread().name not in names
    assert torch.get_num_threads() == 2 and not in_lane() and lanes(CPU) == 2


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_threads_keep_the_mode_of_whoever_asks(mode: type):
    with mode():
        expected = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        found = set(side_by_side(lambda _: (torch.is_grad_enabled(), torch.is_inference_mode_enabled()), range(3), CPU))
    assert found == {expected}


@pytest.mark.usefixtures("two")
def test_an_error_comes_through_once_nothing_runs_any_more():
    running, raised = [], threading.Event()

    def work(number: int) -> None:
        if number == 1:
            raised.set()
            raise ValueError("number one")
        running.append(number)
        if number == 0:
            assert raised.wait(60)
        sum(range(1_000_000))  # goes on for a while after the error
        running.remove(number)

    with pytest.raises(ValueError, match="number one"):
        list(side_by_side(work, range(20), CPU))
    assert not running


@pytest.mark.usefixtures("two")
def test_the_clock_of_a_lane_is_its_own():
    def work(long: bool) -> float:
        began, until = cpu_seconds(), time.thread_time() + (0.2 if long else 0.02)
        while time.thread_time() < until:
            pass
        return cpu_seconds() - began

    short, long = side_by_side(work, [False, True], CPU)
    assert 0.02 <= short < 0.1 < long < 0.3


def test_no_lanes_on_one_thread_or_on_a_gpu():
    assert lanes(CPU) == 1  # tests run on one thread
    assert lanes(torch.device("cuda")) == 1
    assert list(side_by_side(lambda n: (n, in_lane()), range(3), CPU)) == [(n, False) for n in range(3)]


def test_a_gate_and_a_stand_in_are_seen_by_their_own_thread_alone():
    module = nn.Identity()
    seen = []

    def other() -> None:
        seen.append((active_tokens(), float(module(torch.zeros(())))))

    def within(value: float) -> None:
        with override_forward([module], lambda own, states: own(states) + value):
            seen.append((None, float(module(torch.zeros(())))))

    with activated_at(torch.ones(1)), override_forward([module], lambda own, states: own(states) + 1):
        for run in (other, lambda: within(5.0)):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        within(2.0)
        assert float(module(torch.zeros(()))) == 1.0
    assert seen == [(None, 0.0), (None, 5.0), (None, 2.0)]
    assert "forward" not in vars(module) and active_tokens() is None


@pytest.mark.parametrize("number", [1, 2, 4])
def test_groups_share_a_step_among_lanes_and_hold_together_what_a_batch_may(number: int):
    base = tiny_base()
    blocks = encoder_for(base.tokenizer).encode(VIEW)
    everything = np.arange(len(blocks))
    groups = list(grouped(blocks, everything, 1000, number))
    assert sorted(np.concatenate(groups)) == sorted(everything)
    most = [int(blocks.tokens.lengths[group].max()) * len(group) for group in groups if len(group) > 1]
    assert max(most, default=0) <= 1000 // number
    assert len(groups) >= min(number, len(blocks))


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("adapt", ["all", "top(1/4)", "targets"])
def test_fits_and_scores_are_the_same_bits_every_time_and_those_of_one_thread(tmp_path: Path, adapt: str):
    def results(name: str) -> list[np.ndarray]:
        base = tiny_base("qwen2")
        fit = FitOptions(targets_per_step=16, epochs=2, patience=2)
        room = Workshop(base, encoder_for(base.tokenizer), AdapterOptions(rank=2, adapt=adapt), fit, tmp_path / name)
        lab = ModelLab(room)
        adapter = lab.fit(VIEW)
        return [lab.score(Blend.of(adapter), VIEW), *(adapter.weights[n] for n in sorted(adapter.weights))]

    first = results("first")
    for number in range(3):
        for ours, theirs in zip(results(f"again-{number}"), first, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    torch.set_num_threads(1)
    # Rounding differs with what is read together, and AdamW makes steps of like size from gradients of any size.
    np.testing.assert_allclose(results("alone")[0], first[0], atol=0.05)
