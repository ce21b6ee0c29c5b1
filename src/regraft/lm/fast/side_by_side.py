"""Several batches at once, each in a thread that computes with its share of the cores.

Two threads that share every product of a small batch get 1.35 times as far as one; with a batch each they get twice as
far (docs/log.md). A lane does its work in the context of whoever asks: the adapter, the active tokens and the attention
that were chosen there (slots.py, activation.py, attention_switch.py) are chosen in the lane as well. What the work
itself chooses stays in its thread.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from threading import Barrier, Lock, local
from time import process_time, thread_time
from typing import TypeVar

import torch

MOST = 4  # lanes: on a larger machine each has several cores

_T = TypeVar("_T")
_R = TypeVar("_R")
_mine = local()
_starting = Lock()  # several threads may ask for the first lanes


def lanes(device: torch.device) -> int:
    """How many batches go side by side on this device; 1 inside a lane."""
    return 1 if device.type != "cpu" or in_lane() else min(torch.get_num_threads(), MOST)


def in_lane() -> bool:
    return getattr(_mine, "lane", False)


def cpu_seconds() -> float:
    """A clock of the CPU time that goes into this thread's work: of the whole process outside lanes."""
    return thread_time() if in_lane() else process_time()


def side_by_side(work: Callable[[_T], _R], items: Iterable[_T], device: torch.device) -> Iterator[_R]:
    """The results in the order of the items; of these, two per lane are taken in advance."""
    width = lanes(device)
    if width == 1:
        yield from map(work, items)
        return
    grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def one(item: _T) -> _R:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):  # threads have modes of their own
            return work(item)

    with _starting:
        pool = threads(width, torch.get_num_threads() // width)
    running: deque[Future[_R]] = deque()
    try:
        for item in items:
            running.append(pool.submit(copy_context().run, one, item))
            if len(running) == 2 * width:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
        wait(running)


@cache
def threads(number: int, cores: int) -> ThreadPoolExecutor:
    """So many threads, each of which computes with so many cores."""
    together, before = Barrier(number), torch.get_num_threads()

    def begin(_: int) -> None:
        _mine.lane = True
        torch.get_num_threads()  # at its first call a thread takes the default, and so forgets what it was told before
        torch.set_num_threads(cores)
        together.wait()

    pool = ThreadPoolExecutor(number, "lane")
    list(pool.map(begin, range(number)))
    torch.set_num_threads(before)  # what the threads said of themselves is also the default of new ones
    return pool


os.register_at_fork(after_in_child=threads.cache_clear)
