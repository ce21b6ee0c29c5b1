"""Workers of a Ray cluster and the jobs they are given: chains side by side, and another try where a worker dies.

Nothing here knows what a job does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from regraft.errors import RegraftError, ResultsError

LIVES = 2  # workers that may die of one job
Tell = Callable[[str], object]


class Job(NamedTuple):
    """One call of a worker's method; `words` name it in messages."""

    words: str
    method: str
    given: tuple[Any, ...]


@dataclass
class Crew:
    """Workers that are hired when there is work for them, and let go when there is none."""

    ray: Any
    hire: Callable[[], Any]
    size: int  # workers at most
    in_words: str
    tell: Tell
    hired: list[Any] = field(default_factory=list)

    def work(self, chains: Iterable[deque[Job]], spent: Callable[[], bool] = bool) -> Iterator[tuple[Job, Any]]:
        """Yields (job, result) as jobs are done; the jobs of a chain one after the other, chains at the same time.

        Raises the first error of a job. A job whose worker dies is given to another one, once.
        """
        waiting, at_work, deaths = deque(chains), {}, Counter[str]()

        def go_on(worker: Any, chain: deque[Job] | None) -> None:
            chain = chain or (waiting.popleft() if waiting else None)
            if chain and not spent():
                at_work[getattr(worker, chain[0].method).remote(*chain[0].given)] = worker, chain
            else:
                self.ray.kill(worker)

        while waiting and len(at_work) < self.size and not spent():
            go_on(self._new(), None)
        while at_work:
            (ref,), _ = self.ray.wait(list(at_work))
            worker, chain = at_work.pop(ref)
            job = chain[0]
            try:
                done = self.ray.get(ref)
            except self.ray.exceptions.RayTaskError as error:
                raise _of_a_job(error, job) from None
            except self.ray.exceptions.RayError as error:
                deaths[job.words] += 1
                if deaths[job.words] == LIVES:
                    raise _of_a_worker(error, job) from None
                self.tell(f"{job.words}: its worker died, another one takes it up")
                self.ray.kill(worker)  # it may only be out of reach
                go_on(self._new(), chain)
            else:
                chain.popleft()
                go_on(worker, chain)
                yield job, done

    def _new(self) -> Any:
        self.hired.append(self.hire())
        return self.hired[-1]

    def let_go(self) -> None:
        for worker in self.hired:
            self.ray.kill(worker)


def _of_a_job(error: Any, job: Job) -> Exception:
    """What a job raised, as it would have been raised here; what regraft did not expect is put into words."""
    cause = error.cause
    if isinstance(cause, RegraftError | OSError):
        return cause
    return ResultsError(
        job.words, f"{type(cause).__name__}: {cause}", next_step="See where it comes from with: --executor local"
    )


def _of_a_worker(error: Exception, job: Job) -> Exception:
    reason = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    return ResultsError(
        job.words, f"{LIVES} workers died of it: {reason}",
        next_step="Where memory was short, fewer workers leave more to each: --workers N. Finished cells are kept: the "
        "same command goes on from there",
    )  # fmt: skip
