"""From a run's folder to its verdict, report and leaderboard; what was finished is gathered first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from regraft.arena.compare import Arena
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import results_csv, summarise, verdict
from regraft.setup.config import ArenaConfig

REPORT = "report.html"


@dataclass(frozen=True)
class Finished:
    """`verdict` in sentences; `finished` tells whether the run was."""

    report: Path
    verdict: tuple[str, ...]
    finished: bool


def report_run(folder: Path, lang: str = "en", out: Path | None = None, csv: Path | None = None) -> Finished:
    """Writes the report (default: report.html in the folder) and, where wanted, the leaderboard as CSV."""
    gather(folder)
    results = Results.load(folder)
    summary = summarise(results)
    report = write_report(results, out or folder / REPORT, lang, summary=summary)
    if csv is not None:
        results_csv(summary, csv)
    return Finished(report, tuple(verdict(summary, lang)), summary.finished)


def gather(folder: Path) -> bool:
    """Collects cells that were finished after the last collection, as after a kill; whether there were any."""
    described, claimed = folder / "run.json", folder / "claim.json"
    if not claimed.is_file():
        return False
    cells = [path.stat().st_mtime_ns for path in folder.glob("cells/*/seed-*/*/cost.json")]
    if described.is_file() and max(cells, default=0) <= described.stat().st_mtime_ns:
        return False
    config = ArenaConfig.parse(json.loads(claimed.read_text(encoding="utf-8"))["config"], str(claimed))
    Arena(config, folder).collect()
    return True
