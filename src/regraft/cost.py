"""What a piece of work took: seconds, tokens, FLOPs, bytes. Costs add up."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Cost:
    """Sums of one or several pieces of work; `peak_memory` is a maximum."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    tokens_forward: int = 0
    tokens_backward: int = 0
    tokens_trunk: int = 0  # tokens that the lower layers read once to be kept; forward then counts the top's
    flops: float = 0.0
    targets_trained: int = 0
    adapter_bytes: int = 0  # size of what is served after the work
    cache_bytes: int = 0
    stored_interactions: int = 0  # rows that must be kept to be able to do the work again next period
    peak_memory: int = 0  # bytes, of the process

    def __add__(self, other: Cost) -> Cost:
        total = Cost(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)})
        for name in ("peak_memory", "adapter_bytes", "cache_bytes", "stored_interactions"):
            setattr(total, name, max(getattr(self, name), getattr(other, name)))
        return total

    def share(self, part: float) -> Cost:
        """The cost of `part` (0 to 1) of the same work; sizes and peaks stay."""
        fixed = ("peak_memory", "adapter_bytes", "cache_bytes", "stored_interactions")
        whole = self.as_dict()
        return Cost(
            **{k: v if k in fixed else round(v * part) if isinstance(v, int) else v * part for k, v in whole.items()}
        )

    def as_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(Cost)}


@dataclass
class CostMeter:
    """Adds up the cost of a contender's work; shared work is charged to each contender in full."""

    total: Cost = field(default_factory=Cost)

    def charge(self, cost: Cost) -> None:
        self.total = self.total + cost

    def reset(self) -> Cost:
        """What was gathered since the last reset."""
        gathered, self.total = self.total, Cost()
        return gathered


@contextmanager
def measured() -> Iterator[Cost]:
    """A Cost whose seconds and peak memory are filled in when the block ends."""
    cost = Cost()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield cost
    finally:
        cost.cpu_seconds += time.process_time() - cpu
        cost.wall_seconds += time.perf_counter() - wall
        cost.peak_memory = max(cost.peak_memory, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


@dataclass(frozen=True)
class Renewal:
    """What one renewal took and what it decided."""

    cost: Cost
    notes: tuple[str, ...] = ()
