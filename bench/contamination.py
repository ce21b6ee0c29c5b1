"""What it does to a pilot when both arms learn from both: the measured lift beside the true one, by slice.

    python bench/contamination.py [--seeds 20] [--out docs/results]

In the closed-loop drift world two policies are renewed every night from the rows of the last seven days: the control
shows what was clicked most often, the treatment what was clicked most per time shown, with the benefit of the doubt for
what was hardly shown. The true lift compares two worlds of the same people: one in which everybody is served (and everything
is learnt from) by the treatment, one by the control. Then a pilot of half and half is lived under each slice of
regraft.data.sides. An error below 0 says that the pilot shows less than is true.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from common import ROOT
from scipy.stats import t

from regraft.data.assign import TREATMENT, arm
from regraft.data.drift_world_life import Visits
from regraft.data.drift_world_loop import ClosedLoop
from regraft.data.drift_world_settings import DAY, START, DriftWorld
from regraft.data.sides import SLICES, Side, contaminated, seen_from
from regraft.files import write_text

COLUMNS = ("measure", "mean", "low", "high", "n")
OPENS, DAYS, MEMORY, SLOTS = 9, 14, 7, 8
BEGUN = START + (OPENS - 1) * DAY
Policy = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (times clicked, times shown) by item -> worth by item


def control(clicked: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return clicked


def treatment(clicked: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return (clicked + 10.0) / (shown + 20.0)


POLICIES: dict[str, Policy] = {"control": control, "treatment": treatment}


def world(seed: int) -> DriftWorld:
    return DriftWorld(
        users=2500, items=300, periods=OPENS + DAYS, seed=seed, churn=0.02, visits=0.7, from_start=1.0,
        taste_change_at=None,
    )  # fmt: skip


def best(rows: pl.DataFrame, policy: Policy, items: int) -> np.ndarray:
    """The items that a policy shows after it has learnt from the rows."""
    code = rows["item"].to_numpy()
    clicked = np.bincount(code, weights=rows["click"].to_numpy(), minlength=items)
    return np.argsort(-policy(clicked, np.bincount(code, minlength=items)), kind="stable")[:SLOTS]


def lived(seed: int, arm_of: Callable[[str], str], slice_: str) -> pl.DataFrame:
    """All rows of a pilot: uid, arm, time, item, click."""
    loop = ClosedLoop(world(seed), OPENS)
    arms = [arm_of(who) for who in loop.user_ids]
    treated = np.array([one == TREATMENT for one in arms])
    said = loop.history.interactions.sort("timestamp").select(
        uid="user_id", arm=pl.lit(None, pl.String), time="timestamp",
        item=pl.col("item_id").replace_strict(loop.item_codes, return_dtype=pl.Int64), click=pl.col("event") == "click",
    )  # fmt: skip
    rows = said.with_row_index("row_id").with_columns(pl.col("row_id").cast(pl.Int64))
    for day in range(DAYS):
        recent = rows.filter(pl.col("time").dt.epoch("ms") >= BEGUN + (day - MEMORY) * DAY)
        shown = {}
        for name, policy in POLICIES.items():
            seen = seen_from(recent.with_columns(example=pl.lit(True)), Side(name, slice_, BEGUN))
            shown[name] = best(seen.filter("example"), policy, len(loop.item_codes))
        lists = np.stack([shown["control"], shown["treatment"]])
        told = loop.step(lambda who, _, lists=lists: lists[treated[who].astype(int)])
        rows = pl.concat([rows, _rows(told, loop.user_ids, arms, len(rows))])
    return rows


def _rows(of: Visits, users: Sequence[str], arms: Sequence[str], first: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row_id": np.arange(first, first + len(of.user)), "uid": [users[k] for k in of.user],
            "arm": [arms[k] for k in of.user], "time": of.time + START, "item": of.item.astype(np.int64),
            "click": of.click,
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("ms", "UTC")))  # fmt: skip


def ctr(rows: pl.DataFrame, of: str) -> float:
    """Clicks per item shown to an arm, from its second day on: the first one is the same past for all."""
    later = pl.col("time").dt.epoch("ms") >= BEGUN + DAY
    return float(rows.filter(later & (pl.col("arm") == of))["click"].mean())  # type: ignore[arg-type]


def measured(seed: int) -> dict[str, float]:
    """Lifts in percent, and errors in points of them."""
    alone = {name: ctr(lived(seed, lambda _, name=name: name, "shared"), name) for name in POLICIES}
    true = 100 * (alone["treatment"] / alone["control"] - 1)
    found = {"true lift": true}
    for slice_ in SLICES:
        rows = lived(seed, lambda who: arm(f"pilot {seed}", who), slice_)
        lift = 100 * (ctr(rows, "treatment") / ctr(rows, "control") - 1)
        found |= {f"{slice_}: lift shown": lift, f"{slice_}: error": lift - true}
        if slice_ == "shared":
            found["shared: rows of the control's update that are the treatment's"] = 100 * contaminated(rows, BEGUN)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    found = []
    for seed in range(options.seeds):
        found.append(measured(seed))
        print({name: round(value, 1) for name, value in found[-1].items()}, flush=True)
    rows = [_row(name, np.array([one[name] for one in found])) for name in found[0]]
    with (options.out / "contamination.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    words = " ".join((__doc__ or "").split("\n\n", 2)[2].split())
    table = "\n".join("| " + " | ".join(row) + " |" for row in (COLUMNS, ["---"] * len(COLUMNS), *rows))
    title = "What both arms learn from, and what a pilot then shows"
    page = f"# {title}\n\n{words} Lifts in percent, errors in points.\n\n{table}\n"
    write_text(options.out / "contamination.md", page)


def _row(name: str, values: np.ndarray) -> list[str]:
    """Mean over seeds with its 95 % interval."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    middle = values.mean()
    return [name, f"{middle:.1f}", f"{middle - half:.1f}", f"{middle + half:.1f}", str(len(values))]


if __name__ == "__main__":
    main()
