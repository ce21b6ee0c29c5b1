"""What every baseline must hold, whoever wrote it. In a test of your own:

    def test_my_baseline_keeps_the_contract():
        check_baseline(MyBaseline)

The baseline is renewed and asked for scores on a small log, under every regime of what is known when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from regraft.cost import Cost, Renewal
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import RegraftError
from regraft.testing._ground import demand, learnable, shown, small_stream, turned

if TYPE_CHECKING:
    from regraft.baselines.protocol import Baseline

REGIMES = ("fresh", "delayed 6h", "frozen", "paper")
LAST = 4  # period at whose close a baseline is renewed for the test on the next one


def check_baseline(make: Callable[[Regime, int], Baseline], regimes: tuple[str, ...] = REGIMES) -> None:
    """AssertionError where what `make(regime, seed)` gives breaks a rule, in words.

    Every case gets one finite score, users and items nobody has seen included. A score depends on the case
    and on what was known before it: not on the cases beside it, not on labels that come later, not on how
    often the baseline was renewed before. `arrays` gives all that was fitted, without Python objects: another
    baseline that was handed them by `restore` scores the same to the bit. Examples of one label only are a
    RegraftError, or scores.
    """
    stream = small_stream()
    for number, text in enumerate(regimes):
        regime = Regime.parse(text)
        name = f"{getattr(make, '__name__', 'the baseline')}, regime {text}"
        baseline, past, cases = make(regime, 0), learnable(stream, LAST), stream.cases(LAST + 1)
        scores = _renewed_and_scored(baseline, past, cases, name)
        _scores_depend_on_nothing_else(baseline, cases, scores, name)
        if number == 0:
            _renews_the_same_from_any_state(make, regime, past, cases, scores, name)
            _is_restored(make(regime, 0), baseline, cases, scores, name)
        _does_not_see_later_labels(baseline, regime, stream, scores, name)
        for period in range(1, stream.n_periods + 1):
            _scores_all(baseline, stream.cases(period), name)
    _says_when_there_is_one_label(make, stream)


def _renewed_and_scored(baseline: Baseline, past: Stream, cases: Stream, name: str) -> np.ndarray:
    before = shown(past)
    renewal = baseline.renew(past)
    demand(isinstance(renewal, Renewal), f"{name}: renew returned {type(renewal).__name__}, not a Renewal")
    costs = {f.name: getattr(renewal.cost, f.name) for f in fields(Cost)}
    bad = [key for key, value in costs.items() if not (np.isfinite(value) and value >= 0)]
    demand(not bad, f"{name}: the cost has no number, or a negative one, for {', '.join(bad)}")
    demand(shown(past) == before, f"{name}: renew changed the past")
    return _scores_all(baseline, cases, name)


def _scores_all(baseline: Baseline, cases: Stream, name: str) -> np.ndarray:
    scores = np.asarray(baseline.score(cases), dtype=np.float64)
    finite = int(np.isfinite(scores).sum())
    demand(
        scores.shape == (len(cases),) and finite == len(cases),
        f"{name}: {finite:,} finite scores of shape {scores.shape} for {len(cases):,} cases; expected one per case",
    )
    return scores


def _scores_depend_on_nothing_else(baseline: Baseline, cases: Stream, scores: np.ndarray, name: str) -> None:
    third = np.arange(0, len(cases), 3)
    alone = _scores_all(baseline, cases.only(third), name)
    _demand_equal(alone, scores[third], f"{name}: the score of a case depends on the cases beside it")


def _renews_the_same_from_any_state(
    make: Callable[[Regime, int], Baseline], regime: Regime, past: Stream, cases: Stream, scores: np.ndarray, name: str
) -> None:
    renewed = make(regime, 0)
    renewed.renew(past)
    _demand_equal(_scores_all(renewed, cases, name), scores, f"{name}: the same past and seed give other scores")
    renewed.renew(past.until(LAST))
    renewed.renew(past)
    _demand_equal(
        _scores_all(renewed, cases, name),
        scores,
        f"{name}: scores depend on earlier renewals, so a run that was killed would go on with others",
    )


def _is_restored(other: Baseline, baseline: Baseline, cases: Stream, scores: np.ndarray, name: str) -> None:
    """Takes the arrays through a file."""
    missing = [word for word in ("arrays", "restore") if not hasattr(baseline, word)]
    demand(
        not missing, f"{name}: it has no {' and no '.join(missing)}, so it cannot be saved; see baselines/protocol.py"
    )
    arrays, file = baseline.arrays(), BytesIO()
    strange = [key for key, a in arrays.items() if not isinstance(a, np.ndarray) or a.dtype.hasobject]
    demand(not strange, f"{name}: arrays gives no plain array for {', '.join(strange)}")
    np.savez(file, **arrays)  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file) as saved:
        other.restore(dict(saved))
    found = _scores_all(other, cases, name)
    off = int((found != scores).sum())
    demand(not off, f"{name}: restored from its arrays it gives {off:,} of {len(cases):,} cases other scores")


def _does_not_see_later_labels(
    baseline: Baseline, regime: Regime, stream: Stream, scores: np.ndarray, name: str
) -> None:
    """Turns every label that was not known at the time of a case in the middle."""
    cases = stream.cases(LAST + 1)
    known = regime.known(stream)[cases.targets]
    middle = len(cases) // 2
    changed = turned(stream, int(known[middle])).cases(LAST + 1)
    same = known <= known[middle]
    _demand_equal(
        _scores_all(baseline, changed, name)[same],
        scores[same],
        f"{name}: scores change with labels that were not known at the time of the case",
    )


def _says_when_there_is_one_label(make: Callable[[Regime, int], Baseline], stream: Stream) -> None:
    past, name = learnable(stream, LAST), getattr(make, "__name__", "the baseline")
    for label in (0, 1):
        baseline = make(Regime(), 0)
        try:
            baseline.renew(past.only(past.labels == label))
        except RegraftError:
            continue
        except Exception as error:
            raise AssertionError(
                f"{name}: examples that all have the label {label} raise {type(error).__name__}: {error}; "
                "expected a RegraftError that says so, or scores"
            ) from error
        _scores_all(baseline, stream.cases(LAST + 1), f"{name}, fitted on the label {label} alone")


def _demand_equal(found: np.ndarray, expected: np.ndarray, broken: str) -> None:
    off = np.flatnonzero(~np.isclose(found, expected, rtol=1e-6, atol=1e-9))
    if len(off):
        first = f"{found[off[0]]:.6f} for {expected[off[0]]:.6f}"
        raise AssertionError(f"{broken}; {len(off):,} of {len(found):,} cases, e.g. {first}")
