"""How fast this machine trains and scores with a base model: a few seconds of the real operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models
from torch.nn import functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from regraft.lm.base_model import BaseModel
from regraft.lm.graft import Grafts
from regraft.lm.nano import NanoOptions
from regraft.lm.nano import _config as nano_config
from regraft.lm.options import AdapterOptions

LEAST = 0.4  # seconds that a measurement takes at least
EVERY = 12  # tokens from one verdict to the next


@dataclass(frozen=True)
class Speed:
    """Tokens per second; `build` is training all weights of a nano base, 0.0 for a model that is there."""

    score: float
    train: float
    build: float
    adapter_bytes: int
    base_bytes: int


def unbuilt(options: NanoOptions) -> BaseModel:
    """A model of nano's size with random weights: as fast as the real one, and as good as none."""
    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="end", pad_token="end")
    return BaseModel.of(LlamaForCausalLM(nano_config(options, options.vocabulary)), tokenizer, "unbuilt nano")


def speed(base: BaseModel, adapter: AdapterOptions, length: int, objective: str = "") -> Speed:
    """Measured on blocks of `length` tokens. `objective` ("labels", "text") measures the build as well."""
    grafts = Grafts(base)
    fresh = grafts.fresh(grafts.shape(adapter), 0)
    slot = list(grafts.put(fresh).values())

    def forward(ids: torch.Tensor) -> torch.Tensor:
        states = base.hidden(ids)
        return base.log_odds(states[:, EVERY - 1 :: EVERY].reshape(-1, states.shape[-1]), 3, 5)

    def score(ids: torch.Tensor) -> None:
        with torch.inference_mode():
            forward(ids)

    def train(ids: torch.Tensor) -> None:
        torch.autograd.grad(F.softplus(forward(ids)).mean(), slot)

    scored, trained = _tokens_per_second(base, score, length), _tokens_per_second(base, train, length)
    build = 0.0
    if objective:
        with grafts.bare():
            base.model.requires_grad_(True)
            build = _tokens_per_second(base, _building(base, objective, forward), length)
            base.model.requires_grad_(False)
    size = sum(p.numel() * p.element_size() for n, p in base.model.named_parameters() if "lora_" not in n)
    return Speed(scored, trained, build, fresh.bytes, size)


def _building(base: BaseModel, objective: str, forward: Callable[[Any], Any]) -> Callable[[Any], None]:
    weights = [p for n, p in base.model.named_parameters() if "lora_" not in n]

    def labels(ids: torch.Tensor) -> None:
        torch.autograd.grad(F.softplus(forward(ids)).mean(), weights, allow_unused=True)

    def text(ids: torch.Tensor) -> None:
        logits = base.model.get_output_embeddings()(base.hidden(ids)[:, :-1])
        torch.autograd.grad(F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()), weights, allow_unused=True)

    return text if objective == "text" else labels


def _tokens_per_second(base: BaseModel, step: Callable[[Any], None], length: int) -> float:
    """The best of some steps, on few tokens first: a large model must not take minutes here."""
    length = min(length, base.longest or length)
    best = 0.0
    for tokens in (512, 4096):
        rows = max(1, tokens // length)
        drawn = np.random.default_rng(0).integers(0, base.config.vocab_size, (rows, length))
        ids = torch.from_numpy(drawn).to(base.device)
        step(ids)
        began = last = perf_counter()
        while last - began < LEAST:
            step(ids)
            now = perf_counter()
            best, last = max(best, rows * length / (now - last)), now
        if rows * length / best * (4096 / tokens) > 10:  # seconds that the larger batch would take
            break
    return best
