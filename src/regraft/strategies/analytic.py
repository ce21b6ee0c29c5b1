"""A closed-form head on the frozen model's states: no training; an update adds the newest period's sums.

The head corrects an offset in log-odds: with `offset: stack` that of the stack fitted before each row's own period,
with `none` the like-rate of the first period. Its states come from the pass that scored the newest period, so an
update reads nothing; only a first close, or another base model, template or stack, reads what is remembered anew.
Compare analytic continual learning (ACIL, Zhuang et al. 2022; RanPAC, McDonnell et al. 2023).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from regraft.baselines.protocol import named, under
from regraft.cost import measured
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.lm.blend import HEAD, Blend
from regraft.lm.head import Head, converged
from regraft.strategies.blind_stack import OFFSET, blind_log_odds, like_log_odds, offset_arrays, stack_of
from regraft.strategies.head_records import Memory, Records
from regraft.strategies.protocol import Lab, Settings

RIDGES = (1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
CHEAP = 2e9  # rows times width squared up to which the converged logistic is fitted for comparison: a second or two


class Analytic(Settings):
    offset: Literal["none", "stack"] = "none"  # what the head corrects
    ridge: float | None = Field(None, gt=0)  # None: of a grid, the best on earlier served periods
    window: int | None = Field(None, ge=1)  # newest periods that are remembered, and read where it begins anew
    half_life: float | None = Field(None, gt=0)  # periods; None: old rows count like new ones
    compare: bool | None = None  # with the converged logistic, in a note; None: where that takes a second or two

    @property
    def reads_states(self) -> bool:
        return True

    def update(self, blend: Blend | None, past: Stream, lab: Lab) -> Blend:
        memory = self._remembered(blend, lab)
        new = self._to_learn(memory, past)
        states = lab.states(new, served=memory is not None)
        period = new.period[new.targets]
        with measured() as cost:
            memory = memory.without_gone(past) if memory else self._begun(new, states, lab)
            constant = self.offset == "none"
            offset = np.full(len(new), memory.rate) if constant else blind_log_odds(past, new, lab)
            for number in np.unique(period).tolist():
                mine = period == number
                rows = memory.record(new.only(mine), states[mine], offset[mine])
                if number == period[-1]:
                    self._compare(memory, rows, past, lab)
                memory = memory.judging(rows).learning(rows, number)
            memory = memory.within(past, self.window)
            stack = {} if constant else self._stack(blend, past, lab)
        lab.meter.charge(cost)
        lab.notes.append(f"head: {len(memory.records):,} records, ridge {memory.ridge:g} ({self._chosen(memory)})")
        head = Head(memory.theta, memory.scale, 0.0 if stack else memory.rate)
        return Blend.of(None, state=memory.state(), fitted={**named(HEAD, head.arrays()), **stack})

    def stored(self, past: Stream) -> int:
        return len(self._in_window(past))

    # -- inside --------------------------------------------------------------------------------

    @property
    def _ridges(self) -> tuple[float, ...]:
        return RIDGES if self.ridge is None else (self.ridge,)

    def _made_for(self, lab: Lab) -> str:
        """Names what records and sums depend on beside the log."""
        names = stack_of(lab).names if self.offset == "stack" else ()
        return repr((lab.states_key, self.offset, names, self._ridges, self.half_life))

    def _remembered(self, blend: Blend | None, lab: Lab) -> Memory | None:
        if blend is None:
            return None
        memory = Memory.restored(blend.state, self._made_for(lab), self._ridges, self.half_life)
        if memory is None:
            lab.notes.append("head: base model, template, stack or settings are others now: its window is read anew")
        return memory

    def _begun(self, new: Stream, states: np.ndarray, lab: Lab) -> Memory:
        first = new.period[new.targets] == new.period[new.targets[0]]
        rate = like_log_odds(new.only(first))
        return Memory.begun(
            self._made_for(lab), self._ridges, self.half_life, states[first], rate, int(new.period[new.targets[0]])
        )  # fmt: skip

    def _to_learn(self, memory: Memory | None, past: Stream) -> Stream:
        """Examples that are not recorded: all of the window at first, then those that came since the last close."""
        if memory is None:
            return self._in_window(past)
        since = past.period[past.targets] >= memory.period
        return past.only(since & ~np.isin(past.ids, memory.records.rows))

    def _in_window(self, past: Stream) -> Stream:
        newest = int(past.period[past.targets[-1]])
        return past if self.window is None else past.in_periods(newest - self.window + 1, newest)

    def _stack(self, blend: Blend | None, past: Stream, lab: Lab) -> dict[str, np.ndarray]:
        """Arrays of today's stack; of the last one where the past cannot fit any."""
        try:
            return offset_arrays(past, lab)
        except DataError as error:
            lab.notes.append(f"head: the stack below it stays as it was ({error.found})")
            return named(OFFSET, under(OFFSET, blend.fitted)) if blend else {}

    def _compare(self, memory: Memory, new: Records, past: Stream, lab: Lab) -> None:
        """Notes what one step costs against the converged logistic, on rows that neither has learnt from."""
        known, width = memory.records, memory.records.h.shape[1]
        if not len(known) or self.compare is False or (self.compare is None and len(known) * width**2 > CHEAP):
            return
        theta = converged(known.h, known.o, known.y, memory.ridge, memory.weights(past))
        lab.notes.append(
            f"head: log-loss {new.log_loss(memory.theta):.4f} on the {len(new):,} new rows before they were learnt, "
            f"{new.log_loss(theta):.4f} by the converged logistic"
        )

    def _chosen(self, memory: Memory) -> str:
        if self.ridge is not None:
            return "as set"
        return f"best on {memory.judged:,} rows of later periods" if memory.judged else "no later period has judged it"
