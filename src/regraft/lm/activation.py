"""An adapter that changes targets alone: its change is let through at active tokens, and held back at all others.

History then reads the same under every adapter: a swap of adapters, or a second one beside the first, leaves what
was read of it as it is (activated LoRA, arXiv 2504.12397, has one target at the end; here are many copies).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_active: ContextVar[Tensor | None] = ContextVar("tokens where adapters act", default=None)


@contextmanager
def activated_at(tokens: Tensor | None) -> Iterator[None]:
    """Inside, in this thread, adapters act where `tokens` [rows, tokens] is true; None: everywhere."""
    before = _active.get()
    _active.set(tokens)
    try:
        yield
    finally:
        _active.set(before)


def active_tokens() -> Tensor | None:
    """Where adapters act; None: everywhere."""
    return _active.get()
