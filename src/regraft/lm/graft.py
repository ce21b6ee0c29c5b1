"""Adapters on a live base model, through PEFT. The base model's own weights are never written.

A model carries one PEFT adapter slot per adapter shape; weights are copied into the slot. `bare()` turns
every slot off.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from regraft.errors import ModelError
from regraft.lm.activation import active_tokens
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.base_model import BaseModel
from regraft.lm.options import AdapterOptions


class Grafts:
    """The adapter slots of one base model."""

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        self._slots: dict[AdapterShape, str] = base.slots
        inner = _linear_layers(base.model)
        self._transposed = any(isinstance(m, Conv1D) for m in inner.values())
        self.linear = sorted({name.rsplit(".", 1)[-1] for name in inner})

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
        """Raises ModelError where adapters of these options cannot be put onto this model."""
        self._use(self.shape(options))

    def fresh(self, shape: AdapterShape, seed: int) -> Adapter:
        """A new adapter that does nothing yet: A uniform as PEFT draws it, B zero; by seed alone."""
        self._use(shape)
        rng = np.random.default_rng([seed, 7])
        weights = {}
        for name, parameter in self.parameters(shape).items():
            size = tuple(parameter.shape)
            bound = 1.0 / np.sqrt(size[1])  # Kaiming uniform with a = sqrt(5)
            values = rng.uniform(-bound, bound, size) if name.endswith("lora_A") else np.zeros(size)
            weights[name] = values.astype(np.float32)
        return Adapter(shape, weights, {"fan_in_fan_out": self._transposed})

    def put(self, adapter: Adapter) -> dict[str, nn.Parameter]:
        """Loads and turns on the adapter; the slot's parameters by name."""
        shape = adapter.shape
        if missing_here := set(shape.targets) - set(self.linear):
            raise _misfit(adapter, f"it has no linear layer named {', '.join(sorted(missing_here))}")
        if shape.layers and max(shape.layers) >= self.base.n_layers:
            raise _misfit(adapter, f"it has {self.base.n_layers} layers, the adapter is for layer {max(shape.layers)}")
        self._use(shape)
        slot = self.parameters(shape)
        missing, unexpected = set(slot) - set(adapter.weights), set(adapter.weights) - set(slot)
        if missing or unexpected:
            example = sorted(missing | unexpected)[0]
            raise _misfit(adapter, f"{len(missing)} matrices missing, {len(unexpected)} unexpected, e.g. {example}")
        for name, parameter in slot.items():
            if adapter.weights[name].shape != tuple(parameter.shape):
                raise _misfit(adapter, f"{name} is {adapter.weights[name].shape}, not {tuple(parameter.shape)}")
        with torch.no_grad():
            for name, parameter in slot.items():
                parameter.copy_(torch.from_numpy(np.asarray(adapter.weights[name])))
        return slot

    def take(self, shape: AdapterShape) -> dict[str, np.ndarray]:
        """A copy of what the slot holds."""
        return {n: p.detach().float().cpu().numpy().copy() for n, p in self.parameters(shape).items()}

    @contextmanager
    def bare(self) -> Iterator[None]:
        """The base model without any adapter."""
        layers = [m for m in self.base.model.modules() if isinstance(m, BaseTunerLayer)]
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)

    def parameters(self, shape: AdapterShape) -> dict[str, nn.Parameter]:
        """ "module.lora_A" and "module.lora_B" of the shape's slot."""
        slot = self._slots[shape]
        end = f".{slot}.weight"
        return {n.removesuffix(end): p for n, p in self.base.model.named_parameters() if n.endswith(end)}

    # -- inside --------------------------------------------------------------------------------

    def _use(self, shape: AdapterShape) -> None:
        if shape not in self._slots:
            config = LoraConfig(
                r=shape.rank,
                lora_alpha=shape.alpha,
                target_modules=list(shape.targets),
                layers_to_transform=list(shape.layers) if shape.layers is not None else None,
                fan_in_fan_out=self._transposed,
                lora_dropout=0.0,
            )
            slot = f"slot{len(self._slots)}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PEFT warns of a second adapter; slots are meant to be several
                try:
                    inject_adapter_in_model(config, self.base.model, slot)
                except Exception as error:  # of PEFT: families and layers that it does not serve
                    raise ModelError(
                        f"base model '{self.base.path}'",
                        f"cannot be adapted: {(str(error).splitlines() or [type(error).__name__])[0]}",
                        "a family whose linear layers PEFT adapts, such as Llama, Qwen, Gemma, Mistral or GPT-2",
                    ) from error
            self._slots[shape] = slot
            for parameter in self.parameters(shape).values():
                parameter.data = parameter.data.float()  # whatever the base's dtype: small steps must not round away
            self.base.model.eval()
            _replace_forward(self.base.model, _fused if self.base.dtype == torch.float32 else _thin)
        for module in self.base.model.modules():
            if isinstance(module, BaseTunerLayer):
                module.set_adapter(self._slots[shape])


