"""Adapters on a live base model. The base model's own weights are never written.

The files of an adapter are those of PEFT (adapter.py). On the model its weights lie in a slot (slots.py), and which
slot acts is chosen per thread: by `on` and `bare` to score, by `training` to train.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.base_model import BaseModel
from regraft.lm.options import AdapterOptions
from regraft.lm.slots import Linear, Slots

_lock = Lock()


class Grafts:
    """Puts adapters onto one base model; all that are made for it share its slots.

    Make the first one before other threads use the model.
    """

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        with _lock:
            if base.slots is None:
                base.slots = Slots(_linear_layers(base.model), base.dtype)
        self.slots: Slots = base.slots
        self._transposed = any(isinstance(layer, Conv1D) for layer in self.slots.layers.values())
        self.linear = sorted({_kind(name) for name in self.slots.layers})

    def shape(self, options: AdapterOptions) -> AdapterShape:
        """The adapter shape that the options mean on this model."""
        linear = set(self.linear)
        targets = tuple(sorted(linear)) if options.targets == "auto" else tuple(sorted(options.targets))
        if unknown := set(targets) - linear:
            raise ModelError(
                "adapter.targets",
                f"this model has no linear layer named {', '.join(sorted(unknown))}",
                ", ".join(sorted(linear)),
            )
        top = options.top(self.base.n_layers)
        if top is None:
            return AdapterShape(options.rank, options.alpha, targets, at_targets=options.adapt == "targets")
        if not 1 <= top <= self.base.n_layers:
            raise ModelError("adapter.adapt", f"top {top} layers", f"all, or 1 to {self.base.n_layers}")
        layers = tuple(range(self.base.n_layers - top, self.base.n_layers))
        return AdapterShape(options.rank, options.alpha, targets, layers)

    def check(self, options: AdapterOptions) -> None:
        """Raises ModelError where adapters of these options cannot be put onto this family, or loaded by PEFT.

        Tried with PEFT on a copy of the model without weights.
        """
        shape = self.shape(options)
        config = LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            target_modules=list(shape.targets),
            layers_to_transform=list(shape.layers) if shape.layers is not None else None,
            fan_in_fan_out=self._transposed,
        )
        try:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                inject_adapter_in_model(config, type(self.base.model)(self.base.config), "tried")
        except Exception as error:  # of PEFT: families and layers that it does not serve
            raise ModelError(
                f"base model '{self.base.path}'",
                f"cannot be adapted: {(str(error).splitlines() or [type(error).__name__])[0]}",
                "a family whose linear layers PEFT adapts, such as Llama, Qwen, Gemma, Mistral or GPT-2",
            ) from error

    def fresh(self, shape: AdapterShape, seed: int) -> Adapter:
        """A new adapter that does nothing yet: A uniform as PEFT draws it, B zero; by seed alone."""
        rng = np.random.default_rng([seed, 7])
        weights = {}
        for name, size in self._sizes(shape).items():
            bound = 1.0 / np.sqrt(size[1])  # Kaiming uniform with a = sqrt(5)
            values = rng.uniform(-bound, bound, size) if name.endswith("lora_A") else np.zeros(size)
            weights[name] = values.astype(np.float32)
        return Adapter(shape, weights, {"fan_in_fan_out": self._transposed})

    def on(self, adapter: Adapter | None) -> AbstractContextManager[None]:
        """Inside, the model carries the adapter in this thread, for passes without gradients; None: none at all."""
        if adapter is None:
            return self.slots.choosing(None)
        self._check(adapter)
        return self.slots.using(adapter)

    def bare(self) -> AbstractContextManager[None]:
        """Inside, the base model without any adapter in this thread."""
        return self.on(None)

    @contextmanager
    def training(self, adapter: Adapter) -> Iterator[dict[str, nn.Parameter]]:
        """Inside, the model carries a copy of the adapter in this thread; its weights by name, to be trained."""
        self._check(adapter)
        slot = self.slots.load(adapter)
        with self.slots.choosing(slot):
            yield dict(slot.weights)

    def put(self, adapter: Adapter) -> dict[str, nn.Parameter]:
        """As `training`, until the next `put`, in every thread that is not inside `on`, `bare` or `training`."""
        self._check(adapter)
        self.slots.default = slot = self.slots.load(adapter)
        return dict(slot.weights)

    # -- inside --------------------------------------------------------------------------------

    def _sizes(self, shape: AdapterShape) -> dict[str, tuple[int, int]]:
        """Of every matrix of such an adapter, in the order of the model."""
        sizes = {}
        for name, layer in self.slots.layers.items():
            if _kind(name) in shape.targets and (shape.layers is None or self._layer_of.get(name) in shape.layers):
                outputs, inputs = layer.weight.shape[::-1] if isinstance(layer, Conv1D) else layer.weight.shape
                sizes[f"{name}.lora_A"], sizes[f"{name}.lora_B"] = (shape.rank, inputs), (outputs, shape.rank)
        return sizes

    @cached_property
    def _layer_of(self) -> dict[str, int]:
        """Number of the layer that a linear layer belongs to, by name."""
        inside = {part: number for number, layer in enumerate(self.base.layers) for part in layer.modules()}
        return {name: inside[layer] for name, layer in self.slots.layers.items() if layer in inside}

    def _check(self, adapter: Adapter) -> None:
        shape = adapter.shape
        if missing_here := set(shape.targets) - set(self.linear):
            raise _misfit(adapter, f"it has no linear layer named {', '.join(sorted(missing_here))}")
        if shape.layers and max(shape.layers) >= self.base.n_layers:
            raise _misfit(adapter, f"it has {self.base.n_layers} layers, the adapter is for layer {max(shape.layers)}")
        sizes = self._sizes(shape)
        missing, unexpected = set(sizes) - set(adapter.weights), set(adapter.weights) - set(sizes)
        if missing or unexpected:
            example = sorted(missing | unexpected)[0]
            raise _misfit(adapter, f"{len(missing)} matrices missing, {len(unexpected)} unexpected, e.g. {example}")
        for name, size in sizes.items():
            if adapter.weights[name].shape != size:
                raise _misfit(adapter, f"{name} is {adapter.weights[name].shape}, not {size}")


def take(weights: Mapping[str, nn.Parameter]) -> dict[str, np.ndarray]:
    """A copy of what `training` or `put` gave, as it is now."""
    return {name: weight.detach().float().cpu().numpy().copy() for name, weight in weights.items()}


def _misfit(adapter: Adapter, why: str) -> ModelError:
    return ModelError(f"adapter {adapter.hash[:8]}", f"does not fit this base model: {why}", "an adapter made for it")


def _kind(name: str) -> str:
    """What a linear layer is called in its block, "q_proj"."""
    return name.rsplit(".", 1)[-1]


def _linear_layers(model: Any) -> dict[str, Linear]:
    """The linear layers below the output head by name, in the order of the model."""
    below, head = set(model.base_model.modules()), model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module in below and module is not head
    }
