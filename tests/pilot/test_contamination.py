"""What the page of a pilot cites of contamination is what was measured."""

import csv
from pathlib import Path

import pytest

from regraft.data.sides import SLICES
from regraft.pilot.contamination import MEASURED, MIXED, TRUE_LIFT, measured

FILE = Path(__file__).parents[2] / "docs" / "results" / "contamination.csv"


def test_what_is_cited_is_what_was_measured() -> None:
    rows = {row["measure"]: row for row in csv.DictReader(FILE.open())}
    assert float(rows["true lift"]["mean"]) == TRUE_LIFT
    assert float(rows["shared: rows of the control's update that are the treatment's"]["mean"]) == MIXED
    for slice_ in SLICES:
        error = rows[f"{slice_}: error"]
        told = [float(rows[f"{slice_}: lift shown"]["mean"]), *(float(error[k]) for k in ("mean", "low", "high", "n"))]
        assert list(MEASURED[slice_]) == told


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_effect_is_told_with_its_sign_its_size_and_its_source(lang: str) -> None:
    said = measured("shared", lang)
    for words in ("-3.8", "[-7.1, -0.5]", "3.6 %", "-0.3 %", "49.9 %", "docs/results/contamination.md"):
        assert words in said
    assert "+0.3" in measured("own", lang) and "[-10.7, -2.1]" in measured("control-only", lang)
