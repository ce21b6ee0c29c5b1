"""A strategy that breaks a rule is caught, and told which."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter
from regraft.lm.blend import Blend
from regraft.strategies.protocol import Settings
from regraft.testing._ground import small_stream
from regraft.testing.check_strategy import check_strategy


def refused(strategy: Any, words: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_strategy(strategy)
    assert words in str(caught.value)
    assert str(caught.value).startswith(type(strategy).__name__)


class FitsAll(Settings):
    def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
        return Blend.of(lab.fit(past))


def test_a_sound_strategy_of_five_lines_passes() -> None:
    check_strategy(FitsAll())


def test_looking_beyond_the_cut_is_caught() -> None:
    class Peeks(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            return Blend.of(lab.fit(small_stream()))

    refused(Peeks(), "lab.fit was handed rows that are not of the past (2,624 rows; the past has")


def test_training_on_examples_that_were_set_aside_is_caught() -> None:
    class Greedy(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            return Blend.of(lab.fit(small_stream().until(int(past.period[-1]) + 1)))

    refused(Greedy(), "examples that were set aside and must not be used")


def test_stopping_on_rows_beyond_the_cut_is_caught() -> None:
    class Peeks(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            return Blend.of(lab.fit(past, stop=small_stream().cases(6)))

    refused(Peeks(), "lab.fit was handed rows that are not of the past")


def test_memory_in_the_object_is_caught() -> None:
    class Remembers:
        def __init__(self) -> None:
            self.last: Adapter | None = None

        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            self.last = lab.fit(past.split_last()[0], start=self.last)
            return Blend.of(self.last)

    refused(Remembers(), "changed itself: what it must remember belongs in blend.state")


def test_memory_outside_the_object_is_caught() -> None:
    last: list[Adapter] = []

    class Remembers(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            last.append(lab.fit(past.split_last()[0], start=last[-1] if last else None))
            return Blend.of(last[-1])

    refused(Remembers(), "going on from the saved blend, the close of period 2 ends with another blend")


def test_draws_that_are_not_the_labs_are_caught() -> None:
    class Draws(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            return Blend.of(lab.fit(past.sample(50, np.random.default_rng())))

    refused(Draws(), "draw from lab.rng alone")


def test_a_changed_past_is_caught() -> None:
    class Writes(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            past.label[past.targets[0]] ^= 1
            return Blend.of(lab.fit(past))

    label = small_stream().label.copy()
    try:
        refused(Writes(), "the past was changed")
    finally:
        small_stream().label[:] = label


def test_a_changed_old_blend_is_caught() -> None:
    class Overwrites(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            seen = blend.state["seen"] if blend is not None else np.zeros(1)
            seen += 1
            return Blend.of(None, state={"seen": seen})

    refused(Overwrites(), "the close of period 3 changed the old blend")


@pytest.mark.parametrize(
    ("blend", "words"),
    [
        ("an adapter", "update returned str, not a Blend"),
        (Blend(()), "the blend has no part; Blend.of(None) is the bare base model"),
        (Blend(((None, 0.9), (None, 0.3))), "the weights are [0.9, 0.3]; they must not be negative and sum to 1"),
        (Blend(((None, 1.5), (None, -0.5))), "the weights are [1.5, -0.5]; they must not be negative and sum to 1"),
    ],
)
def test_a_blend_that_cannot_serve_is_caught(blend: Any, words: str) -> None:
    class Returns:
        def update(self, old: Blend | None, past: Stream, lab: Any) -> Any:
            return blend

    refused(Returns(), words)


def test_a_first_close_that_needs_a_blend_shows_its_own_error() -> None:
    class NeedsBlend(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            if blend is None:
                raise ModelError("my strategy", "has no blend", "one")
            return blend

    with pytest.raises(ModelError, match="my strategy: has no blend"):
        check_strategy(NeedsBlend())


def test_a_strategy_that_cannot_close_a_period_of_one_example_shows_its_own_error() -> None:
    class NeedsTwo(Settings):
        def update(self, blend: Blend | None, past: Stream, lab: Any) -> Blend:
            newest, _ = past.split_last()
            return Blend.of(lab.fit(newest.only(slice(1, None))))

    with pytest.raises(ModelError, match="the view has no examples"):
        check_strategy(NeedsTwo())


@pytest.mark.parametrize("stored", [-1, 10**6, 2.5, None])
def test_an_impossible_number_of_stored_examples_is_caught(stored: Any) -> None:
    class Stores(FitsAll):
        def stored(self, past: Stream) -> Any:
            return stored

    with pytest.raises(AssertionError, match=r"stored\(past\) is .*; expected a number of examples, 0 to"):
        check_strategy(Stores())