def _misfit(adapter: Adapter, why: str) -> ModelError:
    return ModelError(f"adapter {adapter.hash[:8]}", f"does not fit this base model: {why}", "an adapter made for it")


def _linear_layers(model: Any) -> dict[str, nn.Module]:
    """The linear layers below the output head by name, whether or not they carry slots already."""
    found = {}
    for name, module in model.base_model.named_modules():
        layer = module.get_base_layer() if isinstance(module, BaseTunerLayer) else module
        inside_a_slot = {"base_layer", "lora_A", "lora_B"} & set(name.split("."))
        if isinstance(layer, nn.Linear | Conv1D) and layer is not model.get_output_embeddings() and not inside_a_slot:
            found[name] = layer
    return found


def _replace_forward(model: nn.Module, forward: Callable[..., Tensor]) -> None:
    for module in model.modules():
        if isinstance(module, LoraLinear) and not hasattr(module, "unfused"):
            module.unfused = module.forward
            module.forward = MethodType(forward, module)


def _fused(self: LoraLinear, x: Tensor, *args: object, **kwargs: object) -> Tensor:
    """Multiplies once, by W + scale * B A, instead of by W, A and B in turn.

    The same function with the same gradients; on narrow models the two thin products cost more than the wide
    one. Only in fp32: in bf16 the sum would round the change away.
    """
    name = _only_adapter(self)
    if name is None:
        return self.unfused(x, *args, **kwargs)
    if active_tokens() is not None:
        return _thin(self, x)
    delta = self.scaling[name] * (self.lora_B[name].weight @ self.lora_A[name].weight)
    base = self.get_base_layer()
    weight = base.weight.T if self.fan_in_fan_out else base.weight
    return F.linear(x, weight + delta, base.bias)


def _thin(self: LoraLinear, x: Tensor, *args: object, **kwargs: object) -> Tensor:
    """Multiplies by A and B in the type of the model, added where the wide product lies.

    PEFT turns every input into fp32 and keeps it for the gradient; in bf16 that is most of the memory of training
    and a part of its time, for digits that the next layer rounds away.
    """
    name = _only_adapter(self)
    if name is None:
        return self.unfused(x, *args, **kwargs)
    wide = self.get_base_layer()(x)
    down, up = self.lora_A[name].weight.to(x.dtype), self.scaling[name] * self.lora_B[name].weight
    narrow, acts = F.linear(x, down), active_tokens()
    if acts is not None:
        narrow = narrow * acts[..., None]
    return torch.addmm(wide.flatten(0, -2), narrow.flatten(0, -2), up.to(x.dtype).T).view_as(wide)


def _only_adapter(layer: LoraLinear) -> str | None:
    """The one adapter that is on; None where it is not one."""
    active = layer.active_adapters
    return active[0] if not layer.disable_adapters and len(active) == 1 and active[0] in layer.lora_A else None
