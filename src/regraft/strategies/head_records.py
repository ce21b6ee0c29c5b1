"""What a head on frozen states remembers from close to close: records, their sums, and how each ridge has done.

Furniture of this room. A record is what was known of a row when its period closed: state, offset, label. Records are
never rewritten; they leave with their period (a window), or when their row leaves the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from regraft.data.stream import Stream
from regraft.lm.head import HeadSums, scale_of, to_scale, with_one
from regraft.metrics.binary import log_loss

FIRST_RIDGE = 1_000.0  # before any period has judged one


@dataclass(frozen=True)
class Records:
    """Rows in the order in which they were learnt."""

    rows: np.ndarray  # int64 ids
    h: np.ndarray  # float16 [rows, width], to scale
    o: np.ndarray  # float64: offset in log-odds, as it was when the row's period closed
    y: np.ndarray  # int8

    def __len__(self) -> int:
        return len(self.rows)

    def __add__(self, other: Records) -> Records:
        both = zip(_values(self), _values(other), strict=True)
        return Records(*(np.concatenate([mine, theirs]) for mine, theirs in both))

    def only(self, keep: np.ndarray) -> Records:
        return Records(*(values[keep] for values in _values(self)))

    def sums(self, weights: np.ndarray | None = None) -> HeadSums:
        return HeadSums.of(self.h, self.o, self.y, weights)

    def log_loss(self, theta: np.ndarray) -> float:
        """Mean log-loss of offset and head."""
        return log_loss(self.y, self.o + with_one(self.h) @ theta)


def _values(records: Records) -> tuple[np.ndarray, ...]:
    return records.rows, records.h, records.o, records.y


@dataclass(frozen=True)
class Memory:
    """Records with what was made of them. `ridges` are tried side by side; `made_for` names all that they depend on.

    `half_life`, in periods, makes older rows count less; None: all count the same.
    """

    made_for: str
    ridges: tuple[float, ...]
    half_life: float | None
    scale: np.ndarray  # float32 [width]: RMS in the first period, then frozen
    rate: float  # log-odds of a like in the first period
    records: Records
    sums: HeadSums
    period: int  # the newest one learnt
    thetas: np.ndarray  # [ridges, width + 1]
    losses: np.ndarray  # per ridge: log-loss on later periods, summed over their rows
    judged: int  # rows in `losses`

    @classmethod
    def begun(
        cls, made_for: str, ridges: tuple[float, ...], half_life: float | None, states: np.ndarray, rate: float,
        period: int,
    ) -> Memory:  # fmt: skip
        """Nothing learnt yet; `states` are those of the first period."""
        width, none = states.shape[1], np.zeros(0)
        empty = Records(none.astype(np.int64), np.zeros((0, width), np.float16), none, none.astype(np.int8))
        thetas, losses = np.zeros((len(ridges), width + 1)), np.zeros(len(ridges))
        return cls(
            made_for, ridges, half_life, scale_of(states), rate, empty, HeadSums.nothing(width), period, thetas,
            losses, 0,
        )  # fmt: skip

    def record(self, view: Stream, states: np.ndarray, offset: np.ndarray) -> Records:
        """What is to be learnt of a view."""
        return Records(view.ids, to_scale(states, self.scale), offset, view.labels.astype(np.int8))

    def judging(self, new: Records) -> Memory:
        """The same, after rows that nothing was learnt of have judged every ridge."""
        if not len(self.records):
            return self
        losses = np.array([len(new) * new.log_loss(theta) for theta in self.thetas])
        return replace(self, losses=self.losses + losses, judged=self.judged + len(new))

    def learning(self, new: Records, period: int) -> Memory:
        """With the rows of one period that were not known; older ones count less by now."""
        sums = self.sums.decayed(self._fading(period - self.period)) + new.sums()
        return self._solved(self.records + new, sums, period)

    def within(self, past: Stream, window: int | None) -> Memory:
        """Without the records that lie before the newest `window` periods: their share of the sums is subtracted."""
        if window is None:
            return self
        stays = self._periods(past) > self.period - window
        if stays.all():
            return self
        gone = self.records.only(~stays)
        sums = self.sums - gone.sums(self._weights(self._periods(past)[~stays]))
        return self._solved(self.records.only(stays), sums, self.period)

    def without_gone(self, past: Stream) -> Memory:
        """With sums of the records that are left, where some were dropped with their rows."""
        if self.sums.rows == len(self.records):
            return self
        return self._solved(self.records, self.records.sums(self.weights(past)), self.period)

    def weights(self, past: Stream) -> np.ndarray | None:
        """Per record, what it counts today; None: all count 1."""
        return self._weights(self._periods(past))

    @property
    def ridge(self) -> float:
        """The one that did best on later periods."""
        return self.ridges[self._best]

    @property
    def theta(self) -> np.ndarray:
        """[width + 1] under that ridge."""
        return self.thetas[self._best]

    # -- on the way from close to close --------------------------------------------------------

    def state(self) -> dict[str, np.ndarray]:
        """Arrays of a blend's state; those of the records are dropped row by row with rows that are gone."""
        return {
            "records.rows": self.records.rows, "records.h": self.records.h, "records.o": self.records.o,
            "records.y": self.records.y, "sums.a": self.sums.a, "sums.b": self.sums.b,
            "sums.n": np.array([self.sums.rows]), "head.scale": self.scale, "head.rate": np.array([self.rate]),
            "head.period": np.array([self.period]), "head.thetas": self.thetas, "head.losses": self.losses,
            "head.judged": np.array([self.judged]),
            "head.made_for": np.frombuffer(self.made_for.encode(), np.uint8).copy(),
        }  # fmt: skip

    @classmethod
    def restored(
        cls, state: Mapping[str, np.ndarray], made_for: str, ridges: tuple[float, ...], half_life: float | None
    ) -> Memory | None:  # fmt: skip
        """What `state` gave; None where there is none, or it was made for something else."""
        if state.get("head.made_for", np.zeros(0, np.uint8)).tobytes() != made_for.encode():
            return None
        records = Records(*(state[f"records.{name}"] for name in ("rows", "h", "o", "y")))
        sums = HeadSums(state["sums.a"], state["sums.b"], int(state["sums.n"][0]))
        return cls(
            made_for, ridges, half_life, state["head.scale"], float(state["head.rate"][0]), records, sums,
            int(state["head.period"][0]), state["head.thetas"], state["head.losses"], int(state["head.judged"][0]),
        )  # fmt: skip

    # -- inside --------------------------------------------------------------------------------

    @property
    def _best(self) -> int:
        if not self.judged:
            return int(np.argmin(np.abs(np.log(np.array(self.ridges) / FIRST_RIDGE))))
        return int(np.argmin(self.losses))

    def _solved(self, records: Records, sums: HeadSums, period: int) -> Memory:
        thetas = np.stack([sums.solve(ridge) for ridge in self.ridges])
        return replace(self, records=records, sums=sums, period=period, thetas=thetas)

    def _periods(self, past: Stream) -> np.ndarray:
        return past.period[past.positions(self.records.rows)]

    def _weights(self, periods: np.ndarray) -> np.ndarray | None:
        if self.half_life is None:
            return None
        return np.asarray(0.5 ** ((self.period - periods) / self.half_life))

    def _fading(self, periods: int) -> float:
        return 1.0 if self.half_life is None else 0.5 ** (periods / self.half_life)
