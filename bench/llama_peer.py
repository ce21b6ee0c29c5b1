"""What bench_serving compares with: llama.cpp with its prompt cache, through the package llama-cpp-python."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_candidates import Pairs

from regraft.lm.verbalizer import Verbalizer

SIDE_BY_SIDE = 64  # candidates per call: the fastest of 16, 32, 64 and 100 for SmolLM2 on two cores
FILE_TYPES = {"fp32": 0, "bf16": 32}  # llama.cpp's numbers of the formats that all weights can have


class Llama:
    """One model in llama.cpp. Sequence 0 holds the history; candidates are read behind it and forgotten.

    The weights of `path` are read in `dtype`, as ours are: that is also faster here than the 4 bits of the file.
    Raises ImportError where llama-cpp-python is not installed, ValueError where the file cannot be loaded or a
    call fails.
    """

    def __init__(self, path: Path, dtype: str, answers: Verbalizer, longest: int) -> None:
        import llama_cpp

        self.cpp, self.answers = llama_cpp, answers
        self.quiet = llama_cpp.llama_log_callback(lambda *_: None)  # kept: the library holds a bare pointer
        llama_cpp.llama_log_set(self.quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        with tempfile.TemporaryDirectory() as folder:
            self.model = self._load(path, Path(folder) / "model.gguf", FILE_TYPES[dtype])
        if not self.model:
            raise ValueError(f"llama.cpp cannot load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = longest
        settings.n_seq_max = 1 + SIDE_BY_SIDE
        settings.n_threads = settings.n_threads_batch = torch.get_num_threads()
        if dtype == "fp32":
            settings.type_k = settings.type_v = llama_cpp.GGML_TYPE_F32  # else fp16, as in its flash attention
            settings.flash_attn_type = 0
        settings.kv_unified = True  # one buffer: sequences share the cells of the history instead of copying them
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        if not self.context:
            raise ValueError(f"llama.cpp cannot open a context of {longest} tokens for {path}")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(longest, 0, 1)

    def read(self, prefix: np.ndarray) -> None:
        """Fills the prompt cache with a history and drops what was there."""
        self.cpp.llama_memory_clear(self.memory, True)
        self._decode([(0, 0, prefix)])

    def one_by_one(self, pairs: Pairs) -> np.ndarray:
        """As a server with a prompt cache does: a candidate per call."""
        scores = []
        for candidate in pairs.candidates:
            scores += self._decode([(0, len(pairs.prefix), candidate)])
            self.cpp.llama_memory_seq_rm(self.memory, 0, len(pairs.prefix), -1)
        return np.asarray(scores)

    def side_by_side(self, pairs: Pairs) -> np.ndarray:
        """As its library can: many sequences behind one prefix in a call."""
        scores = []
        for some in _chunks(pairs.candidates, SIDE_BY_SIDE):
            for sequence in range(1, 1 + len(some)):
                self.cpp.llama_memory_seq_cp(self.memory, 0, sequence, 0, len(pairs.prefix))
            scores += self._decode([(1 + at, len(pairs.prefix), tokens) for at, tokens in enumerate(some)])
            for sequence in range(1, 1 + len(some)):
                self.cpp.llama_memory_seq_rm(self.memory, sequence, -1, -1)
        return np.asarray(scores)

    def _load(self, path: Path, rounded: Path, kind: int) -> Any:
        how = self.cpp.llama_model_quantize_default_params()
        how.ftype, how.allow_requantize, how.nthread = kind, True, torch.get_num_threads()
        if self.cpp.llama_model_quantize(str(path).encode(), str(rounded).encode(), ctypes.byref(how)):
            raise ValueError(f"llama.cpp cannot rewrite {path}")
        settings = self.cpp.llama_model_default_params()
        settings.use_mmap = False  # the file goes, the model stays
        return self.cpp.llama_model_load_from_file(str(rounded).encode(), settings)

    def _decode(self, rows: Sequence[tuple[int, int, np.ndarray]]) -> list[float]:
        """Log-odds of yes against no behind each row: (sequence, first position, tokens)."""
        batch: Any = self.batch
        last, n = [], 0
        for sequence, first, tokens in rows:
            for place, token in enumerate(tokens):
                batch.token[n], batch.pos[n], batch.n_seq_id[n] = int(token), first + place, 1
                batch.seq_id[n][0], batch.logits[n] = sequence, place == len(tokens) - 1
                n += 1
            last.append(n - 1)
        batch.n_tokens = n
        if code := self.cpp.llama_decode(self.context, batch):
            raise ValueError(f"llama_decode of {n} tokens returned {code}")
        return [self._log_odds(self.cpp.llama_get_logits_ith(self.context, at)) for at in last]

    def _log_odds(self, logits: Any) -> float:
        return float(logits[self.answers.yes] - logits[self.answers.no])


def _chunks(rows: Sequence[np.ndarray], size: int) -> Iterator[Sequence[np.ndarray]]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]
