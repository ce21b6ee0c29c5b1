"""Draws a results table as pictures: `python bench/figure.py docs/results/NAME.csv [PART]` writes NAME.png.

Of a table of several parts, which are of different rows, PART says which one; by default the first.

A table that names rungs also gives the ladder, cost beside quality: NAME-ladder.png and NAME-ladder.svg.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import polars as pl

from regraft.report.ladder_figure import Colours, Point, draw_ladder
from regraft.rungs import CLASSICAL, height

COLOURS = {"baseline": "#0072B2", "strategy": "#D55E00"}  # Okabe and Ito; shape differs too
MARKS = {"baseline": "o", "strategy": "s"}
NAMES = {"baseline": "classical baseline", "strategy": "language model"}


def read(table: Path, part: str | None) -> pl.DataFrame:
    """The rows of one part."""
    rows = pl.read_csv(table)
    return rows.filter(pl.col("part") == (part or rows["part"][0])) if "part" in rows.columns else rows


def draw(table: Path, part: str | None = None) -> Path:
    """AUC and UAUC with 95 % intervals, best AUC on top."""
    rows = read(table, part).sort("auc")
    figure, panels = plt.subplots(1, 2, figsize=(9, 0.36 * len(rows) + 1.5), sharey=True, layout="constrained")
    for panel, measure, title in zip(panels, ("auc", "uauc"), ("AUC", "UAUC (order inside each user)"), strict=True):
        for place, row in enumerate(rows.iter_rows(named=True)):
            low, high = row[measure] - row[f"{measure}_low"], row[f"{measure}_high"] - row[measure]
            panel.errorbar(
                row[measure], place, xerr=[[low], [high]], color=COLOURS[row["kind"]], fmt=MARKS[row["kind"]],
                capsize=3, markersize=6,
            )  # fmt: skip
        panel.set_title(title, loc="left", fontsize=11)
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(rows)), rows["contender"].to_list())
    handles = [plt.Line2D([], [], color=COLOURS[k], marker=MARKS[k], linestyle="", label=NAMES[k]) for k in COLOURS]
    panels[0].legend(handles=handles, loc="upper left", frameon=False)
    first = rows.row(0, named=True)
    figure.suptitle(
        f"{table.stem}: {first['n']:,} test rows, {first['periods']} periods, 95 % intervals by user, "
        f"information {first['information']}, regime {first['history']}",
        fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    out = table.with_suffix(".png")
    figure.savefig(out, dpi=110)
    plt.close(figure)
    return out


def draw_rungs(table: Path, part: str | None = None) -> list[Path]:
    """AUC of each rung's best contender against the CPU seconds it takes per 1,000 requests; none without rungs."""
    rows = read(table, part)
    if "pays" not in rows.columns:
        return []
    best = sorted(rows.filter(pl.col("pays").is_not_null()).iter_rows(named=True), key=lambda row: height(row["rung"]))
    served = [row["rung"] for row in best if row["pays"] == "yes"][-1]
    points = [
        Point(
            row["rung"], row["rung"] in CLASSICAL, row["cpu_seconds_per_1000_requests"], row["auc"], row["auc_low"],
            row["auc_high"], row["rung"] == served,
        )
        for row in best
    ]  # fmt: skip
    figure, axes = plt.subplots(figsize=(9, 4.2))
    figure.subplots_adjust(left=0.09, right=0.98, bottom=0.13, top=0.86)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    draw_ladder(axes, points, 10, Colours("#1b1f24", "#59636e", "#ffffff", COLOURS["strategy"], COLOURS["baseline"]))
    axes.set(xlabel="CPU seconds per 1,000 requests (log scale)", ylabel="AUC, 95 % interval by user")
    axes.set_title(
        f"{table.stem}: the best contender of each rung, {rows['n'].max():,} test rows\n"
        f"filled: the last rung that pays; square: {NAMES['baseline']}, circle: {NAMES['strategy']}",
        fontsize=10, loc="left",
    )  # fmt: skip
    written = [table.with_name(f"{table.stem}-ladder{kind}") for kind in (".png", ".svg")]
    for out in written:
        figure.savefig(out, dpi=130)
    plt.close(figure)
    return written


if __name__ == "__main__":
    given = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    for picture in (draw(*given), *draw_rungs(*given)):
        print(picture)
