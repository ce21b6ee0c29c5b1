"""Which attention the layers of a decoder take, chosen per thread: several may take different ones at once.

transformers looks a function up by a name in the model's config, which is everybody's. While any thread takes another
attention than the model's own, that name stands for a function that asks what was chosen where it is called from,
and hands on to the model's own attention where nothing was; masks are made as for that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

from torch import Tensor, nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

# The interface of transformers: module, query, key, value [rows, heads, tokens, size], mask, and more by name.
Attention = Callable[..., tuple[Tensor, Tensor | None]]
STANDS_FOR = {"regraft_sdpa": "sdpa", "regraft_eager": "eager"}
STANDS_IN = {own: name for name, own in STANDS_FOR.items()}


@contextmanager
def attending(decoder: nn.Module, how: Attention | None) -> Iterator[None]:
    """Inside, in this thread and the lanes that it starts, the decoder attends by `how`; None: in its own way.

    ValueError where its own way is none that others can keep to meanwhile.
    """
    before = _how.get()
    _how.set(how)
    try:
        if how is None:
            yield
        else:
            with _switched(decoder):
                yield
    finally:
        _how.set(before)


def attention_now() -> Attention | None:
    """What was chosen in this thread."""
    return _how.get()


def own_attention(decoder: nn.Module) -> str:
    """Name of the decoder's own attention."""
    config: Any = decoder.config
    name = str(config._attn_implementation)
    return STANDS_FOR.get(name, name)


_how: ContextVar[Attention | None] = ContextVar("attention", default=None)
_lock = Lock()
_switches: dict[int, int] = {}  # id of a config -> threads that attend in another way


@contextmanager
def _switched(decoder: nn.Module) -> Iterator[None]:
    config: Any = decoder.config
    own = own_attention(decoder)
    if own not in STANDS_IN or (own == "eager" and _eager(decoder) is None):
        raise ValueError(f"attention '{own}' cannot be taken in turns with another")
    with _lock:
        _switches[id(config)] = _switches.get(id(config), 0) + 1
        config._attn_implementation = STANDS_IN[own]
    try:
        yield
    finally:
        with _lock:
            _switches[id(config)] -= 1
            if not _switches[id(config)]:
                del _switches[id(config)]
                config._attn_implementation = own


def _eager(module: nn.Module) -> Attention | None:
    """The attention that the file of a model brings along."""
    found: Attention | None = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
    return found


def _chosen_or_sdpa(module: nn.Module, *given: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
    how: Attention = _how.get() or ALL_ATTENTION_FUNCTIONS["sdpa"]
    return how(module, *given, **named)


def _chosen_or_eager(module: nn.Module, *given: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
    how = _how.get() or _eager(module)
    assert how is not None
    return how(module, *given, **named)


for _name, _function in (("regraft_sdpa", _chosen_or_sdpa), ("regraft_eager", _chosen_or_eager)):
    ALL_ATTENTION_FUNCTIONS.register(_name, _function)
    ALL_MASK_ATTENTION_FUNCTIONS.register(_name, ALL_MASK_ATTENTION_FUNCTIONS[STANDS_FOR[_name]])
