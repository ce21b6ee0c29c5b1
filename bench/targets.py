"""Every target that a benchmark was given, met or missed, from the tables in docs/results.

python bench/targets.py [--out docs/results]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from common import ROOT, number


def rows(folder: Path) -> list[str]:
    """A line of Markdown per target."""
    found = []
    for path in sorted(folder.glob("bench-*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            found += [_line(row, path.stem) for row in csv.DictReader(file) if row.get("target")]
    return found


def _line(row: dict[str, str], page: str) -> str:
    target = float(row["target"])
    try:
        ratio = float(row["ratio"])
    except ValueError:
        verdict, shown = "not measured", ""
    else:
        verdict, shown = "met" if ratio >= target else "**missed**", number(ratio)
    cells = (row["measure"], row["peer"], shown, f">= {number(target)}", verdict, f"[{page}]({page}.md)")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    lines = [
        "# Targets",
        "",
        "`python bench/targets.py`",
        "",
        "A ratio above 1 means that ours is better. Whether a machine kept its speed, what was compared and how is on each page; what was tried "
        "where a target is missed is in the [log](../log.md).",
        "",
        "| measure | peer | ratio | target | | page |",
        "|---|---|--:|--:|---|---|",
        *rows(options.out),
    ]
    (options.out / "targets.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
