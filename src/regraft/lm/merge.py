"""Adapter algebra: one adapter that stands for a weighted sum of several.

`exact` concatenates the factors (PEFT `cat`): the merged change of every weight is the weighted sum, at a
rank that is the sum of ranks; given a target rank it is cut by a truncated SVD and the relative error is
reported. `lsat-paper` averages A and B separately, as the released code of LSAT does: its cross terms make
it another matrix than the weighted sum; it is here for fidelity only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape

How = Literal["exact", "lsat-paper"]
Parts = Sequence[tuple[Adapter, float]]


def merge(parts: Parts, how: How = "exact", rank: int | None = None) -> Adapter:
    """The merged adapter; its lineage names parts, weights and `merge_error` (relative Frobenius)."""
    modules = _same_modules(parts)
    first = parts[0][0]
    if how == "lsat-paper":
        shape, weights = _factor_average(parts)
    else:
        shape, weights = _concatenated(parts, modules)
        if rank is not None and rank < shape.rank:
            shape, weights = _truncated(shape, weights, modules, rank)
    merged = Adapter(shape, weights, {})
    lineage = {
        **{k: first.lineage[k] for k in ("base", "template", "tokenizer", "fan_in_fan_out") if k in first.lineage},
        "merge": how,
        "parents": [{"hash": adapter.hash, "weight": weight} for adapter, weight in parts],
        "merge_error": merge_error(merged, parts),
    }
    return Adapter(shape, weights, lineage)


def merge_error(merged: Adapter, parts: Parts) -> float:
    """|merged - wanted| / |wanted| over all modules, in the Frobenius norm."""
    off = wanted_norm = 0.0
    for module in merged.modules:
        wanted = sum(weight * adapter.delta(module).astype(np.float64) for adapter, weight in parts)
        off += float(np.square(merged.delta(module) - wanted).sum())
        wanted_norm += float(np.square(wanted).sum())
    return float(np.sqrt(off / wanted_norm)) if wanted_norm else 0.0


def _same_modules(parts: Parts) -> list[str]:
    if not parts:
        raise ModelError("merge", "no adapter was given", "at least one")
    first = parts[0][0]
    for adapter, _ in parts[1:]:
        # First, because other modules or sizes may only follow from it.
        base, other = first.lineage.get("base"), adapter.lineage.get("base")
        if base != other:
            raise ModelError(
                "merge",
                f"adapter {adapter.hash[:8]} was made for base {other}, {first.hash[:8]} for {base}",
                "adapters of one base model",
            )
        pair = f"adapter {adapter.hash[:8]} has other %s than {first.hash[:8]}"
        if adapter.shape.at_targets != first.shape.at_targets:
            raise ModelError("merge", pair % "a reach", "adapters that all act at targets alone, or everywhere")
        if adapter.modules != first.modules:
            raise ModelError("merge", pair % "modules", "adapters of one shape")
        if _widths(adapter) != _widths(first):
            raise ModelError("merge", pair % "matrix sizes", "adapters of one base model")
    return first.modules


def _widths(adapter: Adapter) -> list[tuple[int, int]]:
    """(in, out) per module."""
    return [(adapter.weights[f"{m}.lora_A"].shape[1], len(adapter.weights[f"{m}.lora_B"])) for m in adapter.modules]


def _concatenated(parts: Parts, modules: list[str]) -> tuple[AdapterShape, dict[str, np.ndarray]]:
    first = parts[0][0].shape
    rank = sum(adapter.shape.rank for adapter, _ in parts)
    weights = {}
    for module in modules:
        weights[f"{module}.lora_A"] = np.concatenate([a.weights[f"{module}.lora_A"] for a, _ in parts])
        # Weight and scale go into B alone, so that a negative weight needs no root.
        weights[f"{module}.lora_B"] = np.concatenate(
            [np.float32(w * a.shape.scale) * a.weights[f"{module}.lora_B"] for a, w in parts], axis=1
        )
    return replace(first, rank=rank, alpha=float(rank)), weights


def _truncated(
    shape: AdapterShape, weights: dict[str, np.ndarray], modules: list[str], rank: int
) -> tuple[AdapterShape, dict[str, np.ndarray]]:
    cut = {}
    for module in modules:
        # SVD of B A through two thin QRs: the full product is never formed.
        qb, rb = np.linalg.qr(weights[f"{module}.lora_B"].astype(np.float64))
        qa, ra = np.linalg.qr(weights[f"{module}.lora_A"].T.astype(np.float64))
        u, s, vt = np.linalg.svd(rb @ ra.T, full_matrices=False)
        root = np.sqrt(s[:rank])
        lacking = rank - len(root)  # a narrow module has fewer directions than ranks: the rest stays zero
        b, a = (qb @ u[:, :rank]) * root, root[:, None] * (vt[:rank] @ qa.T)
        cut[f"{module}.lora_B"] = np.pad(b, ((0, 0), (0, lacking))).astype(np.float32)
        cut[f"{module}.lora_A"] = np.pad(a, ((0, lacking), (0, 0))).astype(np.float32)
    return replace(shape, rank=rank, alpha=float(rank)), cut


def _factor_average(parts: Parts) -> tuple[AdapterShape, dict[str, np.ndarray]]:
    first = parts[0][0].shape
    if any(adapter.shape != first for adapter, _ in parts):
        raise ModelError("merge lsat-paper", "the adapters have different shapes", "adapters of one rank and scale")
    names = parts[0][0].weights
    return first, {n: sum(np.float32(w) * a.weights[n] for a, w in parts) for n in names}  # type: ignore[misc]
