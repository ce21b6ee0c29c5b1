"""What is predicted of a run: lines of contenders, what all of them share, and sums of both."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regraft.lm.probe import Speed

PAGE_SECONDS = 1.5  # a brief report


@dataclass(frozen=True)
class Line:
    """One contender's share of the plan."""

    contender: str
    cells: int
    fits: int
    trained: int  # tokens, epochs counted
    scored: int  # tokens
    seconds: float
    disk: float  # bytes
    classical: bool  # runs before the first language model
    rung: str


@dataclass(frozen=True)
class Plan:
    """`build` is the seconds a base model takes that must be built first, `opening` what reading the log took.

    `content` are the seconds that facts about item texts take, for the whole log and the pairs of its lists, `lists`
    those of what ranked lists take else, once for all contenders, `reporting` those of the reports.
    """

    lines: tuple[Line, ...]
    tokens_per_event: float
    counted: str  # how tokens per event are known, in words
    opening: float
    build: float
    build_tokens: int
    base_bytes: int
    speed: Speed | None
    peak_memory: float  # bytes
    notes: tuple[str, ...] = ()  # what there is to know of the base model
    reporting: float = 0.0
    content: float = 0.0
    lists: float = 0.0

    @property
    def seconds(self) -> float:
        before = self.opening + self.content + self.build + self.lists
        return before + self.reporting + sum(line.seconds for line in self.lines)

    @property
    def first_answer(self) -> float | None:
        """Seconds until the report of the lowest rung; None where there is no classical one."""
        lowest = [line.seconds for line in self.lines if line.classical and line.rung == self.lines[0].rung]
        return self.opening + self.lists + PAGE_SECONDS + sum(lowest) if lowest else None

    @property
    def classical_answer(self) -> float | None:
        """Seconds until the report of all classical rungs; None where there are none."""
        classical = [line.seconds for line in self.lines if line.classical]
        before = self.opening + self.content + self.lists
        return before + self.reporting + sum(classical) if classical else None

    @property
    def disk(self) -> float:
        return self.base_bytes + sum(line.disk for line in self.lines)

    @property
    def cells(self) -> int:
        return sum(line.cells for line in self.lines)


def free_disk(folder: Path) -> int:
    """Bytes free where a run would be written."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def as_dict(plan: Plan, folder: Path) -> dict[str, Any]:
    """The plan as JSON can hold it; bytes and seconds."""
    return asdict(plan) | {
        "cells": plan.cells,
        "seconds": plan.seconds,
        "first_answer": plan.first_answer,
        "classical_answer": plan.classical_answer,
        "disk": plan.disk,
        "free_disk": free_disk(folder),
        "folder": str(folder),
    }
