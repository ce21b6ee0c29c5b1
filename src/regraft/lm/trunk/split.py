"""A model cut in two at a layer, exactly: the trunk below it, and the top from that layer on.

Layers are not sliced off: what stands around them (masks per kind of layer, positions, the scale of embeddings)
would go wrong silently. The whole model is called, and layers that are not wanted hand their input through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regraft.lm.base_model import BaseModel
from regraft.lm.fast.override_forward import Forward, override_forward
from regraft.lm.options import AdapterOptions

AGREES = {torch.float32: 1e-4, torch.bfloat16: 0.05}  # largest difference, as a share of the largest state


@dataclass(frozen=True)
class Split:
    """`layer` is the first one of the top; `wraps` says whether layers answer with a tuple."""

    base: BaseModel
    layer: int
    wraps: bool

    @classmethod
    def at(cls, base: BaseModel, layer: int) -> Split | None:
        """The split, where top(trunk(x)) == model(x) holds on this model; None where it must run whole.

        Tried on text longer than any sliding window, plain and with isolated copies.
        """
        layers = base.layers
        if not 0 < layer < base.n_layers or len(layers) != base.n_layers:
            return None
        answers: list[Any] = []
        watch = layers[0].register_forward_hook(lambda module, given, answer: answers.append(answer))
        try:
            with torch.no_grad():
                base.hidden(torch.zeros(1, 2, dtype=torch.long, device=base.device))
        finally:
            watch.remove()
        split = cls(base, layer, isinstance(answers[0], tuple))
        return split if split._agrees() else None

    @classmethod
    def below(cls, base: BaseModel, adapter: AdapterOptions) -> Split | None:
        """The split right below the layers that such adapters change; None as in `at`, or where they change all."""
        top = adapter.top(base.n_layers)
        return None if top is None else cls.at(base, base.n_layers - top)

    @property
    def share(self) -> float:
        """Part of the layers that lies in the trunk."""
        return self.layer / self.base.n_layers

    def lower(self, ids: Tensor, visible: Tensor | None = None, position: Tensor | None = None) -> Tensor:
        """States [rows, tokens, width] that enter the top; arguments as for `BaseModel.hidden`."""
        caught: list[Tensor] = []

        def through(states: Tensor) -> Tensor:
            if not caught:
                caught.append(states)
            return states

        with override_forward(self.base.layers[self.layer :], self._answering(through)):
            self.base.hidden(ids, visible, position)
        return caught[0]

    def upper(self, states: Tensor, visible: Tensor | None = None, position: Tensor | None = None) -> Tensor:
        """Last hidden states [rows, tokens, width] from the states that `lower` gave."""
        with override_forward(self.base.layers[: self.layer], self._answering(lambda _: states)):
            return self.base.hidden(states, visible, position)

    # -- inside --------------------------------------------------------------------------------

    def _answering(self, work: Callable[[Tensor], Tensor]) -> Forward:
        """A layer that does `work` on the states that it is given, and nothing else."""

        def forward(own: Any, *given: Any, **named: Any) -> Any:
            answer = work(given[0] if given else named["hidden_states"])
            return (answer,) if self.wraps else answer

        return forward

    def _agrees(self) -> bool:
        base = self.base
        n, own = (base.window or 8) + 8, 4
        place = torch.arange(n + 2 * own, device=base.device)
        ids = ((7 * place + 3) % base.config.vocab_size)[None]
        copy = torch.clamp((place - n) // own, min=-1)
        visible = (((copy == -1) | (copy == copy[:, None])) & (place <= place[:, None]))[None]
        position = torch.where(copy > 0, place - own * copy, place)[None]
        try:
            with torch.no_grad():
                plain = same(base, base.hidden(ids), self.upper(self.lower(ids)))
                # A model that does not keep to masks says so where one is needed.
                if not base.isolates:
                    return plain
                whole = base.hidden(ids, visible, position)
                return plain and same(
                    base, whole, self.upper(self.lower(ids, visible, position), visible, position)
                )  # fmt: skip
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError):
            return False


def same(base: BaseModel, expected: Tensor, found: Tensor) -> bool:
    """Equal but for the rounding of the model's type."""
    error = (expected.float() - found.float()).abs().max()
    return bool(error <= AGREES.get(base.dtype, 0.05) * expected.float().abs().max())
