"""The options `--executor`, `--workers` and `--threads`: where the cells of a run are worked out."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from regraft.errors import ConfigError

if TYPE_CHECKING:
    from regraft.arena.cell import Cell
    from regraft.arena.compare import Arena
    from regraft.cost import Renewal


class Executor(StrEnum):
    """Where the cells of a run are worked out."""

    local = "local"
    ray = "ray"


On = Annotated[Executor, typer.Option(help="Where cells are worked out; ray: a cluster, extra `ray`.")]
Workers = Annotated[int | None, typer.Option(min=1, help="With ray: processes; default: as many as there is room for.")]
Threads = Annotated[int, typer.Option(min=1, help="With ray: threads of each process.")]


def check(on: Executor, workers: int | None) -> None:
    """ConfigError where there is nobody to be one of the workers."""
    if workers and on is Executor.local:
        raise ConfigError("--workers", "is given without --executor ray", "both, or none of them")


def cells_of(
    arena: Arena, seconds: float | None, on: Executor, workers: int | None, threads: int
) -> Iterator[tuple[Cell, Renewal | None]]:
    """The cells of a run as they are finished; none is begun after so many seconds. What there is to know of the base
    model is told first."""
    if on is Executor.ray:
        from regraft.arena.ray_executor import run_on_ray

        return run_on_ray(arena, seconds, workers, threads, tell=arena.tell)
    for note in arena.preflight():
        arena.tell(note)
    return arena.run(seconds)


def as_given(on: Executor, workers: int | None, threads: int) -> list[object]:
    """The options as words of a command that goes on in the same way."""
    if on is Executor.local:
        return []
    return ["--executor", on.value, *(["--workers", workers] if workers else []), "--threads", threads]
