"""The frozen language model: any Hugging Face causal LM directory or id, with its tokenizer.

The only things regraft asks of it are the hidden states of given tokens under a given visibility, and
the difference of two rows of its output head. Weights are read from safetensors only; code that comes
with a model is not run unless asked for.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from regraft.errors import ModelError
from regraft.lm.activation import activated_at, active_tokens
from regraft.lm.dtypes import DTYPES, probe_dtype
from regraft.lm.fast.attention_switch import attending, attention_now
from regraft.lm.fast.tiled_attention import tiled
from regraft.lm.load import load, quiet
from regraft.lm.slots import Slots

IMPORT = "import.json"  # what a base was imported from (import_gguf.py)
# Entries of a config that say where a model came from or how it is run, not what it computes.
BESIDE_THE_POINT = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}


@dataclass
class BaseModel:
    """`model` is frozen; `hash` names its weights, config and tokenizer."""

    model: Any
    tokenizer: Any
    hash: str
    path: str
    notes: list[str] = field(default_factory=list)
    slots: Slots | None = field(default=None, repr=False)  # adapters that are loaded (graft.py)
    keeps_prefix: bool | None = None  # found out once, when it is first needed (shared_prefix.py)
    by_token: list[nn.Module] | None = field(default=None, repr=False)  # likewise (last_layer.py)
    recomputes: bool = False  # layers run again in the backward pass

    @classmethod
    def load(
        cls, path: str | Path, dtype: str = "fp32", device: str = "cpu", trust_remote_code: bool = False
    ) -> BaseModel:
        """From a directory (or hub id). `dtype` is fp32, bf16, auto (a short probe decides) or stored."""
        chosen = "auto" if dtype == "stored" else DTYPES[probe_dtype(device) if dtype == "auto" else dtype]
        model, tokenizer, notes = load(path, chosen, trust_remote_code)
        with quiet():
            base = cls.of(model.to(device), tokenizer, str(path))
        base.notes += notes
        return base

    @classmethod
    def of(cls, model: nn.Module, tokenizer: Any, path: str = "in memory") -> BaseModel:
        """Wraps a model at hand; it is frozen and put into evaluation mode."""
        model.eval().requires_grad_(False)
        base = cls(model, tokenizer, content_hash(model, tokenizer), path)
        base._check_readout()
        return base

    @property
    def config(self) -> Any:
        return self.model.config

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype

    @cached_property
    def objective(self) -> str:
        """How a base built by regraft was trained ("labels", "text"); "foreign" for any other model."""
        path = Path(self.path) / "lineage.json"
        return str(json.loads(path.read_text())["options"]["objective"]) if path.is_file() else "foreign"

    @cached_property
    def original(self) -> str:
        """What a base was imported from, "4-bit original (Q4_1)"; empty for a base that was not imported."""
        path = Path(self.path) / IMPORT
        return str(json.loads(path.read_text())["original"]) if path.is_file() else ""

    @property
    def longest(self) -> int | None:
        """Positions the model was made for."""
        return getattr(self.config, "max_position_embeddings", None)

    @property
    def n_layers(self) -> int:
        return int(self.config.num_hidden_layers)

    @cached_property
    def layers(self) -> nn.ModuleList:
        """The layers in order: the list that is as long as the config says, empty where there is none."""
        lists = (m for m in self.model.base_model.modules() if isinstance(m, nn.ModuleList))
        return next((found for found in lists if len(found) == self.n_layers), nn.ModuleList())

    @property
    def width(self) -> int:
        return int(self.config.hidden_size)

    @property
    def parameters(self) -> int:
        """Number of weights outside the embeddings, the N of cost formulas."""
        skip = {id(self.model.get_input_embeddings().weight)}
        head = self.model.get_output_embeddings()
        if head is not None:
            skip.add(id(head.weight))
        return sum(p.numel() for n, p in self.model.named_parameters() if id(p) not in skip and "lora_" not in n)

    def hidden(self, ids: Tensor, visible: Tensor | None = None, position: Tensor | None = None) -> Tensor:
        """Last hidden states [rows, tokens, width]. `ids` [rows, tokens], or states to begin with, of any float type.

        `visible` [rows, tokens, tokens] (True = may look) with `position` for blocks that hold isolated
        copies; without them the model's own causal mask is used.
        """
        if visible is None or position is None:
            with tiled(self.model.base_model, None):
                return self._states(ids)
        if not self.isolates:
            raise ModelError(
                f"base model '{self.path}'",
                "reads several candidates behind one history otherwise than one by one: it does not keep to 4D masks",
                "a model of a family that does, such as Llama, Qwen, Gemma, Mistral or GPT-2",
            )
        with tiled(self.model.base_model, visible):
            return self._states(ids, self.mask(visible, position, position), position)

    def log_odds(self, states: Tensor, yes: int, no: int) -> Tensor:
        """logit(yes) - logit(no) in fp32 for states [n, width]; never the whole vocabulary."""
        head = self.model.get_output_embeddings()
        rows = torch.tensor([yes, no], device=states.device)
        weight = head.weight[rows].float()
        if self._cap is None and getattr(head, "bias", None) is None:
            return states.float() @ (weight[0] - weight[1]) * self._scale
        logits = states.float() @ weight.T * self._scale
        if getattr(head, "bias", None) is not None:
            logits = logits + head.bias[rows].float()
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        return logits[:, 0] - logits[:, 1]

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        """Inside, layers keep nothing for the backward pass but run again in it: less memory, more time, same numbers.

        Unlike the switch of transformers it does not ask for training mode, which would turn dropout on.
        """
        layers = [m for m in self.model.modules() if isinstance(m, GradientCheckpointingLayer)]
        if not layers:
            raise ModelError(
                f"base model '{self.path}'", "its layers cannot be run again in the backward pass",
                "a model that supports gradient checkpointing", "Set fit.gradient_checkpointing: false",
            )  # fmt: skip
        for layer in layers:
            layer.forward = partial(
                checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False,
                context_fn=lambda: (nullcontext(), self._as_now()),
            )  # fmt: skip
        self.recomputes = True
        try:
            yield
        finally:
            self.recomputes = False
            for layer in layers:
                del layer.forward

    # -- inside --------------------------------------------------------------------------------

    def _as_now(self) -> AbstractContextManager[None]:
        """For a layer that is run again later, maybe in a thread of autograd: all that is chosen in this thread now."""
        how, tokens, slot = attention_now(), active_tokens(), self.slots.acting() if self.slots else None

        @contextmanager
        def again() -> Iterator[None]:
            chosen = self.slots.choosing(slot) if self.slots else nullcontext()
            with attending(self.model.base_model, how), activated_at(tokens), chosen:
                yield

        return again()

    def _states(self, ids: Tensor, mask: Any = None, position: Tensor | None = None) -> Tensor:
        given = {"inputs_embeds" if ids.is_floating_point() else "input_ids": ids}
        states: Tensor = self.model.base_model(**given, attention_mask=mask, position_ids=position, use_cache=False)[0]
        return states

    @cached_property
    def isolates(self) -> bool:
        """Two copies behind one prefix, longer than a sliding window where it is short, against plain prompts.

        Not so where a family ignores masks or positions, or knows another kind of layer than those served here.
        """
        prefix, own = min(self.window or 8, 128) + 8, 3
        place = torch.arange(prefix + 2 * own, device=self.device)
        ids = (place % self.config.vocab_size)[None]
        copy = torch.clamp((place - prefix) // own, min=-1)
        visible = ((copy == -1) | (copy == copy[:, None])) & (place <= place[:, None])
        position = torch.where(copy > 0, place - own * copy, place)
        ends = [prefix + own - 1, prefix + 2 * own - 1]
        try:
            with torch.no_grad(), activated_at(None):  # whatever batch is at hand while this is tried
                mask = self.mask(visible[None], position[None], position[None])
                packed = self._states(ids, mask, position[None])[0, ends].float()
                alone = [self._states(ids[:, visible[end]])[0, -1].float() for end in ends]
        except (KeyError, TypeError, ValueError, RuntimeError):
            return False
        error = (packed - torch.stack(alone)).abs().max() / packed.abs().max()
        return not bool(error > (1e-3 if self.dtype == torch.float32 else 0.1))  # no number: nothing is shown

    @cached_property
    def _cap(self) -> float | None:
        return getattr(self.config, "final_logit_softcapping", None)

    @cached_property
    def _scale(self) -> float:
        """Some families scale their logits; taken from the config under the names they use."""
        if getattr(self.config, "logit_scale", None):
            return float(self.config.logit_scale)
        return 1.0 / float(getattr(self.config, "logits_scaling", None) or 1.0)

    @cached_property
    def window(self) -> int | None:
        window = getattr(self.config, "sliding_window", None)
        return window if window and getattr(self.config, "use_sliding_window", True) else None

    @cached_property
    def _takes_mask_per_kind(self) -> bool:
        """Models that mix full and sliding layers take one mask per kind of layer."""
        source = inspect.getsource(type(self.model.base_model).forward)
        return "sliding_attention" in source or "causal_mask_mapping" in source

    def mask(self, visible: Tensor, position: Tensor, keys: Tensor) -> Tensor | dict[str, Tensor]:
        """Additive 4D mask(s) for [rows, queries, keys]: right under every attention, unlike boolean ones.

        `position` is of the queries, `keys` of the keys: layers with a window see only what is near.
        """
        full = self._additive(visible)
        if self.window is None:
            return {"full_attention": full, "sliding_attention": full} if self._takes_mask_per_kind else full
        near = (position[:, :, None] - keys[:, None, :]) < self.window
        sliding = self._additive(visible & near)
        return {"full_attention": full, "sliding_attention": sliding} if self._takes_mask_per_kind else sliding

    def _additive(self, visible: Tensor) -> Tensor:
        blocked = torch.finfo(self.dtype).min
        return torch.zeros(visible.shape, dtype=self.dtype, device=visible.device).masked_fill_(~visible, blocked)[
            :, None
        ]

    def _check_readout(self) -> None:
        """The two-row readout must equal the model's own logits, or scores would be silently wrong."""
        size = self.config.vocab_size
        ids = torch.arange(8, device=self.device)[None] % size
        with torch.no_grad():
            logits = self.model(input_ids=ids, use_cache=False).logits[0].float()
            ours = self.log_odds(self.hidden(ids)[0], 3 % size, 5 % size)
        theirs = logits[:, 3 % size] - logits[:, 5 % size]
        error = float((ours - theirs).abs().max())
        allowed = 1e-3 if self.dtype == torch.float32 else 0.1 * (1 + float(theirs.abs().max()))
        if not error <= allowed:
            raise ModelError(
                f"base model '{self.path}'",
                f"its logits differ by {error:.3g} from the answer rows of its output head",
                "a model whose logits are its output head applied to its last hidden state",
            )


def content_hash(model: Any, tokenizer: Any, dtype: torch.dtype | None = None) -> str:
    """Names weights, config and tokenizer by content; the same model in another folder has the same hash.

    With `dtype`, the name it would have if it had been loaded in that.
    """
    config = {k: v for k, v in model.config.to_dict().items() if k not in BESIDE_THE_POINT}
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True, default=str).encode(), digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        tensor = tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    backend = getattr(tokenizer, "backend_tokenizer", None)
    digest.update(
        backend.to_str().encode() if backend is not None else repr(sorted(tokenizer.get_vocab().items())).encode()
    )
    return digest.hexdigest()
