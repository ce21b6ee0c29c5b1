"""What all benchmarks share: where the data are, how sides are timed, how results are written.

A ratio above 1 always means that ours is better. Sides run in alternating order and the medians of their
repeats are compared; a matrix product is timed before and after, so that a machine that slowed down meanwhile
gives itself away.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from regraft.arena.collect import machine, versions
from regraft.data.ingest import ingest
from regraft.data.presets import lsat_ml_1m
from regraft.data.stream import Stream

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("measure", "peer", "ours", "theirs", "ratio", "target", "n", "machine")
# Settings of a run or a site with a language model whose cost matters and whose skill does not.
SMALL_BASE = {
    "base": {"nano": {"vocabulary": 800, "width": 48, "heads": 2, "layers": 2, "epochs": 2}},
    "timeline": {"context": 4, "targets": 16}, "adapter": {"rank": 4}, "fit": {"epochs": 1},
}  # fmt: skip
STEADY = 0.15  # probes that differ by more than this share make a run doubtful


@dataclass(frozen=True)
class Row:
    """One comparison. `ours` and `theirs` are None where nothing was measured, `target` where none is set."""

    measure: str
    peer: str
    ours: float | None
    theirs: float | None
    n: int
    target: float | None = None
    more_is_better: bool = False
    exact: bool = False  # counted, not timed: how the machine did does not matter
    probes: tuple[float, float] | None = None  # before and after this row alone; None: those of the page

    @property
    def ratio(self) -> float | None:
        """Above 1: ours is better."""
        if not self.ours or not self.theirs:
            return None
        return self.ours / self.theirs if self.more_is_better else self.theirs / self.ours

    def verdict(self, doubt: str = "") -> str:
        """met or missed, empty without a target; the doubt about the run where there is one and seconds are judged."""
        if self.target is None or self.ratio is None:
            return ""
        if doubt and not self.exact:
            return doubt
        return "met" if self.ratio >= self.target else "missed"


@dataclass(frozen=True)
class Page:
    """What is said about the figures, in Markdown."""

    name: str
    title: str
    what: str
    how: Sequence[str]
    caveats: Sequence[str]
    quick: bool = False

    def doubt(self, probes: tuple[float, float]) -> str:
        """Why no target can be judged: too little was run, or the machine did not keep its speed. Empty: no doubt."""
        return "quick run" if self.quick else "unsteady" if _moved(probes) > STEADY else ""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options every benchmark has."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one repeat on little data: does it run?")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--repeats", type=int, default=None, help="default 5, quick 1")
    return parser


def repeats(options: argparse.Namespace) -> int:
    return max(1, options.repeats or (1 if options.quick else 5))


def data_file(name: str) -> Path:
    """The file in $REGRAFT_DATA, or in ../shared/data beside the repository; ends the script where it is absent."""
    folder = _folder("data")
    if not (folder / name).exists():
        sys.exit(
            f"{Path(sys.argv[0]).name}: {name} is not in {folder}.\n"
            "Set REGRAFT_DATA to the folder that has it (MovieLens: grouplens.org/datasets/movielens)."
        )
    return folder / name


def model_folder(name: str) -> Path | None:
    """The model in $REGRAFT_MODELS (else ../shared/models beside the repository), then in models/; None: in neither."""
    found = (folder / name for folder in (_folder("models"), ROOT / "models"))
    return next((folder for folder in found if folder.is_dir()), None)


def a_real_base(given: Path | None) -> Path | None:
    """--base, else SmolLM2-135M-Instruct where it is at hand (make smollm2)."""
    return given or model_folder("SmolLM2-135M-Instruct")


def _folder(kind: str) -> Path:
    return Path(os.environ.get(f"REGRAFT_{kind.upper()}", ROOT.parent / "shared" / kind))


def ml_1m() -> Stream:
    """The preset lsat-ml-1m with the information set `full`."""
    log = ingest(data_file("ml-1m.zip"))
    return lsat_ml_1m(log.interactions, log.items, "full")


# -- timing ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """Seconds of one piece of work. CPU seconds of all threads suffer less from what else runs on the machine."""

    wall: float
    cpu: float

    def per(self, units: int) -> Taken:
        return Taken(self.wall / units, self.cpu / units)


def taken(work: Callable[[], object]) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def alternating(sides: Mapping[str, Callable[[], Taken]], times: int) -> dict[str, Taken]:
    """Medians per side. A side prepares itself, then returns what the part to be measured took.

    Every other round runs backwards, so that no side always follows the same one.
    """
    found: dict[str, list[Taken]] = {name: [] for name in sides}
    for turn in range(times):
        names = list(sides)
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(sides[name]())
    return {
        name: Taken(statistics.median(t.wall for t in all_), statistics.median(t.cpu for t in all_))
        for name, all_ in found.items()
    }


def gemm_probe(duration: float = 0.5) -> float:
    """GFLOP/s of an fp32 matrix product, the median over `duration` seconds."""
    import torch

    a, b = torch.ones(512, 576), torch.ones(576, 1536)
    rates = []
    until = time.perf_counter() + duration
    while time.perf_counter() < until:  # cores that idled take a while to come up to speed
        a @ b
    until += duration
    while time.perf_counter() < until:
        rates.append(2 * 512 * 576 * 1536 / taken(lambda: a @ b).wall / 1e9)
    return statistics.median(rates)


# -- results -----------------------------------------------------------------------------------


def machine_words() -> str:
    found = machine()
    return ", ".join(filter(None, (found["cpu"], f"{found['cores']} cores", found.get("gpu"))))


def write(page: Page, rows: Sequence[Row], probes: tuple[float, float], out: Path) -> None:
    """Writes NAME.csv and NAME.md into `out`, and prints the table."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{page.name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            cells = (number(row.ours), number(row.theirs), number(row.ratio), number(row.target, empty=""))
            table.writerow([row.measure, row.peer, *cells, row.n, machine_words()])
    doubts = [page.doubt(row.probes or probes) for row in rows]
    lines = markdown(rows, doubts)
    (out / f"{page.name}.md").write_text(_page(page, rows, doubts, lines, probes), encoding="utf-8")
    print("\n".join(lines))
    print(f"\nwritten: {page.name}.csv and {page.name}.md in {out}")


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Rows as CSV, below the names of the first one's columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def markdown(rows: Sequence[Row], doubts: Sequence[str] = ()) -> list[str]:
    """The table as lines of Markdown; `doubts`, one per row, say why it is not judged."""
    lines = ["| measure | peer | ours | theirs | ratio | target | | n |", "|---|---|--:|--:|--:|--:|---|--:|"]
    for row, doubt in zip(rows, doubts or [""] * len(rows), strict=True):
        target = "" if row.target is None else f">= {number(row.target)}"
        cells = (row.measure, row.peer, number(row.ours), number(row.theirs), number(row.ratio, empty=""), target)
        lines.append("| " + " | ".join((*cells, row.verdict(doubt), f"{row.n:,}")) + " |")
    return lines


