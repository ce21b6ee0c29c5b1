"""What `regraft tune` compares: settings, and the lines of cells that they are read from.

A setting is one point of the grid for one contender. A line is a row of cells of the run: a baseline learns everything
anew at each update, so one line of it serves all update frequencies; a strategy goes on from its last update and
needs a line for each. Replay has a meaning only for strategies with a setting `share`; elsewhere it falls away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from regraft.errors import ConfigError
from regraft.setup.config import ArenaConfig, ContenderOptions, RankingOptions, plugin
from regraft.setup.tune_options import ALL, TuneOptions

SHARE = "share"  # the setting of a strategy that says how much it replays


class TuneConfig(ArenaConfig):
    """A run of the arena over a grid; `tuned` are the contenders as they were given, `contenders` its lines."""

    tuned: tuple[ContenderOptions, ...] = ()

    @property
    def lists(self) -> RankingOptions | None:
        """Nothing is ranked: settings are compared by what they say of the same rows."""
        return None

    @property
    def update_hour(self) -> float:
        """Price of an hour of the machine that renews; 0: not known."""
        return self.prices.update_hour if self.prices else 0.0


@dataclass(frozen=True)
class Setting:
    """One point of the grid. `share` is None where nothing is replayed, `days` None where everything is kept."""

    contender: str
    share: float | None
    every: int
    days: int | None

    @property
    def least(self) -> tuple[float, int, float]:
        """Orders settings by how little they ask for: history first, then updates, then replay."""
        return self.days or float("inf"), -self.every, self.share or 0.0

    def as_dict(self) -> dict[str, Any]:
        days = ALL if self.days is None else self.days
        return {"contender": self.contender, "share": self.share, "every": self.every, "days": days}


@dataclass(frozen=True)
class Line:
    """Cells in a row: `options` are those of the arena's contender, `every` None for all frequencies at once."""

    options: ContenderOptions
    contender: str
    share: float | None
    every: int | None
    days: int | None

    def serves(self, setting: Setting) -> bool:
        mine = (self.contender, self.share, self.days) == (setting.contender, setting.share, setting.days)
        return mine and self.every in (None, setting.every)


def tuned(config: ArenaConfig) -> TuneConfig:
    """The configuration of a run over the grid with the contenders of `config`; one that never learns is left out."""
    chosen = tuple(c for c in config.contenders if c.use != "never")
    if not chosen:
        raise ConfigError("contenders", "none of them learns anything from period to period", "at least one that does")
    lines = [line for contender in chosen for line in lines_of(contender, config.tune)]
    raw = config.model_dump(mode="json") | {"ranking": None, "tuned": chosen}
    return TuneConfig.parse(raw | {"contenders": [line.options for line in lines]}, "tune")


def lines_of(contender: ContenderOptions, grid: TuneOptions) -> Iterator[Line]:
    """The lines of one contender, those that keep most first."""
    days = sorted(grid.days, key=lambda day: -(day or float("inf")))
    frequencies: Sequence[int | None] = (None,) if contender.kind == "baseline" else sorted(grid.every)
    for day, every, share in product(days, frequencies, shares_of(contender, grid)):
        kept = ALL if day is None else f"{day} days"
        words = [contender.label, *([] if share is None else [f"share {share:g}"])]
        words += [*([] if every is None else [f"every {every}"]), f"keeping {kept}"]
        settings = contender.settings | ({} if share is None else {SHARE: share})
        options = contender.model_copy(update={"name": " ".join(words), "settings": settings})
        yield Line(options, contender.label, share, every, day)


def shares_of(contender: ContenderOptions, grid: TuneOptions) -> tuple[float | None, ...]:
    """The shares of replay to try; (None,) where the contender replays nothing."""
    replays = contender.kind == "strategy" and SHARE in getattr(type(plugin(contender)), "model_fields", {})
    return tuple(sorted(grid.share)) if replays else (None,)
