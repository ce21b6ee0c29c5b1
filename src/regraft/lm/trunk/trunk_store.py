"""States that left the trunk, kept on disk (or in memory): read many times, worked out once.

The store knows parts of texts by 16-byte keys; what a key stands for is decided in trunk.py. Parts are written
in shards (shard.py). The checksum of a part is tried when it is first read: what does not agree is forgotten and worked
out anew, never used.

The store is bounded. What was not asked for during several rounds of the largest request makes room; while all of
it is in use, newcomers are turned away, so that a bound below one epoch still saves its share of every epoch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from regraft.data.user_order import ranges
from regraft.errors import ModelError, OutputError
from regraft.files import remove, remove_leftovers, write_text
from regraft.lm.options import GIB
from regraft.lm.trunk.shard import SUFFIX, Shard, new_name, shard_files

FORMAT = 1
SHARD_BYTES = 64 * 2**20
ROUNDS = 4  # of the largest request: what was not asked for meanwhile is stale
META = "cache.json"


class TrunkStore:
    """Kept states of one trunk; `folder` None keeps them in memory. `notes` gathers what a user should know."""

    def __init__(
        self, folder: Path | None, width: int, dtype: torch.dtype, limit: int, made_for: Mapping[str, Any] | None = None
    ) -> None:
        self.folder, self.width, self.dtype, self.limit = folder, width, dtype, limit
        self.notes: list[str] = []
        self.shards: list[Shard] = []
        self.writes = True
        self._lock = RLock()  # the next step is read while this one is worked out
        self._clock = self._largest = 0
        self._pending: list[tuple[np.ndarray, np.ndarray, np.ndarray, Tensor, float]] = []
        self._pending_keys: set[tuple[int, int]] = set()
        self._pending_bytes = 0
        self._bad: set[Path] = set()
        self._index()
        if folder is not None:
            self._open(folder, dict(made_for or {}) | {"format": FORMAT})

    # -- reading -------------------------------------------------------------------------------

    def read(self, keys: np.ndarray, lengths: np.ndarray, place: np.ndarray, out: Tensor) -> np.ndarray:
        """Copies the parts that are there to `out[place[i]:place[i] + lengths[i]]`; bool per part: was it there?"""
        with self._lock:
            return self._read(keys, lengths, place, out) | (lengths == 0)

    def _read(self, keys: np.ndarray, lengths: np.ndarray, place: np.ndarray, out: Tensor) -> np.ndarray:
        self._clock += int(lengths.sum())
        self._look_again()
        found = self._find(keys)
        for number in np.unique(found[found >= 0] >> 32):
            shard = self.shards[number]
            shard.asked = self._clock
            mine = np.flatnonzero(found >> 32 == number)
            parts = found[mine] & 0xFFFFFFFF
            good = self._agree(shard, parts) & (np.diff(shard.start)[parts] == lengths[mine])
            found[mine[~good]] = -1
            mine, parts = mine[good], parts[good]
            source = torch.from_numpy(ranges(shard.start[parts], lengths[mine]))
            target = torch.from_numpy(ranges(place[mine], lengths[mine]))
            out.index_copy_(0, target, shard.states.index_select(0, source))
        return found >= 0

    def round(self, tokens: int) -> None:
        """Says that a request for so many tokens begins: it tells how old a part may grow."""
        self._largest = max(self._largest, tokens)

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self.shards)

    @property
    def seconds_per_token(self) -> float:
        """CPU seconds of the trunk per token, over all that is kept."""
        tokens = sum(len(shard.states) for shard in self.shards)
        return sum(shard.seconds for shard in self.shards) / tokens if tokens else 0.0

    # -- writing -------------------------------------------------------------------------------

    def put(self, keys: np.ndarray, owners: np.ndarray, lengths: np.ndarray, states: Tensor, seconds: float) -> None:
        """Offers parts, their states one after the other; they can be read after `flush`."""
        if not self.writes or not len(keys) or not bool(torch.isfinite(states).all()):
            return  # numbers that are not finite are kept nowhere: the score says what to do about them
        with self._lock:
            self._put(keys, owners, lengths, states, seconds)

    def _put(self, keys: np.ndarray, owners: np.ndarray, lengths: np.ndarray, states: Tensor, seconds: float) -> None:
        new = np.array([tuple(key) not in self._pending_keys for key in keys.tolist()])
        new &= (lengths > 0) & (self._find(keys) < 0)
        rows = torch.from_numpy(ranges((np.cumsum(lengths) - lengths)[new], lengths[new]))
        self._pending.append((keys[new], owners[new], lengths[new], states[rows], seconds))
        self._pending_keys.update(map(tuple, keys[new].tolist()))
        self._pending_bytes += len(rows) * self.width * states.element_size()
        if self._pending_bytes >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what was offered as one more shard, where there is room for it."""
        with self._lock:
            if self._pending:
                self._flush()

    def _flush(self) -> None:
        keys, owners, lengths, states, seconds = zip(*self._pending, strict=True)
        self._pending, self._pending_bytes, self._pending_keys = [], 0, set()
        joined = torch.cat(states)
        start = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        shard = Shard(
            joined, np.concatenate(keys), start, np.zeros(len(start) - 1, np.uint32), np.concatenate(owners),
            float(sum(seconds)), asked=self._clock,
        )  # fmt: skip
        if not len(joined) or not self._make_room(shard.bytes):
            return
        shard.check = shard.checks(np.arange(len(shard.key)))
        if self.folder is not None:
            path = self.folder / new_name()
            try:
                shard.write(path)
                shard = Shard.read(path)
            except (OutputError, OSError, SafetensorError) as error:
                self.writes = False
                why = error.found if isinstance(error, OutputError) else error
                self.notes.append(f"trunk cache '{self.folder}': {why}; from here on states are worked out anew")
                return
            shard.asked = self._clock
        shard.tried[:] = True
        self.shards.append(shard)
        self._index()

    def forget(self, owners: np.ndarray) -> int:
        """Removes every part of these owners [n, 2]; the number of parts that were removed."""
        self.flush()
        self._look_again()
        wanted = {tuple(owner) for owner in owners.tolist()}
        removed, left = 0, []
        for shard in self.shards:
            theirs = np.array([tuple(owner) in wanted for owner in shard.owner.tolist()], dtype=bool)
            removed += int(theirs.sum())
            left.append(shard.without(theirs) if theirs.any() else shard)
        self.shards = [shard for shard in left if shard is not None]
        self._index()
        return removed

    # -- inside --------------------------------------------------------------------------------

    def _open(self, folder: Path, made_for: dict[str, Any]) -> None:
        meta = folder / META
        remove_leftovers(meta)
        if not meta.is_file():
            write_text(meta, json.dumps(made_for, indent=2, default=str))
        found = described(folder)
        for name, value in json.loads(json.dumps(made_for, default=str)).items():
            if found.get(name) != value:
                raise ModelError(
                    f"trunk cache '{folder}'", f"was made for {name} {found.get(name)}", f"{name} {value}",
                    "Remove the folder: what it holds can be worked out anew",
                )  # fmt: skip
        for part in folder.glob(f"*{SUFFIX}.*.part"):
            remove_leftovers(part.with_name(part.name.split(SUFFIX)[0] + SUFFIX))
        self._look_again()

    def _look_again(self) -> None:
        """Takes in shards that other processes wrote, and lets go of those that they removed."""
        if self.folder is None:
            return
        seen = os.stat(self.folder).st_mtime_ns
        if seen == getattr(self, "_seen", None):
            return
        self._seen = seen
        there = set(shard_files(self.folder))
        known = {shard.path for shard in self.shards}
        kept = [shard for shard in self.shards if shard.path in there]
        for path in sorted(there - known - self._bad):
            try:
                shard = Shard.read(path)
                if shard.states.dtype != self.dtype or shard.states.shape[1:] != (self.width,):
                    raise ValueError(f"it holds {shard.states.dtype} {list(shard.states.shape)}")
                shard.asked = self._clock
                kept.append(shard)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, IndexError, SafetensorError) as error:
                self._bad.add(path)
                remove(path)
                self.notes.append(f"trunk cache: {path.name} was damaged and removed ({error}); it is worked out anew")
        if kept != self.shards:
            self.shards = kept
            self._index()

    def _index(self) -> None:
        """Sorts all keys, so that many can be looked up at once; shard and part in one number."""
        whole = [np.flatnonzero(~shard.lost) for shard in self.shards]
        keys = [shard.key[parts] for shard, parts in zip(self.shards, whole, strict=True)]
        where = [(number << 32) + parts for number, parts in enumerate(whole)]
        joined = np.concatenate(keys) if keys else np.zeros((0, 2), np.uint64)
        order = np.argsort(joined[:, 0], kind="stable")
        self._first, self._second = joined[order, 0], joined[order, 1]
        self._where = (np.concatenate(where) if where else np.zeros(0, np.int64))[order].astype(np.int64)

    def _find(self, keys: np.ndarray) -> np.ndarray:
        if not len(self._first):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._first, keys[:, 0]), len(self._first) - 1)
        same = (self._first[at] == keys[:, 0]) & (self._second[at] == keys[:, 1])
        return np.where(same, self._where[at], -1)

    def _agree(self, shard: Shard, parts: np.ndarray) -> np.ndarray:
        fresh = parts[~shard.tried[parts]]
        good = shard.checks(fresh) == shard.check[fresh]
        shard.tried[fresh[good]] = True
        if not good.all():
            self.notes.append(
                f"trunk cache: {int((~good).sum()):,} parts do not agree with their checksums; they are worked out anew"
            )
            shard.lost[fresh[~good]] = True
            self._index()
        return shard.tried[parts]

    def _make_room(self, needed: int) -> bool:
        old = self._clock - ROUNDS * max(self._largest, self.limit // max(1, self.width * self.dtype.itemsize))
        for shard in sorted(self.shards, key=lambda shard: shard.asked):
            if self.bytes + needed <= self.limit or shard.asked >= old:
                break
            self.shards.remove(shard)
            if shard.path:
                remove(shard.path)
        self._index()
        if self.bytes + needed <= self.limit:
            return True
        said = f"trunk cache: full ({self.limit / GIB:.3g} GiB); what does not fit is worked out every time (cache.gib)"
        if said not in self.notes:
            self.notes.append(said)
        return False


def described(folder: Path) -> dict[str, Any]:
    """What a cache was made for. Raises ModelError where the folder is none."""
    try:
        found = json.loads((folder / META).read_text(encoding="utf-8"))
        if "format" not in found:
            raise ValueError("it describes something else")
        return dict(found)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"folder '{folder}'", f"is no trunk cache: {META} cannot be read", "a folder that regraft keeps states in"
        ) from error


def opened(folder: Path) -> TrunkStore:
    """A cache as it lies there, whatever it was made for."""
    made_for = described(folder)
    return TrunkStore(folder, int(made_for["width"]), getattr(torch, str(made_for["dtype"])), GIB, made_for)
