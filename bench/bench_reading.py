"""Reading MovieLens-1M: from the official zip to a validated stream, against parsing alone with pandas.

    python bench/bench_reading.py [--quick] [--out docs/results]

Each side runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common import Row

STATUS = Path("/proc/self/status")

PYTHON, C = "pandas, python engine", "pandas, C engine after '::' became tab"
RATINGS = ["user_id", "item_id", "rating", "timestamp"]
MOVIES = ["item_id", "title", "genres"]
TARGET = 5.0


def ingest(path: Path) -> Callable[[], int]:
    from regraft.data.ingest import ingest

    return lambda: ingest(path).interactions.height


def stream(path: Path) -> Callable[[], int]:
    from regraft.data.build import build_stream
    from regraft.data.ingest import ingest
    from regraft.data.periods import Periods

    def work() -> int:
        log = ingest(path)
        return len(build_stream(log.interactions, log.items, "rating > 3", Periods(by="count", n=20)).time)

    return work


def pandas_python(path: Path) -> Callable[[], int]:
    import pandas as pd  # type: ignore[import-untyped]

    def parse(archive: zipfile.ZipFile, name: str, columns: list[str]) -> int:
        with archive.open(_member(archive, name)) as file:
            return len(pd.read_csv(file, sep="::", engine="python", header=None, names=columns, encoding="iso-8859-1"))

    def work() -> int:
        with zipfile.ZipFile(path) as archive:
            parse(archive, "movies.dat", MOVIES)
            return parse(archive, "ratings.dat", RATINGS)

    return work


def pandas_c(path: Path) -> Callable[[], int]:
    import pandas as pd

    def parse(archive: zipfile.ZipFile, name: str, columns: list[str]) -> int:
        text = io.BytesIO(archive.read(_member(archive, name)).replace(b"::", b"\t"))
        return len(pd.read_csv(text, sep="\t", header=None, names=columns, encoding="iso-8859-1"))

    def work() -> int:
        with zipfile.ZipFile(path) as archive:
            parse(archive, "movies.dat", MOVIES)
            return parse(archive, "ratings.dat", RATINGS)

    return work


def _member(archive: zipfile.ZipFile, name: str) -> str:
    return next(member for member in archive.namelist() if member.endswith(f"/{name}"))


SIDES: dict[str, Callable[[Path], Callable[[], int]]] = {
    "ingest": ingest,
    "stream": stream,
    PYTHON: pandas_python,
    C: pandas_c,
}


def child(side: str, path: Path) -> None:
    """Prints seconds, rows and peak memory of one side; libraries are imported before the clocks start."""
    work = SIDES[side](path)
    began, cpu = perf_counter(), process_time()
    rows = work()
    wall, cpu = perf_counter() - began, process_time() - cpu
    print(json.dumps({"wall": wall, "cpu": cpu, "rows": rows, "mib": peak_mib()}))


def resident(name: str, process: int | None = None) -> int:
    """Bytes of memory of a process (None: this one), by their name in /proc/PID/status: VmRSS now, VmHWM at the peak."""
    status = STATUS if process is None else Path(f"/proc/{process}/status")
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def peak_mib() -> float:
    """Peak resident memory of this process.

    Not ru_maxrss where /proc is there: Linux hands the parent's peak on to a child through fork and exec, so every
    side would show at least what this script itself uses.
    """
    if STATUS.is_file():
        return resident("VmHWM") / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measure(path: Path, times: int) -> tuple[list[Row], int]:
    """Rows of the table, and the number of rows read."""
    from common import Row

    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for turn in range(times):
        for name in SIDES if turn % 2 == 0 else reversed(SIDES):
            answer = subprocess.run(
                [sys.executable, __file__, "--side", name, "--file", str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
            found[name].append(json.loads(answer.stdout))
    counts = {int(run["rows"]) for runs in found.values() for run in runs}
    if len(counts) != 1:
        raise SystemExit(f"the sides do not read the same number of rows: {sorted(counts)}")
    n = counts.pop()

    def median(name: str, field: str) -> float:
        return statistics.median(run[field] for run in found[name])

    rows = []
    for ours, what in (("stream", "zip to validated stream"), ("ingest", "zip to validated log")):
        for peer in (PYTHON, C):
            target = TARGET if ours == "stream" and peer == PYTHON else None
            rows.append(Row(f"wall s, {what}", peer, median(ours, "wall"), median(peer, "wall"), n, target))
            for field, name in (("cpu", "CPU s"), ("mib", "peak memory MiB")):
                rows.append(Row(f"{name}, {what}", peer, median(ours, field), median(peer, field), n))
    return rows, n


def main() -> None:
    import polars
    from common import Page, arguments, data_file, gemm_probe, repeats, write

    parser = arguments(__doc__)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = data_file("ml-1m.zip")
    before = gemm_probe()
    rows, n = measure(path, repeats(options))
    page = Page(
        name="bench-reading",
        title="Reading a log",
        what=f"From the official MovieLens-1M zip ({n:,} ratings) to what the next step needs, in seconds and peak "
        "memory, against pandas reading the same zip.",
        how=[
            "Ours, validated log: `regraft.data.ingest.ingest`. It recognises the format, decodes ISO-8859-1, checks "
            "every row (number of fields, empty ids, a value that is a number, a time that is one and not in the "
            "future), sets bad rows and exact copies aside with their line, converts times to UTC, joins the item "
            "file, and takes the SHA-256 of the source.",
            "Ours, validated stream: the same, then `build_stream`: labels, global time order, user and item codes, "
            "20 periods.",
            "pandas only parses `movies.dat` and `ratings.dat` into two frames: no check, no time, no order, no label. "
            "The python engine reads the separator `::` as it is; for the C engine the bytes `::` are replaced by tabs "
            "first, which is inside its time.",
            f"Each side in a process of its own; the clock starts after its imports. Medians of {repeats(options)}, "
            "alternating order. Peak memory is the process's own (VmHWM), imports included; ru_maxrss would show "
            "the parent's peak wherever that is larger.",
        ],
        caveats=[
            f"Polars uses {polars.thread_pool_size()} threads here, pandas one: compare the CPU seconds as well.",
            "Ours does more than the peers; the ratio compares what a user waits for, not equal work.",
        ],
        quick=options.quick,
    )
    write(page, rows, (before, gemm_probe()), options.out)


if __name__ == "__main__":
    if "--side" in sys.argv:  # a measured process: nothing is imported that its side does not need
        child(sys.argv[sys.argv.index("--side") + 1], Path(sys.argv[sys.argv.index("--file") + 1]))
    else:
        main()
