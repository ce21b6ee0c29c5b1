"""A shard: parts of texts with their states in one file, which appears whole or not at all and is never changed.

Every part carries its key, the checksum of its states, and whose text it is.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from regraft.data.user_order import ranges
from regraft.files import remove, whole

SUFFIX = ".safetensors"
SHARD = re.compile(r"\d{20}-\d+\.safetensors")  # a name that `new_name` gives: no other file is ever removed


@dataclass(eq=False)  # one is the same as itself alone
class Shard:
    """Some parts: part i is `states[start[i]:start[i + 1]]`."""

    states: Tensor  # [tokens, width]
    key: np.ndarray  # [parts, 2] uint64
    start: np.ndarray  # [parts + 1] int64
    check: np.ndarray  # [parts] uint32
    owner: np.ndarray  # [parts, 2] uint64: whose text it is; zeros: nobody's
    seconds: float  # CPU seconds that working it out took
    path: Path | None = None
    asked: int = 0  # the store's clock when a part was last asked for

    def __post_init__(self) -> None:
        self.tried = np.zeros(len(self.key), dtype=bool)  # checksums that agreed
        self.lost = np.zeros(len(self.key), dtype=bool)  # and that did not

    @property
    def bytes(self) -> int:
        return int(self.states.numel() * self.states.element_size())

    @property
    def raw(self) -> memoryview:
        return self.states.reshape(-1).view(torch.uint8).numpy().data

    def tensors(self) -> dict[str, Tensor]:
        return {"states": self.states} | {n: torch.from_numpy(a) for n, a in _table(self).items()}

    @classmethod
    def read(cls, path: Path) -> Shard:
        """Maps the file into memory; raises OSError, ValueError, KeyError or SafetensorError where it is damaged."""
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
            named = {name: file.get_tensor(name) for name in ("states", "key", "start", "check", "owner")}
        table = {n: t.numpy() for n, t in named.items() if n != "states"}
        shard = cls(
            named["states"], table["key"].view(np.uint64), table["start"], table["check"].view(np.uint32),
            table["owner"].view(np.uint64), float(described["seconds"]), path,
        )  # fmt: skip
        if described["table"] != str(_sum(shard)) or shard.start[-1] != len(shard.states):
            raise ValueError("its table of contents does not agree with its checksum")
        return shard

    def write(self, path: Path) -> None:
        described = {"table": str(_sum(self)), "seconds": repr(self.seconds)}
        whole(path, lambda part: save_file(self.tensors(), part, described))
        self.path = path

    def checks(self, parts: np.ndarray) -> np.ndarray:
        """uint32 per part: the checksum of its states as they are here."""
        raw, wide = self.raw, self.states.shape[1] * self.states.element_size()
        found = [zlib.crc32(raw[self.start[p] * wide : self.start[p + 1] * wide]) for p in parts.tolist()]
        return np.array(found, dtype=np.uint32)

    def without(self, gone: np.ndarray) -> Shard | None:
        """What is left without the parts where `gone` (bool per part), in a file that takes this one's place."""
        kept = np.flatnonzero(~gone & ~self.lost)
        lengths = np.diff(self.start)[kept]
        less = Shard(
            self.states[torch.from_numpy(ranges(self.start[kept], lengths))], self.key[kept],
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), self.check[kept], self.owner[kept],
            float(self.seconds * lengths.sum() / max(1, len(self.states))), asked=self.asked,
        )  # fmt: skip
        if self.path is None:
            return less if len(kept) else None
        if len(kept):
            path = self.path.with_name(new_name())
            less.write(path)
            less = Shard.read(path)
        remove(self.path)
        return less if len(kept) else None


def shard_files(folder: Path) -> Sequence[Path]:
    """The shards of a cache, the oldest first."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if SHARD.fullmatch(path.name))


def new_name() -> str:
    """Sorts by age, so that of two shards with the same part every process takes the older one."""
    return f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}"


def _table(shard: Shard) -> dict[str, np.ndarray]:
    return {
        "key": shard.key.view(np.int64), "start": shard.start, "check": shard.check.view(np.int32),
        "owner": shard.owner.view(np.int64),
    }  # fmt: skip


def _sum(shard: Shard) -> int:
    total = 0
    for name, array in sorted(_table(shard).items()):
        total = zlib.crc32(np.ascontiguousarray(array).tobytes(), zlib.crc32(name.encode(), total))
    return total
