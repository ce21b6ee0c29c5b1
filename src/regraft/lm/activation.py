"""An adapter that changes targets alone: its change is let through at active tokens, and held back at all others.

History then reads the same under every adapter: a swap of adapters, or a second one beside the first, leaves what
was read of it as it is (activated LoRA, arXiv 2504.12397, has one target at the end; here are many copies).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from torch import Tensor

_mine = local()


@contextmanager
def activated_at(tokens: Tensor | None) -> Iterator[None]:
    """Inside, adapters act where `tokens` [rows, tokens] is true; None: everywhere."""
    before = active_tokens()
    _mine.tokens = tokens
    try:
        yield
    finally:
        _mine.tokens = before


def active_tokens() -> Tensor | None:
    """Where adapters act; None: everywhere."""
    return getattr(_mine, "tokens", None)
