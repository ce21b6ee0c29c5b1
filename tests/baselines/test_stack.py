from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from regraft.baselines.blind import FIT_PERIODS
from regraft.baselines.boosting import Boosting
from regraft.baselines.features import FEATURES, features
from regraft.baselines.stack import Stack
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.prompts.alike import CONTENT
from regraft.testing._ground import learnable, small_stream, turned

STREAM, FRESH = small_stream(), Regime()


class Watched(Stack):
    """Remembers what boosting was fitted on."""

    def __init__(self) -> None:
        super().__init__(FRESH)
        self.pasts: list[Stream] = []

    def _boosting(self, past: Stream) -> Boosting:
        self.pasts.append(past)
        return super()._boosting(past)


def boosting_before(past: Stream, period: int) -> Boosting:
    model = Boosting(FRESH)
    model.renew(past.until(period))
    return model


def test_the_logistic_is_fitted_on_the_newest_periods_as_boosting_saw_them_before() -> None:
    past = learnable(STREAM, 5)
    x, examples = Stack(FRESH).out_of_sample(past)
    assert sorted(set(past.period[examples.targets].tolist())) == [3, 4, 5]
    assert FIT_PERIODS == 3
    facts = (*FEATURES, *CONTENT)
    np.testing.assert_array_equal(x[:, : len(facts)], features(examples, FRESH, facts, "tfidf"))
    said = [boosting_before(past, p).score(past.in_periods(p, p)) for p in (3, 4, 5)]
    np.testing.assert_array_equal(x[:, -1], np.concatenate(said))


def test_no_boosting_is_fitted_on_the_period_it_is_asked_about() -> None:
    stack = Watched()
    stack.out_of_sample(learnable(STREAM, 5))
    assert [int(past.period[-1]) for past in stack.pasts] == [2, 3, 4]
    assert all(past.period[past.targets].max() == past.period[-1] for past in stack.pasts)


def test_after_one_period_boosting_is_judged_on_rows_held_out_of_it() -> None:
    past, stack = learnable(STREAM, 1), Watched()
    _, examples = stack.out_of_sample(past)
    (fitted,) = stack.pasts
    assert len(examples) == round(0.3 * len(past))
    assert not set(examples.targets.tolist()) & set(fitted.targets.tolist())
    assert fitted.targets.max() < examples.targets.min()


def test_columns_of_examples_of_the_past_were_said_before_their_own_period() -> None:
    past = learnable(STREAM, 5)
    view = past.only(np.isin(past.period[past.targets], (2, 4)))
    columns = Stack(FRESH).seen_before(past, view)
    assert columns.shape == (len(view), len(Stack(FRESH).names))
    period = past.period[view.targets]
    for number in (2, 4):
        expected = boosting_before(past, number).score(view.only(period == number))
        np.testing.assert_array_equal(columns[period == number, -1], expected)


def test_in_the_first_period_boosting_is_fitted_on_the_other_rows() -> None:
    past = learnable(STREAM, 1)
    rest, held = past.hold_out(0.2)
    model = Boosting(FRESH)
    model.renew(rest)
    np.testing.assert_array_equal(Stack(FRESH).seen_before(past, held)[:, -1], model.score(held))


def test_columns_of_cases_come_from_boosting_on_the_whole_past() -> None:
    past, cases, stack = learnable(STREAM, 5), STREAM.cases(6), Stack(FRESH)
    stack.renew(past)
    model = Boosting(FRESH)
    model.renew(past)
    np.testing.assert_array_equal(stack.columns(cases)[:, -1], model.score(cases))
    assert stack.names == (*FEATURES, *CONTENT, "text_ridge", "text_ridge_new", "boosting")


def test_boosting_that_was_fitted_at_an_earlier_renewal_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []
    renew = Boosting.renew

    def counted(self: Boosting, past: Stream) -> object:
        fits.append(int(past.period[-1]))
        return renew(self, past)

    monkeypatch.setattr(Boosting, "renew", counted)
    stream = replace(STREAM, shared={})
    stack = Stack(FRESH)
    stack.renew(learnable(stream, 4))
    assert sorted(fits) == [1, 2, 3, 4]
    Stack(FRESH).renew(learnable(stream, 5))
    assert sorted(fits) == [1, 2, 3, 4, 5]


def test_labels_of_a_period_do_not_reach_what_was_said_before_it() -> None:
    past = learnable(STREAM, 5)
    start = int(np.searchsorted(STREAM.period, 5))
    other = learnable(turned(STREAM, start), 5)
    said, said_again = (Stack(FRESH).seen_before(p, p.in_periods(4, 4))[:, -1] for p in (past, other))
    np.testing.assert_array_equal(said, said_again)
