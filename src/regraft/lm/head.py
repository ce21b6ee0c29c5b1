"""A closed-form head on the states of a frozen model: a linear correction, in log-odds, of an offset.

One Newton step of the penalised logistic regression, taken at the offset: `p = sigmoid(o)`, `w = p (1 - p)`,
`A = sum w x x'`, `b = sum (y - p) x`, `theta = (A + ridge I)^-1 b`, where x is a state divided by `scale` with a 1
appended. A and b are sums over rows, so those of several machines, periods or users are added, and rows that are taken
out are subtracted (compare ACIL, Zhuang et al. 2022, and RanPAC, McDonnell et al. 2023). NumPy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

CHUNK = 8_192  # rows that are widened to float64 at a time
LARGEST = 60_000.0  # of a scaled state, so that it has a place in float16
SMALLEST = 1e-6  # scale of a dimension that is always 0
STEPS, CLOSE = 50, 1e-8  # of Newton's method; largest gradient per row where it ends


@dataclass(frozen=True)
class Head:
    """What scores: `offset + x . theta`."""

    theta: np.ndarray  # float64 [width + 1]; the last one belongs to the 1
    scale: np.ndarray  # float32 [width]
    offset: float = 0.0  # log-odds; 0 where the offset of every row comes from elsewhere

    def log_odds(self, states: np.ndarray) -> np.ndarray:
        """float64 per row of states [rows, width]."""
        weights, bias = self.theta[:-1] / self.scale, self.theta[-1] + self.offset
        found = [states[part].astype(np.float64) @ weights + bias for part in _chunks(len(states))]
        return np.concatenate([np.zeros(0), *found])

    def arrays(self) -> dict[str, np.ndarray]:
        return {"theta": self.theta, "scale": self.scale, "offset": np.array([self.offset])}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> Head:
        return cls(arrays["theta"], arrays["scale"], float(arrays["offset"][0]))


@dataclass(frozen=True)
class HeadSums:
    """A, b and the number of their rows, in float64. Sums of disjoint rows add up and subtract."""

    a: np.ndarray  # [width + 1, width + 1]
    b: np.ndarray  # [width + 1]
    rows: int

    @classmethod
    def nothing(cls, width: int) -> HeadSums:
        return cls(np.zeros((width + 1, width + 1)), np.zeros(width + 1), 0)

    @classmethod
    def of(
        cls, scaled: np.ndarray, offset: np.ndarray, label: np.ndarray, weights: np.ndarray | None = None
    ) -> HeadSums:  # fmt: skip
        """Of rows with states as `to_scale` gives them [rows, width], offsets in log-odds, labels 0 or 1."""
        p = _sigmoid(offset)
        residual, curve = label - p, p * (1.0 - p)
        if weights is not None:
            residual, curve = weights * residual, weights * curve
        found = cls.nothing(scaled.shape[1])
        for part in _chunks(len(scaled)):
            x = with_one(scaled[part])
            found = cls(found.a + (curve[part, None] * x).T @ x, found.b + residual[part] @ x, found.rows + len(x))
        return found

    def __add__(self, other: HeadSums) -> HeadSums:
        return HeadSums(self.a + other.a, self.b + other.b, self.rows + other.rows)

    def __sub__(self, other: HeadSums) -> HeadSums:
        return HeadSums(self.a - other.a, self.b - other.b, self.rows - other.rows)

    def decayed(self, factor: float) -> HeadSums:
        """The same rows with their weights times `factor`."""
        return self if factor == 1.0 else HeadSums(factor * self.a, factor * self.b, self.rows)

    def solve(self, ridge: float) -> np.ndarray:
        """theta [width + 1]."""
        return np.asarray(np.linalg.solve(self.a + ridge * np.eye(len(self.b)), self.b))


def scale_of(states: np.ndarray) -> np.ndarray:
    """float32 [width]: root mean square per dimension."""
    squares = np.zeros(states.shape[1])
    for part in _chunks(len(states)):
        squares += np.square(states[part].astype(np.float64)).sum(axis=0)
    return np.maximum(np.sqrt(squares / max(1, len(states))), SMALLEST).astype(np.float32)


def to_scale(states: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """float16 [rows, width]: states as they are recorded, half the size of float32; an RMS of 1 leaves 3 digits."""
    return np.clip(states / scale, -LARGEST, LARGEST).astype(np.float16)


def with_one(scaled: np.ndarray) -> np.ndarray:
    """float64 [rows, width + 1]."""
    return np.column_stack([scaled.astype(np.float64), np.ones(len(scaled))])


def converged(
    scaled: np.ndarray, offset: np.ndarray, label: np.ndarray, ridge: float, weights: np.ndarray | None = None
) -> np.ndarray:  # fmt: skip
    """theta of the penalised logistic regression itself: Newton's method, steps halved where one goes too far."""
    theta = np.zeros(scaled.shape[1] + 1)
    rows = np.ones(len(scaled)) if weights is None else weights

    def objective(at: np.ndarray) -> float:
        log_odds = _at(scaled, offset, at)
        return float(rows @ (np.logaddexp(0.0, log_odds) - label * log_odds) + ridge / 2 * at @ at)

    now = objective(theta)
    for _ in range(STEPS):
        sums = HeadSums.of(scaled, _at(scaled, offset, theta), label, weights)
        gradient = sums.b - ridge * theta
        if np.abs(gradient).max() <= CLOSE * max(1, len(scaled)):
            break
        step = np.linalg.solve(sums.a + ridge * np.eye(len(theta)), gradient)
        size = 1.0
        while (there := objective(theta + size * step)) > now and size > CLOSE:
            size /= 2
        theta, now = theta + size * step, there
    return theta


def _at(scaled: np.ndarray, offset: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return offset + np.concatenate([np.zeros(0), *(with_one(scaled[part]) @ theta for part in _chunks(len(scaled)))])


def _sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -np.asarray(log_odds, dtype=np.float64)))


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(first, first + CHUNK) for first in range(0, rows, CHUNK))
