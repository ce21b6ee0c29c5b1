"""From a run's folder to its verdict, report and leaderboard; what was finished is gathered first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from regraft.arena.claim import FILES, FOLDERS, read_claim
from regraft.arena.compare import Arena
from regraft.errors import OutputError, ResultsError
from regraft.output_paths import inside, output, same
from regraft.report import tables
from regraft.report.report import PAGE_MARK, write_report
from regraft.report.results import Results
from regraft.report.summary import results_csv, summarise, verdict
from regraft.setup.config import ArenaConfig
from regraft.setup.inputs import inputs

REPORT, CLAIM = "report.html", "claim.json"


@dataclass(frozen=True)
class Finished:
    """`verdict` in sentences; `finished` tells whether the run was; `notes` name what was damaged."""

    report: Path
    verdict: tuple[str, ...]
    finished: bool
    notes: tuple[str, ...] = ()


def report_run(
    folder: Path, lang: str = "en", out: Path | None = None, csv: Path | None = None, force: bool = False
) -> Finished:
    """Writes the report (default: report.html in the folder) and, where wanted, the leaderboard as CSV.

    Where a table of the run is damaged, all of them are written again from the finished cells. `force` replaces
    files that regraft did not write, never one that is read.
    """
    out = folder / REPORT if out is None else out / REPORT if out.is_dir() else out
    _may_write(folder, out, csv, force)
    notes = gather(folder)
    try:
        results = Results.load(folder)
    except ResultsError as error:
        if not (folder / CLAIM).is_file():
            raise
        notes = [*gather(folder, again=True), f"{error.where}: {error.found}; written again from the finished cells"]
        results = Results.load(folder)
    summary = summarise(results)
    report = write_report(results, out, lang, summary=summary)
    if csv is not None:
        results_csv(summary, csv)
    return Finished(report, tuple(verdict(summary, lang)), summary.finished, tuple(notes))


def gather(folder: Path, again: bool = False) -> list[str]:
    """Collects cells that were finished after the last collection, as after a kill, or `again` whatever is there.

    Gives what is damaged and was left out, in words.
    """
    described, claimed = folder / "run.json", folder / CLAIM
    if not claimed.is_file():
        return []
    cells = [path.stat().st_mtime_ns for path in folder.glob("cells/*/seed-*/*/cost.json")]
    if not again and described.is_file() and max(cells, default=0) <= described.stat().st_mtime_ns:
        return []
    return Arena(_config(folder), folder).collect()


def _config(folder: Path) -> ArenaConfig:
    return ArenaConfig.parse(read_claim(folder / CLAIM)["config"], str(folder / CLAIM))


def _may_write(folder: Path, out: Path, csv: Path | None, force: bool) -> None:
    """OutputError where report or leaderboard would be written onto the run, its data, or each other."""
    reads = [folder / name for name in FILES if name != REPORT]
    if (folder / CLAIM).is_file():
        reads += inputs(_config(folder))
    for path, mark, other in ((out, PAGE_MARK, csv), (csv, tables.MARK, out)):
        if path is None:
            continue
        if any(inside(path, folder / name) for name in FOLDERS):
            raise OutputError(f"output '{path}'", "lies among the results of the run", "a place of its own")
        own = path == out and same(path, folder / REPORT)  # the run's own page, of whatever version
        output(path, [*reads, *([other] if other else [])], force or own, mark)
