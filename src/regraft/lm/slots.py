"""Slots: adapters whose weights lie on the model's device, and which of them acts in this thread.

The model itself is the same for everybody. Each of its linear layers asks, in every forward pass, which slot acts where
it was called from: a choice made in one thread (and in the lanes that it starts, side_by_side.py) is seen in no other.
So several requests run on one model at once, each under an adapter of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from regraft.lm.activation import active_tokens
from regraft.lm.adapter import Adapter

MOST = 8  # adapters that stay loaded between requests
LITTLE = 16 << 20  # bytes of wide weights of a slot up to which their sums with the adapter's are kept between passes

Linear = nn.Linear  # or Conv1D of transformers, which keeps its weight transposed and has no types
Pair = tuple[nn.Parameter, nn.Parameter]  # A [rank, in] and B [out, rank], fp32 whatever the model computes in


@dataclass(eq=False)  # one is the same as itself alone
class Slot:
    """The weights of one adapter on the device of the model."""

    adapter: str  # hash of the adapter that was loaded
    scale: float
    weights: Mapping[str, nn.Parameter]  # "module.lora_A" and "module.lora_B", in the order of the model
    pairs: Mapping[nn.Module, Pair]  # the same per linear layer that they change
    users: int = 0  # passes that it acts in now
    sums: dict[nn.Module, tuple[int, Tensor]] = field(default_factory=dict)  # small: version, W + scale B A

    @cached_property
    def little(self) -> bool:
        """Whether the layers that it changes are few and small."""
        return sum(layer.get_parameter("weight").numel() for layer in self.pairs) * 4 <= LITTLE

    @property
    def version(self) -> tuple[str, int]:
        """Names the weights as they are now: other ones after a step of training."""
        return self.adapter, sum(weight._version for weight in self.weights.values())


class Slots:
    """The slots of one model: at most `most` loaded adapters, and more only while more are in use.

    Where another is wanted, the one that was used least recently is given up; none is while it acts.
    """

    def __init__(self, layers: Mapping[str, Linear], dtype: torch.dtype, most: int = MOST) -> None:
        self.layers, self.most = layers, most
        self.default: Slot | None = None  # acts in every thread that has chosen none
        self._lock = Lock()
        self._loaded: OrderedDict[str, Slot] = OrderedDict()  # by adapter, the least recently used one first
        grafted = _fused if dtype == torch.float32 else _thin
        for layer in layers.values():
            vars(layer)["forward"] = partial(grafted, self, layer, layer.forward)

    def __len__(self) -> int:
        return len(self._loaded)

    def load(self, adapter: Adapter) -> Slot:
        """A new slot for one owner, who may train it. The adapter fits the model."""
        weights: dict[str, nn.Parameter] = {}
        pairs: dict[nn.Module, Pair] = {}
        with torch.inference_mode(False):  # also for a request: tensors made in that mode count no versions
            for name, layer in self.layers.items():
                if f"{name}.lora_A" in adapter.weights:
                    down, up = (_parameter(adapter.weights[f"{name}.{side}"], layer) for side in ("lora_A", "lora_B"))
                    weights[f"{name}.lora_A"], weights[f"{name}.lora_B"] = pairs[layer] = down, up
        return Slot(adapter.hash, adapter.shape.scale, weights, pairs)

    @contextmanager
    def using(self, adapter: Adapter) -> Iterator[None]:
        """Inside, the adapter acts in this thread; it stays loaded for the next request."""
        slot = self._claim(adapter)
        try:
            with self.choosing(slot):
                yield
        finally:
            with self._lock:
                slot.users -= 1
                self._make_room()

    @contextmanager
    def choosing(self, slot: Slot | None) -> Iterator[None]:
        """Inside, the slot acts in this thread; None: no adapter does."""
        before = _chosen.get()
        _chosen.set({**before, self: slot})
        try:
            yield
        finally:
            _chosen.set(before)

    def acting(self) -> Slot | None:
        """The slot that acts in this thread; None: the model is bare."""
        return _chosen.get().get(self, self.default)

    # -- inside --------------------------------------------------------------------------------

    def _claim(self, adapter: Adapter) -> Slot:
        with self._lock:
            slot = self._loaded.pop(adapter.hash, None) or self.load(adapter)
            self._loaded[adapter.hash] = slot
            slot.users += 1
            self._make_room()
            return slot

    def _make_room(self) -> None:
        idle = [name for name, slot in self._loaded.items() if not slot.users]
        for name in idle[: max(0, len(self._loaded) - self.most)]:
            del self._loaded[name]


_chosen: ContextVar[Mapping[Slots, Slot | None]] = ContextVar("slots that act", default=MappingProxyType({}))


def _parameter(values: np.ndarray, layer: Linear) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float32, device=layer.weight.device))


def _fused(slots: Slots, layer: Linear, own: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Multiplies once, by W + scale * B A, instead of by W, A and B in turn.

    The same function with the same gradients; on narrow models the two thin products cost more than the wide
    one. Only in fp32: in bf16 the sum would round the change away.
    """
    slot = slots.acting()
    pair = slot.pairs.get(layer) if slot else None
    if slot is None or pair is None:
        return own(x)
    if active_tokens() is not None:
        return _thin(slots, layer, own, x)
    return F.linear(x, _sum(slot, layer, *pair), layer.bias)


def _sum(slot: Slot, layer: Linear, down: nn.Parameter, up: nn.Parameter) -> Tensor:
    """W + scale * B A: of a small model it is worked out once for all requests."""
    version, (kept_of, kept) = down._version + up._version, slot.sums.get(layer, (-1, None))
    if kept is not None and kept_of == version and torch.is_inference_mode_enabled():
        return kept
    weight = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    found = weight + slot.scale * (up @ down)
    if torch.is_inference_mode_enabled() and slot.little:
        slot.sums[layer] = version, found
    return found


def _thin(slots: Slots, layer: Linear, own: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Multiplies by A and B in the type of the model, added where the wide product lies.

    Products in fp32 would keep their inputs for the gradient; in bf16 that is most of the memory of training and a
    part of its time, for digits that the next layer rounds away.
    """
    slot, wide = slots.acting(), own(x)
    pair = slot.pairs.get(layer) if slot else None
    if slot is None or pair is None:
        return wide
    down, up = pair[0].to(x.dtype), slot.scale * pair[1]
    narrow, acts = F.linear(x, down), active_tokens()
    if acts is not None:
        narrow = narrow * acts[..., None]
    return torch.addmm(wide.flatten(0, -2), narrow.flatten(0, -2), up.to(x.dtype).T).view_as(wide)
