"""What the arena and the daily update renew, score, save and load: a baseline, or a strategy with its blend.

This file needs no language model; the wrapper of strategies is strategy_contender.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from regraft.baselines.protocol import Baseline
from regraft.cost import Cost, Renewal
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.files import whole_folder
from regraft.plugins import plugin_class

if TYPE_CHECKING:
    from regraft.strategies.protocol import Lab

DESCRIPTION, ARRAYS = "contender.json", "arrays.npz"
ENTRIES = {"kind", "use", "settings", "regime", "seed"}  # of the description


class Contender(Protocol):
    """A strategy with its blend, or a baseline."""

    @property
    def passes(self) -> int:
        """Forward passes of a language model per request."""

    def renew(self, past: Stream) -> Renewal:
        """Learns from the past, which ends at the cut."""

    def score(self, cases: Stream) -> np.ndarray:
        """Log-odds, one per case; no case is dropped."""

    def score_request(self, request: Request) -> np.ndarray:
        """Log-odds, one per candidate; the request brings the facts that it needs."""

    def charge(self, took: Cost) -> Cost:
        """What the scoring since the last call is charged, where the process itself took `took`."""

    def save(self, folder: Path) -> None:
        """Writes all that scoring needs, in the place of what an earlier save left there."""

    def load(self, folder: Path) -> None:
        """Goes on from what `save` wrote, here or elsewhere; ModelError where it is something else."""


class BaselineContender:
    """Holds a fitted baseline; it learns everything anew at every renewal."""

    passes = 0

    def __init__(
        self, use: str, regime: Regime, seed: int = 0, settings: Mapping[str, Any] | None = None
    ) -> None:  # fmt: skip
        self.use, self.regime, self.seed, self.settings = use, regime, seed, dict(settings or {})
        self.model: Baseline = plugin_class("baselines", use)(regime, seed, **self.settings)

    def renew(self, past: Stream) -> Renewal:
        return self.model.renew(past)

    def score(self, cases: Stream) -> np.ndarray:
        return self.model.score(cases)

    def score_request(self, request: Request) -> np.ndarray:
        return self.model.score(request)

    def charge(self, took: Cost) -> Cost:
        return took

    def save(self, folder: Path) -> None:
        described = {
            "kind": "baseline", "use": self.use, "settings": self.settings, "regime": str(self.regime),
            "seed": self.seed,
        }  # fmt: skip
        arrays: dict[str, Any] = self.model.arrays()
        save_contender(folder, described, lambda part: np.savez(part / ARRAYS, **arrays))

    def load(self, folder: Path) -> None:
        found = described_in(folder, "baseline")
        if found["use"] != self.use:
            raise ModelError(f"contender '{folder}'", f"is the baseline {found['use']}", self.use)
        try:
            with np.load(folder / ARRAYS) as saved:
                self.model.restore(dict(saved))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(folder, error) from error


def new_contender(
    kind: str, use: str, settings: Mapping[str, Any], regime: Regime, seed: int = 0, calibration: str = "none",
    lab: Lab | None = None,
) -> Contender:  # fmt: skip
    """A contender that has learnt nothing yet; a strategy (`kind`) needs a lab with a base model."""
    if kind == "baseline":
        return BaselineContender(use, regime, seed, settings)
    if lab is None:
        raise ModelError(f"contender '{use}'", "has a language model", "a lab with its base model")
    from regraft.strategies.strategy_contender import StrategyContender

    strategy = plugin_class("strategies", use)(**settings)
    return StrategyContender(strategy, lab, calibration, use)  # type: ignore[arg-type]


def load_contender(folder: Path, lab: Lab | None = None) -> Contender:
    """The contender that was saved in the folder, ready to score; one with a language model needs a lab."""
    found = described_in(folder)
    if found["kind"] != "baseline" and lab is None:
        raise ModelError(f"contender '{folder}'", "has a language model", "a lab with its base model")
    regime, calibration = Regime.parse(found["regime"]), found.get("calibration", "none")
    contender = new_contender(found["kind"], found["use"], found["settings"], regime, found["seed"], calibration, lab)
    contender.load(folder)
    return contender


def save_contender(folder: Path, described: dict[str, Any], write: Callable[[Path], object]) -> None:
    """Writes the folder of a contender in one step: `write` puts its files into the folder it is given."""
    with whole_folder(folder) as staging:
        write(staging)
        (staging / DESCRIPTION).write_text(json.dumps(described, indent=2), encoding="utf-8")


def described_in(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """What a contender's folder says it holds; ModelError where it is not of the kind."""
    try:
        found: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if missing := ENTRIES - found.keys():
            raise ValueError(f"{DESCRIPTION} lacks {', '.join(sorted(missing))}")
        if kind is not None and found["kind"] != kind:
            raise ModelError(f"contender '{folder}'", f"is a {found['kind']}", f"a {kind}")
    except (OSError, ValueError, AttributeError) as error:
        raise _unreadable(folder, error) from error
    return found


def _unreadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(
        f"contender '{folder}'", f"cannot be read: {type(error).__name__}: {error}", "a folder written by regraft"
    )
