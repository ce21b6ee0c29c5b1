"""Packages of each extra of this installation, read from its metadata: they are listed in pyproject.toml alone."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from typing import NamedTuple

ALWAYS = ""  # the "extra" of packages that are always needed


class Requirement(NamedTuple):
    """One line of the metadata: `torch>=2.6; extra == "lm"`."""

    package: str
    wanted: str  # >=2.6
    extra: str  # or ALWAYS


@cache
def requirements() -> tuple[Requirement, ...]:
    """Every package that regraft or one of its extras names, in the order of the metadata.

    Empty where regraft is not installed but run from its source files.
    """
    try:
        lines = requires("regraft") or []
    except PackageNotFoundError:
        return ()
    return tuple(map(_requirement, lines))


def packages(extra: str) -> tuple[str, ...]:
    """Names under which the packages of an extra are imported."""
    return tuple(_module(one.package) for one in requirements() if one.extra == extra)


def missing(extra: str) -> tuple[str, ...]:
    """Those of them that are not installed."""
    return tuple(name for name in packages(extra) if find_spec(name) is None)


def extra_of(module: str) -> str:
    """The extra that brings a module, e.g. lm for torch; empty where none does."""
    found = (one.extra for one in requirements() if one.extra and _module(one.package) == module.split(".")[0])
    return next(found, "")


def _requirement(line: str) -> Requirement:
    wanted, _, marker = line.partition(";")
    match = re.match(r"\s*([\w.-]+)\s*(.*)", wanted)
    assert match is not None, line
    extra = re.search(r"extra == [\"']([\w-]+)[\"']", marker)
    return Requirement(match[1], match[2].strip(), extra[1] if extra else ALWAYS)


def _module(package: str) -> str:
    return package.replace("-", "_")
