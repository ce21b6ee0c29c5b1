"""From a site or a configuration to the files of a tuning: a page, a table, JSON for other programs, YAML to copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regraft.arena.claim import may_write
from regraft.arena.of_site import is_site, site_config
from regraft.arena.open_arena import RUNS
from regraft.arena.tune import Tuning
from regraft.arena.tune_advice import advise
from regraft.arena.tune_files import Tuned, write_all
from regraft.arena.tune_grid import tuned
from regraft.arena.tune_measures import Measured, measured
from regraft.setup.config import SITE_FILE, ArenaConfig, ContenderOptions
from regraft.setup.inputs import inputs
from regraft.setup.site_options import SiteOptions

PLACE = Path("reports") / "tune"  # of a site


def open_tuning(
    path: Path, out: Path | None = None, use: Sequence[str] = (), tune: dict[str, Any] | None = None,
    price: float | None = None,
) -> Tuning:  # fmt: skip
    """The tuning of a configuration file or a site's folder; `use` names contenders or plug-ins, by default all that
    the file names, `tune` settings that take the place of those in its section `tune`, `price` that of an hour of the
    machine that updates.

    `out` defaults to runs/NAME-tune, for a site to reports/tune in it.
    """
    if is_site(path):
        config, folder, path = _of_site(path), out or path / PLACE, path / SITE_FILE
    else:
        config = ArenaConfig.read(path)
        folder = out or RUNS / f"{Path(config.name).name or 'arena'}-tune"
    raw = config.model_dump(mode="json")
    known = {c.label: c for c in config.contenders}
    raw["contenders"] = [known.get(name, ContenderOptions(use=name)) for name in dict.fromkeys(use)] or list(
        known.values()
    )
    raw["tune"] = raw["tune"] | (tune or {})
    if price is not None:
        raw["prices"] = (raw["prices"] or {}) | {"update_hour": price}
    config = ArenaConfig.parse(raw, str(path))
    may_write(folder, inputs(config, path))  # before the log is read
    tuning = Tuning(tuned(config), folder)
    tuning.reads = (path,)
    return tuning


def _of_site(folder: Path) -> ArenaConfig:
    """The site's own contenders on its own rows; cheaper rungs beside them are the arena's question."""
    config, options = site_config(folder), SiteOptions.read(folder / SITE_FILE)
    own = {c.label for c in options.contenders}
    return config.model_copy(update={"contenders": tuple(c for c in config.contenders if c.label in own)})


def found_by(tuning: Tuning) -> Tuned:
    """What the finished cells say; a contender that still waits for cells gets no advice."""
    settings, waiting = measured(tuning)
    unfinished = {setting.contender for setting in waiting}
    options = tuning.config.tune
    by_contender: dict[str, list[Measured]] = {}
    for one in settings:
        by_contender.setdefault(one.setting.contender, []).append(one)
    advice = [
        advise(group, options.margin, tuning.config.update_hour)
        for name, group in by_contender.items()
        if name not in unfinished
    ]
    return Tuned(tuning, tuple(settings), tuple(waiting), tuple(advice))


def conclude(tuning: Tuning, lang: str = "en") -> tuple[Tuned, Path | None]:
    """(what was found, the page), with all files written into the run's folder; no page while no setting is whole."""
    found = found_by(tuning)
    return found, write_all(found, lang) if found.settings else None
