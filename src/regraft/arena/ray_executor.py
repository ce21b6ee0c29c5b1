"""The work of a run on a Ray cluster, with the results of a run on one machine.

What is dealt out is a chain: one contender and seed with its updates in order, because a cell goes on from the
cell before it. Workers write cells into the run's folder themselves, whole or not at all, so every machine must
see that folder under the same path; the log itself travels through Ray. Nothing here knows what a cell does.
"""

from __future__ import annotations

import platform
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regraft.arena.cell import Cell
from regraft.arena.collect import machine, versions
from regraft.arena.compare import Arena
from regraft.arena.ray_cluster import connected, import_ray, room
from regraft.arena.ray_crew import Crew, Job, Tell
from regraft.cost import Renewal
from regraft.data.stream import Stream
from regraft.errors import ResultsError
from regraft.setup.base import nano_folder
from regraft.setup.config import ArenaConfig

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
PARTS = 4  # per worker, when cases are dealt out: the last ones even out what the others took


def run_on_ray(
    arena: Arena, budget: float | None = None, workers: int | None = None, threads: int = 1, tell: Tell = str
) -> Iterator[tuple[Cell, Renewal | None]]:
    """Like `Arena.run`, on a cluster: yields (cell, renewal) as cells are finished, None for cells that were there.

    Begins no cell after `budget` seconds. `workers` (default: as many as there is room for) are processes with
    `threads` threads each. `tell` hears, in words, who works and who died.
    """
    began = time.monotonic()
    arena.claim()
    missing = []
    for cell in arena.cells():
        if arena.there(cell):
            yield cell, None
        else:
            missing.append(cell)

    def spent() -> bool:
        return budget is not None and time.monotonic() - began > budget

    base = arena.config.base
    if base.path and any(cell.contender.kind == "strategy" for cell in missing):
        from regraft.lm.preflight import preflight

        for note in preflight(base.path, base.trust_remote_code).notes:
            tell(note)
    if missing and not spent():
        chains = [
            deque(Job(str(cell), "one", (cell,)) for cell in chain)
            for _, chain in groupby(missing, lambda cell: (cell.contender.label, cell.seed))
        ]
        with _crew(arena, missing, workers, threads, tell) as crew:
            for job, done in crew.work(chains, spent):
                arena.base, arena.machine = done.base or arena.base, done.machine | {"executor": crew.in_words}
                yield job.given[0], done.renewal
    arena.collect()


def score_on_ray(
    arena: Arena, cell: Cell, cases: Stream, workers: int | None = None, threads: int = 1, tell: Tell = str
) -> np.ndarray:
    """Log-odds per case, as `arena.after(cell).score(cases)` gives, worked out in parts on a cluster.

    The parts are whole users, so that each history is read once. Sums are rounded otherwise in a part than in the
    whole: scores agree to 1e-6.
    """
    scores = np.full(len(cases), np.nan)
    if not len(cases):
        return scores
    with _crew(arena, [cell], workers, threads, tell) as crew:
        view = crew.ray.put(cases)
        dealt = by_user(cases.users, PARTS * crew.size)
        jobs = [deque([Job(f"{cell}, {len(part):,} cases", "score", (cell, view, part))]) for part in dealt]
        for job, done in crew.work(jobs):
            scores[job.given[2]] = done
    return scores


def by_user(users: np.ndarray, n: int) -> list[np.ndarray]:
    """Numbers of the cases in `n` parts of about one size (fewer where users are few); a user's cases stay together."""
    order = np.argsort(users, kind="stable")
    starts = np.flatnonzero(np.diff(users[order], prepend=-1))
    wanted = np.searchsorted(starts, np.arange(1, n) * len(users) / n)
    cuts = np.unique(starts[wanted[wanted < len(starts)]])
    return [np.sort(part) for part in np.split(order, cuts) if len(part)]


# -- on a worker ------------------------------------------------------------------------------------


class Done(NamedTuple):
    """What a finished cell tells the one who asked for it; cell and costs lie in the folder."""

    renewal: Renewal
    base: dict[str, Any] | None
    machine: dict[str, Any]


class Worker:
    """One process with an arena of its own: the base model is loaded once, when a strategy first needs it."""

    def __init__(
        self, config: ArenaConfig, paths: list[Path], stream: Stream, wanted: dict[str, str], kind: type[Arena] = Arena
    ) -> None:
        """`paths` must be there, the run's folder first; `wanted` are the versions to work with."""
        self.kind, self.config, self.paths, self.stream, self.wanted = kind, config, paths, stream, wanted

    @cached_property
    def arena(self) -> Arena:
        """Opened with the first job, not with the worker: an error in it is an error of that job."""
        where = f"worker on '{platform.node()}'"
        own = versions()
        if own != self.wanted:
            differ = [k for k in sorted({*own, *self.wanted}) if own.get(k) != self.wanted.get(k)]
            found = ", ".join(f"{k} {own.get(k, 'missing')} (not {self.wanted.get(k, 'installed')})" for k in differ)
            raise ResultsError(where, f"has {found}", "the versions of the machine that runs `regraft`")
        for path in self.paths:
            if not path.exists():
                raise ResultsError(
                    where, f"does not see '{path}'", "a folder that all machines of the cluster share",
                    "Choose one with: --out DIR",
                )  # fmt: skip
        arena = self.kind(self.config, self.paths[0], self.stream)
        arena.claim()
        return arena

    def one(self, cell: Cell) -> Done:
        renewal = self.arena.one(cell)
        return Done(renewal, self.arena.base, machine())

    def score(self, cell: Cell, cases: Stream, part: np.ndarray) -> np.ndarray:
        if self._scorer is None or self._scorer[0] != cell:
            self._scorer = cell, self.arena.after(cell)
        return np.asarray(self._scorer[1].score(cases.only(part)))

    _scorer: tuple[Cell, Any] | None = None


# -- on the machine that asks ----------------------------------------------------------------------------


@contextmanager
def _crew(arena: Arena, cells: Iterable[Cell], workers: int | None, threads: int, tell: Tell) -> Iterator[Crew]:
    """A crew for these cells. The base model is built here, once, before anybody looks for it."""
    ray, config = import_ray(), arena.config
    strategies = any(cell.contender.kind == "strategy" for cell in cells)
    cards = int(strategies and config.base.device != "cpu")
    with connected(ray, workers and workers * threads):
        size = workers or room(ray, threads, cards)
        paths = [arena.folder.resolve(), *_named(config)]
        if strategies and not config.base.path:
            built = nano_folder(config, arena.stream, arena.template, arena.regime, arena.folder)
            paths.append(built.resolve())
        in_words = f"Ray, {size} worker{'s' * (size > 1)} with {threads} thread{'s' * (threads > 1)} each"
        tell(in_words)
        worker = ray.remote(Worker).options(
            num_cpus=threads, num_gpus=cards, runtime_env={"env_vars": dict.fromkeys(THREADS, str(threads))}
        )
        stream = ray.put(arena.stream)
        crew = Crew(ray, lambda: worker.remote(config, paths, stream, versions(), type(arena)), size, in_words, tell)
        try:
            yield crew
        finally:
            crew.let_go()


def _named(config: ArenaConfig) -> list[Path]:
    """Files and folders of this machine that a worker will open; names of the hub and of the library are none."""
    given = {config.base.path, config.template, *(contender.template for contender in config.contenders)}
    paths = [Path(name) for name in sorted(filter(None, given))]
    return [path for path in paths if path.is_absolute() and path.exists()]
