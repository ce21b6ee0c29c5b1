"""A LoRA adapter: immutable weights and where they came from, in the directory layout of PEFT.

`save` writes what PEFT's `save_pretrained` writes for the adapter `default` (adapter_config.json and
adapter_model.safetensors at the root), with `lineage.json` beside it. Weights are kept in fp32 NumPy
arrays, so that adapters can be merged, hashed and moved without PyTorch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from regraft.errors import ModelError
from regraft.files import whole_folder

CONFIG, WEIGHTS, LINEAGE, MANIFEST = "adapter_config.json", "adapter_model.safetensors", "lineage.json", "manifest.json"
AT_TARGETS, AT_TARGETS_WEIGHTS = "REGRAFT_TARGETS", "adapter_of_targets.safetensors"
PREFIX = "base_model.model."


@dataclass(frozen=True)
class AdapterShape:
    """Rank, scale (alpha / rank is applied) and the modules that carry weights.

    `at_targets`: the change is meant for the tokens of targets alone, not for the history before them (activation.py).
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    layers: tuple[int, ...] | None = None  # None: all
    at_targets: bool = field(default=False, repr=False)  # not in repr: names of other adapters stay what they were

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


@dataclass(frozen=True)
class Adapter:
    """`weights` maps "module.lora_A" [rank, in] and "module.lora_B" [out, rank] to fp32 arrays."""

    shape: AdapterShape
    weights: Mapping[str, np.ndarray]
    lineage: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """Names the weights by content."""
        digest = hashlib.blake2b(f"{self.shape}{' gated' * self.shape.at_targets}".encode(), digest_size=16)
        for name in sorted(self.weights):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()

    @property
    def modules(self) -> list[str]:
        return sorted({name.rsplit(".", 1)[0] for name in self.weights})

    @property
    def bytes(self) -> int:
        return sum(w.nbytes for w in self.weights.values())

    def delta(self, module: str) -> np.ndarray:
        """The change of the module's weight [out, in]."""
        return self.shape.scale * self.weights[f"{module}.lora_B"] @ self.weights[f"{module}.lora_A"]

    # -- files ---------------------------------------------------------------------------------

    def save(self, folder: Path, base_path: str = "") -> Path:
        """Writes the directory in one step: it is there whole or not at all; an existing one is left as it is."""
        if (folder / MANIFEST).is_file():
            return folder
        tensors = {f"{PREFIX}{name}.weight": np.ascontiguousarray(w) for name, w in self.weights.items()}
        weights = AT_TARGETS_WEIGHTS if self.shape.at_targets else WEIGHTS
        with whole_folder(folder, last=MANIFEST) as staging:
            (staging / CONFIG).write_text(json.dumps(self._peft_config(base_path), indent=2))
            save_file(tensors, staging / weights, metadata={"format": "pt"})
            (staging / LINEAGE).write_text(json.dumps(dict(self.lineage), indent=2, ensure_ascii=False, default=str))
            (staging / "README.md").write_text(_card(self, base_path))
            names = (CONFIG, weights, LINEAGE)
            manifest = {"hash": self.hash, "sha256": {n: _sha256(staging / n) for n in names}}
            (staging / MANIFEST).write_text(json.dumps(manifest, indent=2))
        return folder

    @classmethod
    def load(cls, folder: Path, expect: Mapping[str, str] | None = None) -> Adapter:
        """Reads and checks: files against the manifest, shapes, finite numbers, some non-zero B.

        `expect` names lineage entries that must be equal, e.g. {"base": hash, "template": hash}.
        """
        where = f"adapter '{folder}'"
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            for name, digest in manifest["sha256"].items():
                if _sha256(folder / name) != digest:
                    raise ModelError(where, f"{name} is not the file that was written", "the sha256 of manifest.json")
            config = json.loads((folder / CONFIG).read_text())
            at_targets = config["peft_type"] == AT_TARGETS
            config = config["regraft"] if at_targets else config
            tensors = load_file(folder / (AT_TARGETS_WEIGHTS if at_targets else WEIGHTS))
            lineage = json.loads((folder / LINEAGE).read_text())
            layers = config["layers_to_transform"]
            shape = AdapterShape(
                config["r"],
                config["lora_alpha"],
                tuple(config["target_modules"]),
                None if layers is None else tuple(layers),
                at_targets,
            )
        except (OSError, ValueError, SafetensorError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(
                where,
                f"cannot be read: {type(error).__name__}: {error}",
                f"{CONFIG}, {WEIGHTS}, {LINEAGE} and {MANIFEST}",
            ) from error
        weights = {k.removeprefix(PREFIX).removesuffix(".weight"): v for k, v in tensors.items()}
        adapter = cls(shape, weights, lineage)
        adapter.check(where)
        if adapter.hash != manifest.get("hash"):
            raise ModelError(where, f"has the hash {adapter.hash}", f"{manifest.get('hash')}, the one that was saved")
        if adapter.does_nothing:
            raise ModelError(where, "every B is zero: it leaves the base model as it is", "a trained adapter")
        for key, value in (expect or {}).items():
            if lineage.get(key) != value:
                raise ModelError(where, f"was made for {key} {lineage.get(key)}", f"{key} {value}")
        return adapter

    def check(self, where: str) -> None:
        """Refuses weights that cannot work."""
        for module in self.modules:
            a, b = self.weights.get(f"{module}.lora_A"), self.weights.get(f"{module}.lora_B")
            if a is None or b is None or {a.ndim, b.ndim} != {2} or {len(a), b.shape[1]} != {self.shape.rank}:
                raise ModelError(
                    where, f"module {module} lacks a matrix or has the wrong rank", f"A and B of rank {self.shape.rank}"
                )
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                raise ModelError(where, f"module {module} holds numbers that are not finite", "finite weights")

    @property
    def does_nothing(self) -> bool:
        """True while every B is zero: the adapter leaves the base model as it is."""
        return not any(w.any() for n, w in self.weights.items() if n.endswith("lora_B"))

    def _peft_config(self, base_path: str) -> dict[str, Any]:
        """Config of the adapter; one for targets alone gets a type that no other engine applies to history."""
        plain = self._plain_config(base_path)
        if not self.shape.at_targets:
            return plain
        return {"peft_type": AT_TARGETS, "base_model_name_or_path": base_path, "regraft": plain}

    def _plain_config(self, base_path: str) -> dict[str, Any]:
        return {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base_path,
            "r": self.shape.rank,
            "lora_alpha": self.shape.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": bool(self.lineage.get("fan_in_fan_out", False)),
            "inference_mode": True,
            "target_modules": list(self.shape.targets),
            "layers_to_transform": list(self.shape.layers) if self.shape.layers is not None else None,
        }


def _card(adapter: Adapter, base_path: str) -> str:
    return (
        f"---\nbase_model: {base_path}\nlibrary_name: {'regraft' if adapter.shape.at_targets else 'peft'}\n---\n\n"
        f"LoRA adapter written by regraft: rank {adapter.shape.rank}, {len(adapter.modules)} modules, "
        f"{adapter.bytes:,} bytes. Where it came from is in lineage.json.\n"
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
