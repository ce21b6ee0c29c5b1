"""Newest period plus a sample of the past (Rolnick et al. 2019), from the last adapter.

The buffer is a weighted reservoir (Efraimidis and Spirakis 2006): every example draws a key once, by its row id,
and those with the largest keys are kept, so that only `buffer` examples must be stored.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from regraft.data.draws import uniform
from regraft.data.stream import Stream
from regraft.lm.blend import Blend
from regraft.strategies.fine_tune import HELD_OUT, keep_better
from regraft.strategies.protocol import Lab, Settings

KEY = 5  # of the draws: other draws of the same rows have others


class Replay(Settings):
    share: float = Field(0.3, ge=0)  # remembered examples per new example
    buffer: int = Field(20_000, ge=1)  # examples kept in the reservoir
    how: Literal["uniform", "recency", "user-balanced"] = "uniform"
    half_life: float = Field(5.0, gt=0)  # periods, for `recency`
    lr: float | None = Field(None, gt=0)
    epochs: int | None = Field(None, ge=1)
    keep_old: bool = True

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        if blend is None:
            return self._remember(Blend.of(lab.fit(past)), past, lab)
        newest, older = past.split_last()
        train, held = newest.hold_out(HELD_OUT)
        buffered = older.only(np.isin(older.ids, blend.state["reservoir.rows"]))
        recalled = buffered.sample(self.share * len(newest), rng=lab.rng)
        new = lab.fit(train + recalled, start=blend.single(), lr=self.lr, epochs=self.epochs, stop=held)
        chosen = keep_better(blend, new, held, lab) if self.keep_old else Blend.of(new)
        return self._remember(chosen.with_state(**blend.state), newest, lab)

    def stored(self, past: Stream) -> int:
        newest, older = past.split_last()
        return min(self.buffer, len(older)) + len(newest)

    def _remember(self, blend: Blend, new: Stream, lab: Lab) -> Blend:
        """Offers the new examples to the reservoir."""
        key = self._log_keys(new, lab)
        rows = np.concatenate([blend.state.get("reservoir.rows", np.zeros(0, np.int64)), new.ids])
        keys = np.concatenate([blend.state.get("reservoir.keys", np.zeros(0)), key])
        kept = np.sort(np.argsort(-keys, kind="stable")[: self.buffer])
        return blend.with_state(**{"reservoir.rows": rows[kept], "reservoir.keys": keys[kept]})

    def _log_keys(self, new: Stream, lab: Lab) -> np.ndarray:
        """log(u) / weight, shifted so that recency needs no update of old keys: weights only grow with time."""
        draw = np.log(-np.log(uniform(new.ids, lab.seed, KEY)))
        log_weight = np.zeros(len(new))
        if self.how == "recency":
            log_weight = new.period[new.targets] * np.log(2.0) / self.half_life
        elif self.how == "user-balanced":
            _, index, count = np.unique(new.users, return_inverse=True, return_counts=True)
            log_weight = -np.log(count[index])
        # key = log(u) / w, negative; -log(-key) keeps its order and never overflows.
        return log_weight - draw
