"""Draws a results table as a picture: `python bench/figure.py docs/results/NAME.csv` writes NAME.png."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import polars as pl

COLOURS = {"baseline": "#0072B2", "strategy": "#D55E00"}  # Okabe and Ito; shape differs too
MARKS = {"baseline": "o", "strategy": "s"}
NAMES = {"baseline": "classical baseline", "strategy": "language model"}


def draw(table: Path) -> Path:
    """AUC and UAUC with 95 % intervals, best AUC on top."""
    rows = pl.read_csv(table).sort("auc")
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


if __name__ == "__main__":
    print(draw(Path(sys.argv[1])))
