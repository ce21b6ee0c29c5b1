"""How fast this machine trains and scores with a base model: a few seconds of the real operations on real blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from regraft.lm.base_model import BaseModel
from regraft.lm.batches import TokenBatch, batches
from regraft.lm.encode import Blocks
from regraft.lm.fast.side_by_side import side_by_side
from regraft.lm.graft import Grafts
from regraft.lm.nano import _config as nano_config
from regraft.lm.options import AdapterOptions, NanoOptions
from regraft.lm.tasks.judge import Judge, batch_log_odds
from regraft.lm.tasks.text import Text
from regraft.lm.trunk.split import Split
from regraft.lm.trunk.trunk import Trunk
from regraft.lm.trunk.trunk_store import TrunkStore
from regraft.lm.verbalizer import Verbalizer

SIZES = (2, 8, 32, 64)  # blocks tried: more, until a step takes long enough
ENOUGH = 0.3  # seconds
MOST_TOKENS = 8192  # of a batch, as in training
AGAIN = 2  # steps of that size; the fastest one counts


@dataclass(frozen=True)
class Speed:
    """Tokens per second; `build` is training all weights of a nano base, 0.0 for a model that is there.

    Where states are kept below the adapted layers, `trunk` is what works them out, and `score` and `train` are
    those of the layers above; else it is 0.0.
    """

    score: float
    train: float
    build: float
    adapter_bytes: int
    base_bytes: int
    trunk: float = 0.0
    state_bytes: int = 0  # per token
    saved_bytes: float = 0.0  # per token, that training holds for its backward pass
    width: int = 0  # of a state


def unbuilt(options: NanoOptions) -> BaseModel:
    """A model of nano's size with random weights: as fast as the real one, and as good as none."""
    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="end", pad_token="end")
    return BaseModel.of(LlamaForCausalLM(nano_config(options, options.vocabulary)), tokenizer, "unbuilt nano")


def speed(
    base: BaseModel,
    answers: Verbalizer,
    blocks: Blocks,
    adapter: AdapterOptions,
    objective: str = "",
    kept: bool = True,
) -> Speed:
    """Measured on `blocks`. `objective` ("labels", "text") measures the build of a base as well.

    `kept` says whether states below the adapted layers will be kept.
    """
    grafts = Grafts(base)
    fresh = grafts.fresh(grafts.shape(adapter), 0)
    slot = list(grafts.put(fresh).values())
    split = Split.below(base, adapter) if kept else None
    trunk = Trunk(split, TrunkStore(None, base.width, base.dtype, 0)) if split else None
    judge = Judge(base, blocks, answers, np.ones(len(blocks.block), np.float32), trunk=trunk)

    def lower(batch: TokenBatch) -> TokenBatch:
        assert split is not None
        with torch.no_grad():
            states = split.lower(batch.ids, batch.visible, batch.position)
        return replace(batch, states=states, found=np.ones(0, dtype=bool))

    def score(batch: TokenBatch) -> None:
        with torch.inference_mode():
            batch_log_odds(base, answers, batch, trunk)

    ready = lower if split else None
    scored = _tokens_per_second(base, blocks, score, ready)
    trained = _tokens_per_second(base, blocks, _backward(judge, slot), ready)
    held = _saved(base, blocks, judge, ready)
    below = _tokens_per_second(base, blocks, lower) if split else 0.0
    judge, build = replace(judge, trunk=None), 0.0
    own = [(n, p) for n, p in base.model.named_parameters() if "lora_" not in n]
    if objective:
        learning = judge if objective == "labels" else Text(base, blocks)
        with grafts.bare():
            base.model.requires_grad_(True)
            build = _tokens_per_second(base, blocks, _backward(learning, [p for _, p in own]))
            base.model.requires_grad_(False)
    size = sum(p.numel() * p.element_size() for _, p in own)
    state = base.width * base.dtype.itemsize if split else 0
    return Speed(scored, trained, build, fresh.bytes, size, below, state, held, base.width)


def _backward(objective: Judge | Text, parameters: Sequence[torch.nn.Parameter]) -> Callable[[TokenBatch], None]:
    weights = np.ones(len(objective.blocks.block), np.float32)

    def step(batch: TokenBatch) -> None:
        torch.autograd.grad(objective.loss(batch, weights), parameters, allow_unused=True)

    return step


def _saved(base: BaseModel, blocks: Blocks, judge: Judge, ready: Callable[[TokenBatch], TokenBatch] | None) -> float:
    """Bytes per token that one forward pass keeps for the backward pass, weights left out."""
    batch = next(batches(blocks, np.arange(min(SIZES[0], len(blocks))), MOST_TOKENS, base.device))
    batch = ready(batch) if ready else batch
    weights = {p.untyped_storage().data_ptr() for p in base.model.parameters()}
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        judge.loss(batch, np.ones(len(blocks.block), np.float32))
    return sum(sizes.values()) / batch.tokens


def _tokens_per_second(
    base: BaseModel,
    blocks: Blocks,
    step: Callable[[TokenBatch], object],
    ready: Callable[[TokenBatch], TokenBatch] | None = None,
) -> float:
    """On few blocks first: a large model must not take minutes here. `ready` prepares a batch and is not timed."""
    for size in SIZES:
        chosen = np.arange(min(size, len(blocks)))
        group = list(batches(blocks, chosen, MOST_TOKENS, base.device))
        group = [ready(batch) for batch in group] if ready else group
        took = _seconds(group, step, base.device)
        if took > ENOUGH or size >= len(blocks):
            break
    best = min(took, *(_seconds(group, step, base.device) for _ in range(AGAIN if took < 4 * ENOUGH else 1)))
    return float(sum(batch.tokens for batch in group) / best)


def _seconds(group: Sequence[TokenBatch], step: Callable[[TokenBatch], object], device: torch.device) -> float:
    began = perf_counter()
    for _ in side_by_side(step, group, device):
        pass
    return perf_counter() - began
