"""Plug-ins are files: the file name is the plug-in's name.

A folder is listed without importing anything; the summary is the first line of the module's docstring,
read with `ast`. Third parties add theirs by entry points in the group `regraft.<kind>`. A plug-in that
cannot load is listed with its reason.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import metadata
from importlib.metadata import EntryPoints
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from regraft.errors import MissingExtraError, PluginError
from regraft.extras import extra_of

KINDS = {
    "readers": "regraft.data.readers",
    "strategies": "regraft.strategies",
    "baselines": "regraft.baselines",
    "checks": "regraft.release.checks",
    "candidates": "regraft.serving.candidates",
    "similarities": "regraft.prompts.similarity",
}
# Modules in a plug-in folder that are the room's own furniture, not plug-ins.
FURNITURE = {
    "regraft.strategies": {
        "blind_stack",
        "close_period",
        "contender",
        "head_records",
        "protocol",
        "remembered",
        "strategy_contender",
    },
    "regraft.baselines": {"blind", "features", "logistic", "on_facts", "protocol", "text_ridge", "trees"},
    "regraft.data.readers": {"lines"},
    "regraft.serving.candidates": {"protocol"},
    "regraft.prompts.similarity": {"protocol", "terms"},
}


@dataclass(frozen=True)
class Plugin:
    """One plug-in as listed: `problem` says why it cannot be used, empty when it can."""

    kind: str
    name: str
    summary: str
    module: str
    problem: str = ""


def names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, built-in first, each group sorted."""
    return [plugin.name for plugin in plugins(kind)]


def plugins(kind: str) -> list[Plugin]:
    """All plug-ins of a kind, without importing any of them."""
    _known(kind)
    own = _built_in(kind)
    taken = {plugin.name for plugin in own}
    return [*own, *(_unless_taken(plugin, taken) for plugin in _third_party(kind))]


def load(kind: str, name: str) -> ModuleType:
    """The plug-in's module; errors name what exists."""
    _known(kind)
    # Built-in ones first: they win where a name is taken twice, and other packages need not be searched.
    for plugin in chain(_built_in(kind), _third_party(kind)):
        if plugin.name == name:
            try:
                return importlib.import_module(plugin.module)
            except ModuleNotFoundError as error:
                # Without a package of an extra a plug-in is not broken: something is to be installed.
                if extra := extra_of(error.name or ""):
                    raise MissingExtraError(f"{kind} plug-in '{name}'", extra, str(error.name)) from error
                raise _broken(plugin, error) from error
            except Exception as error:
                raise _broken(plugin, error) from error
    raise PluginError(
        f"{kind}: '{name}'",
        "there is no such plug-in",
        "one of: " + ", ".join(names(kind)),
        f"List them with: regraft plugins {kind}",
    )


def plugin_class(kind: str, name: str) -> Any:
    """The plug-in's class: the file name in CamelCase (full-retrain -> FullRetrain)."""
    module, wanted = load(kind, name), camel(name)
    if not hasattr(module, wanted):
        raise PluginError(
            f"{kind} plug-in '{name}'", f"module {module.__name__} has no such class", f"a class {wanted}"
        )
    return getattr(module, wanted)


def camel(name: str) -> str:
    """full-retrain -> FullRetrain"""
    return "".join(part.capitalize() for part in re.split(r"[-_]", name))


def _known(kind: str) -> None:
    if kind not in KINDS:
        raise PluginError(f"plug-ins of kind '{kind}'", "do not exist", "one of: " + ", ".join(KINDS))


def _broken(plugin: Plugin, error: Exception) -> PluginError:
    return PluginError(
        f"{plugin.kind} plug-in '{plugin.name}' ({plugin.module})",
        f"cannot be loaded: {type(error).__name__}: {error}",
        "a module that imports",
        "See what is installed with: regraft doctor",
    )


def entry_points(group: str) -> EntryPoints:
    """What installed packages offer under this name."""
    return _installed(tuple(sys.path)).select(group=group)


@cache
def _installed(path: tuple[str, ...]) -> EntryPoints:
    """Entry points of all packages on this path, which are many files to read: once per process."""
    return cast(EntryPoints, metadata.entry_points())  # in Python 3.11 a class of its own, with the same `select`


def _unless_taken(plugin: Plugin, taken: set[str]) -> Plugin:
    return replace(plugin, problem="the name belongs to a built-in plug-in") if plugin.name in taken else plugin


@cache
def _built_in(kind: str) -> tuple[Plugin, ...]:
    return tuple(_listed(kind))


def _listed(kind: str) -> Iterator[Plugin]:
    package = KINDS[kind]
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    for path in sorted(folder.glob("*.py")):
        stem = path.stem
        if stem.startswith("_") or stem in FURNITURE.get(package, set()):
            continue
        yield _described(kind, stem.replace("_", "-"), f"{package}.{stem}", path)


def _third_party(kind: str) -> Iterator[Plugin]:
    for point in sorted(entry_points(group=f"regraft.{kind}"), key=lambda p: p.name):
        try:
            spec = importlib.util.find_spec(point.module)
        except ImportError as error:
            yield Plugin(kind, point.name, "", point.module, f"{type(error).__name__}: {error}")
            continue
        if spec is None or spec.origin is None:
            yield Plugin(kind, point.name, "", point.module, f"module '{point.module}' was not found")
            continue
        yield _described(kind, point.name, point.module, Path(spec.origin))


@lru_cache(maxsize=256)
def _docstring(path: Path, changed: int) -> str:
    """Of the module as it stood when it was `changed`."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _described(kind: str, name: str, module: str, path: Path) -> Plugin:
    try:
        doc = _docstring(path, path.stat().st_mtime_ns)
    except (SyntaxError, ValueError, OSError) as error:
        return Plugin(kind, name, "", module, f"{type(error).__name__}: {error}")
    return Plugin(kind, name, doc.split("\n", 1)[0], module)
