"""A logistic regression on every causal feature and on boosting: what rates alone can do, the honest control."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regraft.baselines.boosting import Boosting
from regraft.baselines.features import FEATURES, features
from regraft.baselines.logistic import Logistic, fit_logistic
from regraft.baselines.protocol import named, under
from regraft.cost import Renewal, measured
from regraft.data.regimes import Regime
from regraft.data.stream import Stream

FIT_PERIODS = 3  # newest periods on which the logistic is fitted


class Stack:
    """Boosting enters by what it predicted *before* a period: its scores on rows it has not seen.

    `columns(cases)` are the inputs of the logistic, which a blend's stack calibration uses too.
    """

    names = (*FEATURES, "boosting")
    rung = "neighbours"

    def __init__(self, regime: Regime, seed: int = 0) -> None:
        self.regime, self.seed = regime, seed

    def renew(self, past: Stream) -> Renewal:
        with measured() as cost:
            x, examples = self.out_of_sample(past)
            self.model = fit_logistic(x, examples.labels, "baseline stack")
            self.boosting = self._boosting(past)
        cost.stored_interactions = len(past.time)
        return Renewal(cost)

    def score(self, cases: Stream) -> np.ndarray:
        return self.model.decision_function(self.columns(cases))

    def columns(self, cases: Stream) -> np.ndarray:
        """float64 [examples, names]."""
        return np.column_stack([features(cases, self.regime), self.boosting.score(cases)])

    def out_of_sample(self, past: Stream) -> tuple[np.ndarray, Stream]:
        """(columns, examples) of the newest FIT_PERIODS periods, boosting fitted before each of them."""
        present = np.unique(past.period[past.targets])
        blocks, views = [], []
        for period in present[1:][-FIT_PERIODS:]:
            view = past.in_periods(int(period), int(period))
            before = past.until(int(period))
            blocks.append(self._blind(view, before))
            views.append(view.targets)
        if not blocks:  # one period only: boosting is judged on rows held out of it
            rest, held = past.hold_out(0.3)
            return self._blind(held, rest), held
        wanted = np.concatenate(views)
        return np.concatenate(blocks), past.only(np.isin(past.targets, wanted))

    def seen_before(self, past: Stream, view: Stream) -> np.ndarray:
        """Columns of examples of the past, boosting fitted on the periods before each example's own."""
        columns = np.zeros((len(view), len(self.names)))
        period = view.period[view.targets]
        for number in np.unique(period):
            mine = view.only(period == number)
            before = past.until(int(number))
            if not len(before):
                before = past.only(~np.isin(past.targets, view.targets))
            columns[period == number] = self._blind(mine, before)
        return columns

    def _blind(self, view: Stream, before: Stream) -> np.ndarray:
        return np.column_stack([features(view, self.regime), self._boosting(before).score(view)])

    def _boosting(self, past: Stream) -> Boosting:
        """Boosting fitted on this past; the last few stay with the log, so that the next close finds them."""
        fitted: dict[str, Boosting] = past.shared.setdefault(("stack", str(self.regime), self.seed), {})
        key = past.fingerprint
        if key not in fitted:
            model = Boosting(self.regime, self.seed)
            model.renew(past)
            while len(fitted) > FIT_PERIODS:
                del fitted[next(iter(fitted))]
            fitted[key] = model
        return fitted[key]

    def arrays(self) -> dict[str, np.ndarray]:
        return named("logistic", self.model.arrays()) | named("boosting", self.boosting.arrays())

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.model = Logistic.restored(under("logistic", arrays))
        self.boosting = Boosting(self.regime, self.seed)
        self.boosting.restore(under("boosting", arrays))
