"""Work that a page needs and that may take seconds: done once per key, in a thread of its own, and kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from threading import Lock
from typing import Any, TypeVar

WAIT = 2.0  # seconds that a page waits
MOST = 64  # answers that are kept
Found = TypeVar("Found")

_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="later")
_known: dict[str, Future[Any]] = {}
_lock = Lock()


def later(key: str, work: Callable[[], Found], wait: float = WAIT) -> Found | None:
    """What `work` gives, None where it takes longer than `wait` seconds; what it raises is raised here."""
    with _lock:
        if len(_known) > MOST:
            _known.clear()
        found = _known.get(key)
        if found is None or (found.done() and found.exception()):  # what failed may go better now
            found = _known[key] = _pool.submit(work)
    try:
        return found.result(wait)
    except TimeoutError:
        return None
