"""A run of the arena over a grid: how much history, how often, how much replay.

Every setting is asked about the same rows of the same periods. At the close of a period rows older than the kept days
are gone, for the model that learns there and for facts, neighbours and histories from then on; a model that is
renewed every k periods serves k of them and learns from all that came since. A cell is a contender of a line after one
update, whole or not at all, so a killed run goes on; fits and scores are kept by content, as in every run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from regraft.arena.cell import Cell
from regraft.arena.compare import Arena
from regraft.arena.of_site import open_log
from regraft.arena.tune_grid import Line, Setting, TuneConfig, lines_of, shares_of
from regraft.data.kept import kept_since
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError

DAY = 86_400_000  # ms
LEAST_PERIODS = 4  # tested: two to choose on, two to check on
ROWS = 4_000_000  # of kept logs that stay in memory with their facts


class Tuning(Arena):
    """`settings` are those that can be compared on this stream, `left_out` says in words which cannot and why."""

    config: TuneConfig

    def __init__(self, config: TuneConfig, folder: Path, stream: Stream | None = None) -> None:
        super().__init__(config, folder, open_log(config, folder) if stream is None else stream)
        self.left_out: list[str] = []
        self._kept: OrderedDict[tuple[int, int], Stream] = OrderedDict()  # by days and period
        if len(self.tested) < LEAST_PERIODS:
            raise ConfigError(
                "regraft tune", f"has {len(self.tested)} periods to test on", f"at least {LEAST_PERIODS}, half of "
                "them to choose on and half to check on", "Set first_update to an earlier period",
            )  # fmt: skip
        self.every = self._frequencies()
        self.days = self._histories()
        self.lines = {line.options.label: line for line in self._lines()}

    # -- what is compared ------------------------------------------------------------------------

    @property
    def tested(self) -> range:
        """Periods that every setting is asked about."""
        return range(self.first + 1, self.last + 2)

    @property
    def chosen_on(self) -> range:
        """The earlier half of them; what is chosen there is checked on the others."""
        return self.tested[: -(-len(self.tested) // 2)]

    @cached_property
    def settings(self) -> list[Setting]:
        return [
            Setting(c.label, share, every, days)
            for c in self.config.tuned
            for share in shares_of(c, self.config.tune)
            for every in self.every
            for days in self.days
            if any(line.serves(Setting(c.label, share, every, days)) for line in self.lines.values())
        ]

    def line_of(self, setting: Setting) -> Line:
        return next(line for line in self.lines.values() if line.serves(setting))

    def updates_of(self, every: int) -> range:
        """Closes at which a model is renewed every so many periods."""
        return self.updates[::every]

    def cell_of(self, setting: Setting, period: int, seed: int) -> Cell:
        """The cell whose model serves the period."""
        update = max(u for u in self.updates_of(setting.every) if u < period)
        options = self.line_of(setting).options
        return Cell(options, seed if options.kind == "strategy" else self.config.seeds[0], update)

    # -- cells -----------------------------------------------------------------------------------

    def cells(self) -> list[Cell]:
        return [cell for cell in super().cells() if self._frequencies_of(cell)]

    def learns(self, cell: Cell) -> Stream:
        log = self._log(self.lines[cell.contender.label].days, cell.update + 1)
        self.factory.work_out_content(cell.contender, log)  # as all facts: worked out once, and charged to nobody
        view = log.until(cell.update + 1)
        past = view.only(~self.eval_rows[self.numbers(view)])
        if not len(past):
            raise DataError(f"{cell}", "there is no example before its cut", "examples to learn from")
        before = self.earlier(cell)
        return past if before is None or cell.contender.kind == "baseline" else past.newest_since(before.update + 1)

    def asks(self, cell: Cell) -> Iterator[tuple[int, Stream]]:
        days = self.lines[cell.contender.label].days
        for period, held in self._asked_periods(cell):
            cases = self._log(days, period).cases(period)
            yield period, cases.only(self.eval_rows[self.numbers(cases)]) if held else cases

    def asked(self, cell: Cell) -> np.ndarray:
        """Found in the whole log: whatever is kept, it is asked about the same rows."""
        found = []
        for period, held in self._asked_periods(cell):
            rows = self.stream.cases(period).targets
            found.append(rows[self.eval_rows[rows]] if held else rows)
        return np.concatenate(found)

    def numbers(self, cases: Stream) -> np.ndarray:
        return self.stream.positions(cases.ids)

    def earlier(self, cell: Cell) -> Cell | None:
        every = self.lines[cell.contender.label].every or 1
        before = [u for u in self.updates_of(every) if u < cell.update]
        return Cell(cell.contender, cell.seed, before[-1]) if before else None

    def collect(self) -> list[str]:
        """Nothing: what was measured is read from the cells (tune_measures.py)."""
        return []

    def _asked_periods(self, cell: Cell) -> Iterator[tuple[int, bool]]:
        """(period, whether held-out rows only): those it serves, then, at the end of the run, all before them."""
        frequencies = self._frequencies_of(cell)
        for period in range(cell.update + 1, min(cell.update + max(frequencies), self.last + 1) + 1):
            yield period, False
        if self.config.eval_share and any(cell.update == self.updates_of(k)[-1] for k in frequencies):
            for period in range(self.tested[0], cell.update + 1):
                yield period, True

    def _frequencies_of(self, cell: Cell) -> list[int]:
        """The update frequencies under which the cell is one."""
        line = self.lines.get(cell.contender.label)
        if line is None:
            return []
        return [k for k in self.every if line.every in (None, k) and cell.update in self.updates_of(k)]

    # -- what is kept ----------------------------------------------------------------------------

    def since(self, days: int | None, period: int) -> int:
        """The time (ms) before which rows are gone when the period begins."""
        return self.stream.cuts[period - 1] - days * DAY if days else int(self.stream.time.min())

    def _log(self, days: int | None, period: int) -> Stream:
        """What is kept in the period: the log up to its end without what was too old when it began."""
        if days is None:
            return self.stream
        key = days, period
        if key not in self._kept:
            self._kept[key] = self.prepared(kept_since(self.stream.through(period), self.since(days, period)))
            while sum(len(log.time) for log in self._kept.values()) > ROWS and len(self._kept) > 1:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    # -- what this stream can tell ---------------------------------------------------------------

    def _frequencies(self) -> list[int]:
        """Those under which a model grows as old as it may, in the periods to choose on and in those to check on."""
        most = len(self.tested) // 2
        for every in self.config.tune.every:
            if every > most:
                self.left_out.append(f"every {every} periods: only {len(self.tested)} periods are tested")
        return sorted(k for k in self.config.tune.every if k <= most) or [1]

    def _histories(self) -> list[int | None]:
        """Days that make a difference here; everything is always kept in one setting, to be compared with."""
        found: list[int | None] = [None]
        for days in sorted((d for d in self.config.tune.days if d), reverse=True):
            if self.since(days, self.last + 1) <= self.stream.time.min():
                self.left_out.append(f"{days} days: the log is not longer, it is the same as keeping all")
            elif days * DAY < self._longest(1):
                self.left_out.append(f"{days} days: less than the longest period has")
            else:
                found.append(days)
        return found

    def _lines(self) -> Iterator[Line]:
        for line in (line for contender in self.config.tuned for line in lines_of(contender, self.config.tune)):
            if line.days in self.days and line.every in (None, *self.every):
                if line.every and line.days and line.days * DAY <= self._longest(line.every):
                    self.left_out.append(f"{line.options.label}: keeps less than what came since its last update")
                else:
                    yield line

    def _longest(self, every: int) -> int:
        """ms that so many periods in a row take at most, among those that are learnt from and tested."""
        cuts = np.asarray(self.stream.cuts[self.first - 1 : self.last + 2])
        every = min(every, len(cuts) - 1)
        return int((cuts[every:] - cuts[:-every]).max())
