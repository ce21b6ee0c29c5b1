"""Common ground of the contract tests: a small log with new users and items in every period, and the refusal."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.stream import Stream


@cache
def small_stream() -> Stream:
    """A drift world of 60 users, 30 items and six periods of about 350 examples, after a warm-up."""
    world = simulate(DriftWorld(users=60, items=30, periods=8, seed=1))
    periods = Periods(n=6, warm_up=0.2)
    return build_stream(world.interactions, world.items, 'event == "click"', periods, name="small")


def learnable(stream: Stream, period: int) -> Stream:
    """The past at the close of `period`, a tenth of its examples set aside as the arena does."""
    past = stream.until(period + 1)
    return past.only(past.targets % 10 != 0)


def turned(stream: Stream, first: int) -> Stream:
    """The same log with every label from row `first` on turned to its opposite."""
    label = np.where(np.arange(len(stream.label)) < first, stream.label, 1 - stream.label).astype(np.int8)
    return replace(stream, label=label, shared={})


def shown(view: Stream) -> str:
    """Hash of what the view shows now; a view keeps the hash of its rows once computed."""
    return replace(view).fingerprint


def demand(holds: bool, broken: str) -> None:
    """AssertionError with `broken`, the rule in words, unless it holds; not switched off by `python -O`."""
    if not holds:
        raise AssertionError(broken)
