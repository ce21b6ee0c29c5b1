"""What a base model is, in numbers: size, memory, and the tokens in which it answers under a template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from regraft.errors import ModelError
from regraft.lm.answers import Answers
from regraft.lm.base_model import BaseModel
from regraft.prompts.template import Template


def describe(path: str | Path, template: Template, dtype: str = "fp32") -> dict[str, Any]:
    """Facts by name, in the order in which they should be read. Bytes are for `dtype`.

    Raises ModelError where the model cannot be loaded; answers that it cannot tell apart are told as such.
    """
    base = BaseModel.load(path, dtype)
    config = base.config
    weights = sum(p.numel() for p in base.model.parameters())
    try:
        answers = Answers.of(base.tokenizer, template)
        said = {
            "yes": f"{_token(base, answers.yes)} of {template.yes!r}",
            "no": f"{_token(base, answers.no)} of {template.no!r}",
            "appended to every prompt": " ".join(_token(base, t) for t in answers.shared) or "nothing",
        }
    except ModelError as error:
        said = {"answers": f"cannot be used: {error.found}"}
    return {
        "architecture": type(base.model).__name__,
        "layers": base.n_layers,
        "width": config.hidden_size,
        "parameters": weights,
        "outside embeddings": base.parameters,
        "vocabulary": config.vocab_size,
        "positions": base.longest,
        "dtype": str(base.dtype).removeprefix("torch."),
        "KV cache per token": kv_bytes(config, next(base.model.parameters()).element_size()),
        "template": template.name,
        **said,
        "objective": base.objective,
        "hash": base.hash,
    }


def kv_bytes(config: Any, element: int) -> int:
    """Bytes that one token takes in a full key-value cache (sliding windows would bound it)."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * element)


def _token(base: BaseModel, token: int) -> str:
    """' Yes' (1234)"""
    return f"{base.tokenizer.decode([token])!r} ({token})"
