"""A base model and its tokenizer, from a directory or the hub: loaded whole and plain, or refused in our own words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from regraft.errors import ModelError
from regraft.lm.preflight import BUILD, EXPECTED, preflight
from regraft.lm.tokenize import opening_ids


class Loaded(NamedTuple):
    """`notes`: what was left out, in words."""

    model: Any
    tokenizer: Any
    notes: list[str]


def load(
    path: str | Path, dtype: torch.dtype | str, trust_remote_code: bool = False, weights: bool = True
) -> Loaded:  # fmt: skip
    """Raises ModelError: nothing that transformers, PEFT or a model's own code raises gets out of here.

    Without `weights` the names and shapes in the files are checked and no weight is read: quick, however large it is.
    """
    checked = preflight(path, trust_remote_code)
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code, "local_files_only": checked.local}
    try:
        with quiet():
            AutoConfig.from_pretrained(path, **options)  # first: its errors name what is wrong with the path
            tokenizer = AutoTokenizer.from_pretrained(path, **options)
            # An adapter beside the weights is looked for in a folder that is not there, so that it is left out.
            model, report = AutoModelForCausalLM.from_pretrained(
                path, use_safetensors=True, dtype=dtype, output_loading_info=True,
                adapter_kwargs={"subfolder": "no adapter"}, device_map=None if weights else "meta", **options,
            )  # fmt: skip
    except Exception as error:  # foreign files and foreign code fail in every way there is
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        said = f"{type(error).__name__} {said}" if isinstance(error, KeyError) else said
        raise ModelError(
            "base model '{path}'", "cannot be loaded: {said}", EXPECTED,
            "Look at its own code: {code}" if checked.own_code and trust_remote_code else BUILD,
            path=path, said=said, code=checked.own_code,
        ) from error  # fmt: skip
    if lacking := sorted(report["missing_keys"]):
        raise ModelError(
            "base model '{path}'", "lacks {n} of its weights, e.g. {first}: they would be drawn at random",
            "a complete model", path=path, n=len(lacking), first=lacking[0],
        )  # fmt: skip
    notes = [*checked.notes, *_unused(path, report), *_vocabulary(path, model, tokenizer)]
    return Loaded(model, tokenizer, notes)


@contextmanager
def quiet() -> Iterator[None]:
    """No tables and hints of transformers: what matters in them is in our own errors and notes."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _unused(path: str | Path, report: dict[str, Any]) -> list[str]:
    unused = sorted(report["unexpected_keys"])
    if not unused:
        return []
    return [
        f"base model '{path}' leaves {len(unused)} weights of its file out, e.g. {unused[0]}: config.json describes a "
        "model without them (fewer layers, or another architecture)"
    ]


def _vocabulary(path: str | Path, model: Any, tokenizer: Any) -> list[str]:
    """Every token that a text can become needs a row of the embedding; special tokens are never read in a text."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    special = {n for n, token in getattr(tokenizer, "added_tokens_decoder", {}).items() if token.special}
    beyond = {n: name for name, n in tokenizer.get_vocab().items() if n >= rows}
    readable = sorted(n for n in beyond if n not in special or n in opening_ids(tokenizer))
    if readable:
        raise ModelError(
            "base model '{path}'",
            "its tokenizer has {tokens:,} tokens and its embedding {rows:,} rows: "
            "{n} tokens of a text have none, e.g. {first}",
            "a row for every token that a text can become",
            "Take the tokenizer that belongs to these weights; or call model.resize_token_embeddings({length}), "
            "train the new rows and save model and tokenizer again",
            path=path, tokens=len(tokenizer), length=len(tokenizer), rows=rows, n=len(readable),
            first=repr(beyond[readable[0]]),
        )  # fmt: skip
    if beyond:
        some = beyond[min(beyond)]
        return [
            f"base model '{path}' has {rows:,} rows for {len(tokenizer):,} tokens: special tokens such as {some!r} "
            "have none; no prompt holds them"
        ]
    return []
