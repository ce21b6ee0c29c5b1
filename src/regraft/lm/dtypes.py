"""The number types that a model is computed in, and a probe of which one is faster here."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import torch

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
PRODUCT = (512, 576, 1536)  # rows, inner, columns of the product that is timed: one layer of a small model
FASTER = 1.3  # bf16 is chosen where it is so many times as fast


def probe_dtype(device: str = "cpu") -> str:
    """ "bf16" where half-precision products are clearly faster than fp32 (a probe of about 50 ms), else "fp32"."""
    if device != "cpu":
        return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"
    return faster({name: product_seconds(dtype) for name, dtype in DTYPES.items()})


def faster(seconds: Mapping[str, float]) -> str:
    """The number type to compute in, by the seconds of a product in each."""
    return "bf16" if seconds["bf16"] * FASTER < seconds["fp32"] else "fp32"


def product_seconds(dtype: torch.dtype) -> float:
    """Wall seconds of one product of PRODUCT on the CPU, the best of five."""
    rows, inner, columns = PRODUCT
    a, b = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
    a @ b
    best = float("inf")
    for _ in range(5):
        began = perf_counter()
        a @ b
        best = min(best, perf_counter() - began)
    return best
