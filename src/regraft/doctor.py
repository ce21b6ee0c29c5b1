"""What is installed here, what each missing extra would enable, and what this machine would compute with.

Works with whatever is there: nothing that may be missing is imported before it was found.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from regraft import __version__, plugins
from regraft.errors import MissingExtraError, PluginError
from regraft.extras import requirements

ENABLES = {
    "lm": "base models, strategies, the arena with them, `regraft base`, `regraft demo`",
    "gguf": "`regraft base import`",
    "ray": "`regraft arena run --executor ray`",
    "dev": "tests and checks of regraft itself",
}


@dataclass(frozen=True)
class Package:
    """`found` is empty where it is not installed; `extra` is ALWAYS where everything needs it."""

    name: str
    needed: str
    found: str
    extra: str

    @property
    def missing(self) -> bool:
        return not self.found

    @property
    def too_old(self) -> bool:
        wanted = re.match(r">=([\d.]+)", self.needed)
        return bool(self.found and wanted and _numbers(self.found) < _numbers(wanted[1]))


@dataclass(frozen=True)
class Compute:
    """`gflops` are the products per second of the probe, in billions of operations, by dtype."""

    device: str
    dtype: str
    auto_dtype: str
    reason: str
    gflops: dict[str, float]
    accelerators: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """Sizes in bytes."""

    cores: int
    usable_cores: float  # what affinity and container limits leave
    threads: dict[str, int]
    memory: int | None
    free_memory: int | None
    free_disk: int
    sqlite: str


@dataclass(frozen=True)
class Checkup:
    """`compute` is None where PyTorch is not installed; `problems` are what should be mended."""

    regraft: str
    python: str
    platform: str
    packages: tuple[Package, ...]
    missing_extras: dict[str, tuple[str, ...]]  # extra: packages
    compute: Compute | None
    machine: Machine
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"enables": {extra: ENABLES.get(extra, "") for extra in self.missing_extras}}


def examine(folder: Path | None = None) -> Checkup:
    """Looks at this installation and machine; `folder` (default: the current one) is whose disk is measured."""
    found = packages()
    missing: dict[str, tuple[str, ...]] = {}
    for package in found:
        if package.missing and package.extra:
            missing[package.extra] = (*missing.get(package.extra, ()), package.name)
    compute = _compute() if find_spec("torch") else None
    return Checkup(
        regraft=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=found,
        missing_extras=missing,
        compute=compute,
        machine=_machine(folder or Path.cwd()),
        problems=(*_package_problems(found), *_plugin_problems(missing)),
    )


def packages() -> tuple[Package, ...]:
    """Every package that regraft or one of its extras names, in the order of the metadata."""
    return tuple(Package(one.package, one.wanted, _installed(one.package), one.extra) for one in requirements())


def _installed(package: str) -> str:
    """Its version; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    """2.13.0+cpu -> (2, 13, 0)"""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3])


def _package_problems(found: tuple[Package, ...]) -> list[str]:
    problems = [f"{p.name} is not installed, and everything needs it" for p in found if p.missing and not p.extra]
    return problems + [f"{p.name} {p.found} is too old: {p.needed} is needed" for p in found if p.too_old]


def _plugin_problems(missing: dict[str, tuple[str, ...]]) -> list[str]:
    """Plug-ins that cannot be loaded for another reason than a missing extra."""
    absent = {name for names in missing.values() for name in names}
    problems = []
    for kind in plugins.KINDS:
        for plugin in plugins.plugins(kind):
            try:
                if plugin.problem:
                    raise PluginError(plugin.module, plugin.problem)
                plugins.load(kind, plugin.name)
            except (MissingExtraError, PluginError) as error:
                cause = error.__cause__
                if not (isinstance(cause, ModuleNotFoundError) and cause.name in absent):
                    problems.append(f"{kind} plug-in '{plugin.name}' ({plugin.module}): {error.found}")
    return problems


def _compute() -> Compute:
    """What a run computes with unless its configuration says otherwise, and how fast this machine multiplies."""
    import torch

    from regraft.lm.dtypes import DTYPES, FASTER, PRODUCT, faster, product_seconds

    rows, inner, columns = PRODUCT
    seconds = {name: product_seconds(dtype) for name, dtype in DTYPES.items()}
    gflops = {name: 2 * rows * inner * columns / took / 1e9 for name, took in seconds.items()}
    auto, device, dtype = faster(seconds), "cpu", "fp32"
    if find_spec("transformers") and find_spec("pydantic"):
        from regraft.setup.config import BaseOptions

        defaults = BaseOptions()
        device, dtype = defaults.device, defaults.dtype
    figures = " and ".join(f"{gflops[name]:,.0f} GFLOP/s in {name}" for name in gflops)
    reason = (
        f"a product of {rows}x{inner} by {inner}x{columns} runs at {figures}; bf16 must be {FASTER:g} times as fast"
    )
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    named = tuple(f"cuda:{i} {card.name}, {card.total_memory / 2**30:.0f} GiB" for i, card in enumerate(cards))
    return Compute(device, dtype, auto, reason, gflops, named)


def _machine(folder: Path) -> Machine:
    memory = _meminfo()
    threads = {}
    if find_spec("polars"):
        import polars

        threads["polars"] = polars.thread_pool_size()
    if find_spec("torch"):
        import torch

        threads["torch"] = torch.get_num_threads()
    if (limit := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        threads["OMP_NUM_THREADS"] = int(limit)
    return Machine(
        cores=os.cpu_count() or 1,
        usable_cores=_usable_cores(),
        threads=threads,
        memory=memory.get("MemTotal"),
        free_memory=memory.get("MemAvailable"),
        free_disk=shutil.disk_usage(folder).free,
        sqlite=sqlite3.sqlite_version,
    )


def _usable_cores() -> float:
    """Cores left by CPU affinity and by a container's quota (cgroup v2)."""
    own = getattr(os, "sched_getaffinity", None)
    cores = float(len(own(0)) if own else os.cpu_count() or 1)
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        most, period = quota.read_text().split()
        if most != "max":
            cores = min(cores, int(most) / int(period))
    return cores


def _meminfo() -> dict[str, int]:
    path = Path("/proc/meminfo")
    if not path.is_file():
        return {}
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) > 1}
