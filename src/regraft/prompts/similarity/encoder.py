"""Vectors of a text encoder at a path: a sentence-transformers directory, or static word vectors with a tokenizer.

A directory with `config.json` is read by Hugging Face transformers: the mean of the last layer's states over the
tokens, as sentence-transformers pools by default; PyTorch is imported then, and only then. Otherwise the directory
(or file) holds one table of word vectors: a `.safetensors` or `.npy` file, and a tokenizer as one JSON file of the
library tokenizers. A text's vector is then the mean of the rows of its tokens. Nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.errors import ConfigError, MissingExtraError
from regraft.prompts.similarity.protocol import Vectors

BATCH = 32  # texts read at once
LONGEST = 64  # tokens of one text
TABLES = ("*.safetensors", "*.npy")
Read = Callable[[list[str]], np.ndarray]
# Vectors of texts by path, for all fits of a process: an encoder is slow, and what it says of a text is fixed.
_KEPT: dict[str, dict[str, np.ndarray]] = {}


class Encoder:
    """The vector of an item is that of its title and attributes, as one text."""

    rung = "text vectors"

    def __init__(self, path: str) -> None:
        self.path = path
        if not Path(path).exists():
            raise ConfigError(
                f"similarity 'encoder:{path}'", "there is nothing at this path",
                "a sentence-transformers directory, or word vectors (.safetensors or .npy) with a tokenizer",
            )  # fmt: skip

    def fit(self, items: pl.DataFrame) -> None:
        """Nothing is fitted."""

    def vectors(self, items: pl.DataFrame) -> Vectors:
        columns = [name for name in items.columns if name != "item_id"]
        texts = [", ".join(str(t) for t in row if t) for row in items.select(columns).iter_rows()]
        kept = _KEPT.setdefault(str(Path(self.path).resolve()), {})
        new = list(dict.fromkeys(text for text in texts if text not in kept))
        for first in range(0, len(new), BATCH):
            part = new[first : first + BATCH]
            found = self._read(part).astype(np.float32)
            length = np.linalg.norm(found, axis=1, keepdims=True)
            kept.update(zip(part, found / np.maximum(length, 1e-9), strict=True))
        return np.stack([kept[text] for text in texts]) if texts else np.zeros((0, 1), dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Nothing: the encoder stays at its path."""
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Nothing to go on from."""

    @cached_property
    def _read(self) -> Read:
        try:
            return _transformer(Path(self.path)) if (Path(self.path) / "config.json").is_file() else self._static()
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"similarity 'encoder:{self.path}'", "lm", error.name or "torch") from error

    def _static(self) -> Read:
        from tokenizers import Tokenizer

        path = Path(self.path)
        folder = path if path.is_dir() else path.parent
        tables = [path] if path.is_file() else [p for kind in TABLES for p in sorted(folder.rglob(kind))]
        tokenizers = [p for p in sorted(folder.rglob("*.json")) if "tokenizer" in p.name]
        if not tokenizers and path.is_file():  # weights and tokenizers may be neighbouring folders
            tokenizers = [p for p in sorted(folder.parent.rglob("*.json")) if "tokenizer" in p.name]
        if len(tables) != 1 or len(tokenizers) != 1:
            raise ConfigError(
                f"similarity 'encoder:{self.path}'",
                f"found {len(tables)} tables of vectors and {len(tokenizers)} tokenizers",
                "one .safetensors or .npy file and one tokenizer in JSON, or a directory with config.json",
            )
        rows, tokenizer = _table(tables[0]), Tokenizer.from_file(str(tokenizers[0]))
        tokenizer.no_padding()
        tokenizer.no_truncation()

        def read(texts: list[str]) -> np.ndarray:
            found = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
            return np.stack([rows[ids].mean(axis=0) if ids else np.zeros(rows.shape[1]) for ids in found])

        return read


def _table(path: Path) -> np.ndarray:
    """float32 [words, width]."""
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    from safetensors.numpy import load_file

    tables = [table for table in load_file(path).values() if table.ndim == 2]
    if len(tables) != 1:
        raise ConfigError(f"word vectors '{path}'", f"hold {len(tables)} tables", "one table [words, width]")
    return np.asarray(tables[0], dtype=np.float32)


def _transformer(path: Path) -> Read:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    model: Any = AutoModel.from_pretrained(path, dtype=torch.float32).eval()

    def read_one(text: str) -> np.ndarray:
        batch = tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")
        return model(**batch).last_hidden_state[0].mean(dim=0).numpy()

    def read(texts: list[str]) -> np.ndarray:
        # One text at a time: padding and neighbours would change the last bits of its vector.
        with torch.inference_mode():
            return np.stack([read_one(text) for text in texts])

    return read
