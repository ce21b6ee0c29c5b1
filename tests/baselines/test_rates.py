from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from regraft.baselines.rates import Rates
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from worlds import tiny_stream

LOG = (
    "ann:heat+ bob:heat+ ann:up- cat:heat- bob:up- cat:big+ ann:big+ dan:heat+ dan:up+ cat:up- bob:big- dan:big+ "
    "ann:new+ bob:new- cat:new+ dan:new+"
)
VERDICTS = LOG.split()
STREAM = tiny_stream(
    " ".join(f"{verdict}@{hour * 3 + 1}h" for hour, verdict in enumerate(VERDICTS)),
    Periods(by="calendar", every="1d"),
)


def hand_features() -> np.ndarray:
    """[log-odds of the item's smoothed like-rate, smoothed share of likes among the user's last ten], row by row."""
    found, item_log, user_log, all_labels = [], {}, {}, []
    for verdict in VERDICTS:
        user, item, label = verdict[:3], verdict[4:-1], int(verdict[-1] == "+")
        average = (sum(all_labels) + 1) / (len(all_labels) + 2)
        of_item, of_user = item_log.setdefault(item, []), user_log.setdefault(user, [])
        rate = (sum(of_item) + 10 * average) / (len(of_item) + 10)
        recent = (sum(of_user[-10:]) + average) / (len(of_user[-10:]) + 1)
        found.append([np.log(rate / (1 - rate)), recent])
        of_item.append(label), of_user.append(label), all_labels.append(label)
    return np.array(found)


def hand_logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of a logistic regression on standardised columns, half the squared weights as penalty."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    z = np.column_stack([(x - mean) / scale, np.ones(len(x))])

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, z @ w).sum() - y @ (z @ w) + 0.5 * (w[:2] ** 2).sum())

    return minimize(loss, np.zeros(3), tol=1e-12).x, mean, scale


def test_scores_are_those_of_a_logistic_regression_made_by_hand() -> None:
    past, cases = STREAM.until(2), STREAM.cases(2)
    baseline = Rates(Regime())
    baseline.renew(past)
    x = hand_features()
    weights, mean, scale = hand_logistic(x[past.targets], past.labels)
    expected = ((x[cases.targets] - mean) / scale) @ weights[:2] + weights[2]
    np.testing.assert_allclose(baseline.score(cases), expected, atol=2e-3)  # its solver stops at about that


def test_an_item_that_everybody_likes_scores_above_one_that_nobody_likes() -> None:
    days = " ".join(f"u{n}:good+@{n}h u{n}:bad-@{n}h" for n in range(47))
    stream = tiny_stream(days + " new:good+@48h new:bad-@48h", Periods(by="calendar", every="1d"))
    baseline = Rates(Regime())
    baseline.renew(stream.until(3))
    good, bad = baseline.score(stream.cases(3))
    assert good > 1 > -1 > bad
