"""What a base model is, in numbers: size, memory, and the tokens in which it answers under a template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from regraft.errors import ModelError
from regraft.lm.base_model import BaseModel, content_hash
from regraft.lm.dtypes import DTYPES, probe_dtype
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions
from regraft.lm.tokenize import text_of
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template

BYTES = ("KV cache per token", "kept trunk states per token", "kept trunk states per event")  # facts that are sizes


def describe(
    path: str | Path,
    template: Template,
    dtype: str = "auto",
    count: Callable[[BaseModel], float] | None = None,
    device: str = "cpu",
    trust_remote_code: bool = False,
    adapter: AdapterOptions | None = None,
) -> dict[str, Any]:
    """Facts by name, in the order in which they should be read.

    Bytes and hash are for `dtype` (fp32, bf16, auto: a short probe of `device` decides), in which a run would have
    it; here it is loaded as it is stored. `count` says how many tokens an event of a log takes, answer included.

    Raises ModelError where the model cannot be loaded or adapted (by default with all linear layers); answers that
    it cannot tell apart are told as such.
    """
    base = BaseModel.load(path, "stored", trust_remote_code=trust_remote_code)
    config = base.config
    used = DTYPES[probe_dtype(device) if dtype == "auto" else dtype]
    weights = sum(p.numel() for p in base.model.parameters())
    name = base.hash if used == base.dtype else content_hash(base.model, base.tokenizer, used)
    Grafts(base).check(adapter or AdapterOptions())  # last: it adds to the model
    states = base.width * used.itemsize
    events: dict[str, Any] = {}
    try:
        answers = Verbalizer.of(base.tokenizer, template)
        said = {
            "yes": f"{_token(base, answers.yes)} of {template.yes!r}",
            "no": f"{_token(base, answers.no)} of {template.no!r}",
            "appended to every prompt": " ".join(_token(base, t) for t in answers.shared) or "nothing",
        }
    except ModelError as error:
        said, count = {"answers": f"cannot be used: {error.found}"}, None
    if count:
        tokens = count(base)
        events = {"tokens per event": round(tokens, 1), "kept trunk states per event": round(states * tokens)}
    return {
        "architecture": type(base.model).__name__,
        **({"original": base.original} if base.original else {}),
        "layers": base.n_layers,
        "width": base.width,
        "parameters": weights,
        "outside embeddings": base.parameters,
        "vocabulary": config.vocab_size,
        "positions": base.longest,
        "stored as": _name(base.dtype),
        "dtype": _name(used),
        "KV cache per token": kv_bytes(config, used.itemsize),
        "kept trunk states per token": states,
        **events,
        "proposed adaptation": proposed(base.n_layers),
        "template": template.name,
        **said,
        "objective": base.objective,
        "hash": name,
        **({"to know": "; ".join(base.notes)} if base.notes else {}),
    }


def kv_bytes(config: Any, element: int) -> int:
    """Bytes that one token takes in a full key-value cache (sliding windows would bound it)."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * element)


def proposed(layers: int) -> str:
    """What `adapter.adapt: auto` comes to."""
    top = AdapterOptions().top(layers)
    return f"all {layers} layer{'s' * (layers > 1)}" if top is None else f"top({top}) of {layers} layers"


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _token(base: BaseModel, token: int) -> str:
    """' Yes' (1234)"""
    return f"{text_of(base.tokenizer, [token])!r} ({token})"
