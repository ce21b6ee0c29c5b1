from __future__ import annotations

import numpy as np
import pytest

from regraft.baselines.blind import FIT_PERIODS, kept, out_of_sample
from regraft.testing._ground import learnable, small_stream

STREAM = small_stream()


def asked(past):
    """(last period known, period asked about) of every block, and the examples."""
    calls = []

    def columns(view, before):
        calls.append((int(before.period[before.targets].max()), int(view.period[view.targets].min())))
        return view.ids[:, None].astype(float)

    x, examples = out_of_sample(past, columns)
    np.testing.assert_array_equal(x[:, 0], examples.ids)
    return calls, examples


def test_each_of_the_newest_periods_is_seen_with_what_was_known_before_it() -> None:
    calls, examples = asked(learnable(STREAM, 5))
    assert calls == [(2, 3), (3, 4), (4, 5)] and FIT_PERIODS == 3
    assert set(examples.period[examples.targets].tolist()) == {3, 4, 5}


def test_of_a_single_period_the_last_rows_are_held_out() -> None:
    past = learnable(STREAM, 1)
    calls, examples = asked(past)
    assert calls == [(1, 1)] and len(examples) == round(0.3 * len(past))


def test_what_is_fitted_on_a_past_is_kept_for_a_few_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regraft.baselines.blind.KEPT", 4)
    stream, made = STREAM.until(6), []
    pasts = [learnable(stream, p) for p in (1, 2, 3, 4, 5)]
    for past in (*pasts, pasts[4], pasts[0]):
        kept(past, ("test of blind",), lambda: made.append(1))
    assert len(made) == 6  # the fifth was there, the first was gone
