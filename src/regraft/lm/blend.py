"""What scores: weighted adapters, how they are joined, a calibration, and what a strategy carries along.

A blend is a value: immutable, hashed, saved as one directory. Everything a strategy remembers from period
to period is in `state` (named arrays) and `kept` (named adapters), so that strategies are stateless and
every run resumes. What scoring needs beside the adapters is in `fitted`, so that a saved blend scores by itself: the
stack behind its calibration, a head on the states (`head.*`), and the stack that this head corrects (`offset.*`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from regraft.errors import ModelError
from regraft.files import whole_folder
from regraft.lm.adapter import Adapter
from regraft.lm.anchored import Anchored
from regraft.lm.head import Head

HEAD = "head"  # arrays `head.*` of `fitted` are a head's
STATE, FITTED = "state.safetensors", "fitted.safetensors"
Mode = Literal["ensemble", "merge"]
Part = tuple[Adapter | None, float]  # None: the base model as it is


@dataclass(frozen=True)
class Calibration:
    """A logistic map from a score and features to log-odds: `bias + weights . [score, features]`."""

    bias: float
    weights: tuple[float, ...]
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bias", float(self.bias))
        object.__setattr__(self, "weights", tuple(float(w) for w in self.weights))

    def apply(self, log_odds: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """`features` [n, len(self.features)], where the calibration uses any."""
        columns = [log_odds] if features is None or not self.features else [log_odds, *features.T]
        return self.bias + np.stack(columns, axis=1) @ np.asarray(self.weights)


@dataclass(frozen=True)
class Blend:
    """`ensemble` averages the parts' probabilities; `merge` is one adapter already merged from its parents."""

    parts: tuple[Part, ...]
    mode: Mode = "ensemble"
    calibration: Calibration | Anchored | None = None
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    kept: Mapping[str, Adapter] = field(default_factory=dict)
    fitted: Mapping[str, np.ndarray] = field(default_factory=dict)  # models beside the language model, by prefix
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Weights as plain floats: NumPy's are written otherwise, and the hash would change on the way to disk."""
        object.__setattr__(self, "parts", tuple((adapter, float(weight)) for adapter, weight in self.parts))

    @classmethod
    def of(cls, adapter: Adapter | None, **more: object) -> Blend:
        """One adapter (None: the bare base model)."""
        return cls(((adapter, 1.0),), **more)  # type: ignore[arg-type]

    def single(self) -> Adapter | None:
        """The only part's adapter."""
        if len(self.parts) != 1:
            raise ModelError("blend", f"has {len(self.parts)} parts", "a blend of one adapter")
        return self.parts[0][0]

    @cached_property
    def head(self) -> Head | None:
        """The head on the bare model's states that scores in the place of its answers; None for most blends."""
        own = {name.removeprefix(f"{HEAD}."): a for name, a in self.fitted.items() if name.startswith(f"{HEAD}.")}
        return Head.restored(own) if own else None

    def average(self, log_odds: np.ndarray) -> np.ndarray:
        """Log-odds of the parts' weighted mean probability; `log_odds` [parts, n]."""
        weights = np.array([weight for _, weight in self.parts])
        return log_odds[0] if len(self.parts) == 1 else average_probability(log_odds, weights / weights.sum())

    def with_state(self, **arrays: np.ndarray) -> Blend:
        return replace(self, state={**self.state, **arrays})

    @property
    def bytes(self) -> int:
        """Size of the adapters, or of the head, that are served."""
        head = sum(a.nbytes for name, a in self.fitted.items() if name.startswith(f"{HEAD}."))
        return head + sum(adapter.bytes for adapter, _ in self.parts if adapter is not None)

    @property
    def passes(self) -> int:
        """Forward passes per request."""
        return len(self.parts)

    @cached_property
    def hash(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        parts = [(a.hash if a else "bare", w) for a, w in self.parts]
        digest.update(
            repr((parts, self.mode, self.calibration, sorted((k, a.hash) for k, a in self.kept.items()))).encode()
        )
        for arrays in (self.state, self.fitted):
            for name in sorted(arrays):
                digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
        return digest.hexdigest()

    def save(self, folder: Path, base_path: str = "") -> None:
        """One directory with blend.json, state.safetensors and one folder per distinct adapter."""
        adapters = [a for a, _ in self.parts if a is not None] + list(self.kept.values())
        described = {
            "parts": [[a.hash if a else None, w] for a, w in self.parts],
            "mode": self.mode,
            "calibration": self.calibration.__dict__ if self.calibration else None,
            "kept": {k: a.hash for k, a in self.kept.items()},
            "notes": list(self.notes),
            "hash": self.hash,
        }
        with whole_folder(folder) as staging:
            for adapter in {a.hash: a for a in adapters}.values():
                adapter.save(staging / "adapters" / adapter.hash, base_path)
            for name, arrays in ((STATE, self.state), (FITTED, self.fitted)):
                if arrays:
                    save_file({k: _plain(v) for k, v in arrays.items()}, staging / name, _texts(arrays))
            (staging / "blend.json").write_text(json.dumps(described, indent=2))

    @classmethod
    def load(cls, folder: Path) -> Blend:
        """Reads what `save` wrote; a blend that is not the one saved is refused."""
        try:
            saved = json.loads((folder / "blend.json").read_text())
            blend, expected = cls._read(folder, saved), str(saved["hash"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(
                f"blend '{folder}'",
                f"cannot be read: {type(error).__name__}: {error}",
                "a directory written by regraft",
            ) from error
        if blend.hash != expected:
            raise ModelError(f"blend '{folder}'", f"has the hash {blend.hash}", f"{expected}, the one that was saved")
        return blend

    @classmethod
    def _read(cls, folder: Path, saved: Mapping[str, Any]) -> Blend:
        adapters = {
            name: Adapter.load(folder / "adapters" / name)
            for name in {*(name for name, _ in saved["parts"] if name), *saved["kept"].values()}
        }
        return cls(
            parts=tuple((adapters[name] if name else None, weight) for name, weight in saved["parts"]),
            mode=saved["mode"],
            calibration=_calibration(saved["calibration"]),
            state=_load(folder / STATE),
            fitted=_load(folder / FITTED),
            kept={k: adapters[name] for k, name in saved["kept"].items()},
            notes=tuple(saved["notes"]),
        )


def _plain(array: np.ndarray) -> np.ndarray:
    """The array as safetensors can hold it: texts as UTF-8 bytes, with a NUL behind each."""
    if array.dtype.kind != "U":
        return np.asarray(array, order="C")
    return np.frombuffer("".join(f"{text}\0" for text in array.tolist()).encode(), dtype=np.uint8)


def _texts(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Names of the arrays that hold texts, as metadata of the file."""
    return {name: "texts" for name, array in arrays.items() if array.dtype.kind == "U"}


def _load(path: Path) -> dict[str, np.ndarray]:
    """What was saved under the path; nothing where there is no file."""
    if not path.is_file():
        return {}
    found = load_file(path)
    with safe_open(path, framework="numpy") as file:
        texts = file.metadata() or {}
    for name in texts.keys() & found.keys():
        found[name] = np.array(found[name].tobytes().decode().split("\0")[:-1], dtype=np.str_)
    return found


def _calibration(saved: Mapping[str, Any] | None) -> Calibration | Anchored | None:
    if saved is None:
        return None
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()}
    return Anchored(**plain) if "betas" in plain else Calibration(**plain)


def average_probability(log_odds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Log-odds of the weighted mean probability; `log_odds` [parts, n], weights sum to 1."""
    weights = np.asarray(weights, dtype=np.float64)[:, None]
    with np.errstate(divide="ignore"):
        log_w = np.log(weights)
    yes = np.logaddexp.reduce(log_w - np.logaddexp(0.0, -log_odds), axis=0)
    no = np.logaddexp.reduce(log_w - np.logaddexp(0.0, log_odds), axis=0)
    return yes - no
