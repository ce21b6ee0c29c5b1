"""Whether a base model can be used at all, found out without reading its weights: seconds, however large it is."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from regraft.errors import ModelError
from regraft.lm.base_model import BaseModel
from regraft.lm.graft import Grafts
from regraft.lm.load import load, quiet
from regraft.lm.options import AdapterOptions

SMALL = {"vocab_size": 64, "num_hidden_layers": 1}  # of the copy whose output head is tried


def early_check(path: str, adapter: AdapterOptions, trust_remote_code: bool = False) -> list[str] | None:
    """Notes on a base model that passes every check of opening it; None where only opening it can tell.

    Raises ModelError for one that cannot be used: files, tokenizer, names and shapes of the weights, adapters, and,
    on a small copy with random weights, whether its logits are its output head applied to its last hidden states.
    """
    model, tokenizer, notes = load(path, torch.float32, trust_remote_code, weights=False)
    base = BaseModel(model.eval().requires_grad_(False), tokenizer, "", path)
    Grafts(base).check(adapter)
    small = _small_copy(model)
    if small is None:
        return None
    try:
        with quiet():
            BaseModel.of(small, tokenizer, path)
    except ModelError:
        raise
    except Exception:  # the copy is at fault: only the model itself can tell
        return None
    return notes


def _small_copy(model: Any) -> nn.Module | None:
    """The same family with one layer and a small vocabulary; None where it cannot be made so."""
    config = copy.deepcopy(model.config)
    try:
        for name, value in SMALL.items():
            setattr(config, name, value)
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            setattr(config, name, None)
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:1]
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made: nn.Module = type(model)(config).float()
        return made
    except Exception:  # foreign families fail in every way there is
        return None
