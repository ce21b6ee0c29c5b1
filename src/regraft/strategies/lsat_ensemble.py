"""LSAT-EN (T. Shi et al. 2023, arXiv 2312.15599): a frozen long-term and a fresh short-term adapter, averaged.

p = a * long + (1 - a) * short in probabilities, equation 5 of the paper. The paper picks `a` on the
validation rows; here it is picked by log-loss on earlier test periods, which are larger and were never
trained on when they were scored.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from regraft.data.stream import Stream
from regraft.lm.blend import Blend, average_probability
from regraft.metrics.binary import log_loss
from regraft.strategies.protocol import Lab, Settings

GRID = np.arange(0.0, 1.01, 0.1)


class LsatEnsemble(Settings):
    weight: float | None = Field(None, ge=0, le=1)  # of the long-term adapter; None: chosen as above
    score_periods: int = Field(5, ge=1)  # earlier test periods that choose the weight

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        newest, _ = past.split_last()
        long = lab.fit(past) if blend is None else blend.kept["long"]
        short = lab.fit(newest)
        state = {} if blend is None else self._remember(blend, newest, lab)
        a = self.weight if self.weight is not None else best_weight(state)
        lab.notes.append(f"weight of the long-term adapter: {a:g}")
        return Blend(((long, a), (short, 1.0 - a)), kept={"long": long, "short": short}, state=state)

    def stored(self, past: Stream) -> int:
        return len(past.split_last()[0])

    def _remember(self, old: Blend, newest: Stream, lab: Lab) -> dict[str, np.ndarray]:
        """Appends what the old adapters said about the newest period before they could have learnt from it."""
        scores = [lab.score_adapter(old.kept[name], newest) for name in ("long", "short")]
        period = newest.period[newest.targets].astype(np.int64)
        label = newest.labels.astype(np.int64)
        new = {"rows": newest.ids, "long": scores[0], "short": scores[1], "label": label, "period": period}
        new = {f"scored.{name}": values for name, values in new.items()}
        state = {k: np.concatenate([old.state[k], v]) if k in old.state else v for k, v in new.items()}
        recent = state["scored.period"] > period[-1] - self.score_periods
        return {k: v[recent] for k, v in state.items()}


def best_weight(state: dict[str, np.ndarray]) -> float:
    """The grid weight of the long-term scores with the lowest log-loss; one half before anything is known."""
    if not state:
        return 0.5
    both = np.stack([state["scored.long"], state["scored.short"]])
    losses = [log_loss(state["scored.label"], average_probability(both, np.array([a, 1 - a]))) for a in GRID]
    return float(GRID[int(np.argmin(losses))])