def number(value: float | None, empty: str = "not measured") -> str:
    """Four digits that matter."""
    return empty if value is None else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _page(
    page: Page, rows: Sequence[Row], doubts: Sequence[str], table: Sequence[str], probes: tuple[float, float]
) -> str:
    verdicts = [
        f"- **{verdict}**: {row.measure}, against {row.peer}: {number(row.ratio)}x, target {number(row.target)}x."
        for row, doubt in zip(rows, doubts, strict=True)
        if (verdict := row.verdict(doubt))
    ]
    differ = f" They differ by {_moved(probes):.0%}: other work ran beside this, so no target in seconds that was measured between them is judged."
    if _moved(probes) <= STEADY:
        differ = ""
    known = ", ".join(f"{name} {version}" for name, version in versions().items())
    sections = [
        f"# {page.title}",
        f"`{_command(page)}`",
        page.what,
        "A ratio above 1 means that ours is better.",
        "\n".join(table),
        "\n".join(verdicts),
        "## How",
        "\n".join(f"- {line}" for line in page.how),
        "## Caveats",
        "\n".join(f"- {line}" for line in page.caveats),
        f"Machine: {machine_words()}, {_threads()}. Matrix product, fp32: {probes[0]:.0f} GFLOP/s before, "
        f"{probes[1]:.0f} after.{differ} Versions: {known}.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _command(page: Page) -> str:
    """What was typed, without folders of this machine."""
    script = page.name.replace("-", "_")
    given = typed() if Path(sys.argv[0]).stem == script else []
    return " ".join([f"python bench/{script}.py", *(Path(word).name for word in given)])


def typed() -> list[str]:
    """The words after the script's name, but for where results and parts go."""
    given = sys.argv[1:]
    for folder in ("--out", "--runs"):
        if folder in given:
            first = given.index(folder)
            given = given[:first] + given[first + 2 :]
    return given


def _moved(probes: tuple[float, float]) -> float:
    return abs(probes[1] / probes[0] - 1)


def _threads() -> str:
    import torch

    count = torch.get_num_threads()
    return f"{count} thread{'s' if count > 1 else ''} for PyTorch"
