"""A baseline that breaks a rule is caught, and told which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from regraft.cost import Cost, Renewal
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.testing.check_baseline import check_baseline


class Constant:
    """The like-rate of the past, for everybody and everything."""

    def __init__(self, regime: Regime, seed: int = 0) -> None:
        self.rate = 0.5

    def renew(self, past: Stream) -> Renewal:
        self.rate = float((past.labels.sum() + 1) / (len(past) + 2))
        return Renewal(Cost())

    def score(self, cases: Stream) -> np.ndarray:
        return np.full(len(cases), np.log(self.rate / (1 - self.rate)))

    def arrays(self) -> dict[str, np.ndarray]:
        return {"rate": np.array([self.rate])}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.rate = float(arrays["rate"][0])


def refused(baseline: type[Constant], words: str, regimes: tuple[str, ...] = ("fresh",)) -> None:
    with pytest.raises(AssertionError) as caught:
        check_baseline(baseline, regimes)
    assert words in str(caught.value)
    assert str(caught.value).startswith(baseline.__name__)


def test_a_sound_baseline_of_ten_lines_passes() -> None:
    check_baseline(Constant)


def test_a_baseline_that_cannot_be_saved_is_caught() -> None:
    class Forgets(Constant):
        def arrays(self) -> dict[str, np.ndarray]:
            return {"rate": np.array([0.5])}

    class Pickles(Constant):
        def arrays(self) -> dict[str, np.ndarray]:
            return {"rate": np.array([self], dtype=object)}

    refused(Forgets, "restored from its arrays it gives 375 of 375 cases other scores")
    refused(Pickles, "arrays gives no plain array for rate")


def test_a_dropped_case_is_caught() -> None:
    class Drops(Constant):
        def score(self, cases: Stream) -> np.ndarray:
            return super().score(cases)[1:]

    refused(Drops, "finite scores of shape (374,) for 375 cases; expected one per case")


def test_a_score_that_is_no_number_is_caught() -> None:
    class NoIdea(Constant):
        def score(self, cases: Stream) -> np.ndarray:
            return np.where(np.arange(len(cases)) == 0, np.nan, super().score(cases))

    refused(NoIdea, "374 finite scores of shape (375,) for 375 cases")


def test_a_label_read_before_it_was_known_is_caught() -> None:
    class Cheats(Constant):
        def score(self, cases: Stream) -> np.ndarray:
            return cases.labels.astype(float)

    refused(Cheats, "regime fresh: scores change with labels that were not known at the time of the case")


def test_reading_the_newest_label_is_caught_under_the_regimes_that_forbid_it_only() -> None:
    class ReadsAbove(Constant):
        """The label of the row above: known in file order, not always strictly earlier."""

        def score(self, cases: Stream) -> np.ndarray:
            return cases.label[cases.targets - 1].astype(float)

    check_baseline(ReadsAbove, ("paper",))
    refused(ReadsAbove, "regime frozen: scores change with labels", ("frozen",))
    refused(ReadsAbove, "regime delayed 6h: scores change with labels", ("delayed 6h",))


def test_scores_that_depend_on_their_neighbours_are_caught() -> None:
    class Ranks(Constant):
        def score(self, cases: Stream) -> np.ndarray:
            return np.argsort(np.argsort(cases.item[cases.targets])) / len(cases)

    refused(Ranks, "the score of a case depends on the cases beside it")


def test_chance_is_caught() -> None:
    class Draws(Constant):
        def renew(self, past: Stream) -> Renewal:
            self.rate = float(np.random.default_rng().uniform(0.2, 0.8))
            return Renewal(Cost())

    refused(Draws, "the same past and seed give other scores; 375 of 375 cases")


def test_state_that_outlives_a_renewal_is_caught() -> None:
    class Averages(Constant):
        def renew(self, past: Stream) -> Renewal:
            old = self.rate
            super().renew(past)
            self.rate = (self.rate + old) / 2
            return Renewal(Cost())

    refused(Averages, "scores depend on earlier renewals, so a run that was killed would go on with others")


def test_a_changed_past_is_caught() -> None:
    class Writes(Constant):
        def renew(self, past: Stream) -> Renewal:
            past.targets[0] += 1
            return super().renew(past)

    refused(Writes, "renew changed the past")


@pytest.mark.parametrize(
    ("renewal", "words"),
    [(None, "renew returned NoneType, not a Renewal"), (Renewal(Cost(cpu_seconds=-1.0)), "for cpu_seconds")],
)
def test_a_renewal_without_its_cost_is_caught(renewal: Any, words: str) -> None:
    class Free(Constant):
        def renew(self, past: Stream) -> Renewal:
            super().renew(past)
            return renewal  # type: ignore[no-any-return]

    refused(Free, words)


def test_a_crash_on_examples_of_one_label_is_caught() -> None:
    class Divides(Constant):
        def renew(self, past: Stream) -> Renewal:
            1 / min(past.labels.sum(), len(past) - past.labels.sum()).item()
            return super().renew(past)

    refused(
        Divides, "examples that all have the label 0 raise ZeroDivisionError: division by zero; expected a RegraftErr"
    )
