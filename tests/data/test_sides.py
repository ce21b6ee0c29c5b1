"""What each arm learns from, counted by hand."""

import polars as pl
import pytest

from regraft.data.sides import Side, alone, arms_since, contaminated, hears, keeps_alone, seen_from

DAY = 86_400_000
BEGUN = 10 * DAY


@pytest.fixture
def rows() -> pl.DataFrame:
    """c is in the control, t1 and t2 are in the treatment, n is in none; all were there before the pilot."""
    said = [(who, -1.0, None) for who in ("c", "t1", "t2", "n")]
    said += [("c", 0.1, "control"), ("t1", 0.2, "treatment"), ("t2", 0.3, "treatment"), ("n", 0.4, "champion")]
    said += [("c", 1.1, "control"), ("c", 1.2, None), ("t1", 1.3, "treatment"), ("t2", 1.4, None), ("n", 1.5, None)]
    frame = pl.DataFrame(said, ["uid", "day", "arm"], orient="row", schema_overrides={"arm": pl.String})
    time = (BEGUN + pl.col("day") * DAY).cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
    return frame.with_row_index("row_id").with_columns(pl.col("row_id").cast(pl.Int64), time=time)


def who(rows: pl.DataFrame, examples: bool = False) -> list[str]:
    since = rows.filter((pl.col("day") > 0) & (pl.col("example") if examples else pl.lit(True)))
    return sorted(since["uid"].to_list())


def test_everybody_has_the_arm_of_their_first_list(rows: pl.DataFrame) -> None:
    assert dict(arms_since(rows, BEGUN).rows()) == {"c": "control", "t1": "treatment", "t2": "treatment"}


def test_on_its_own_side_an_arm_sees_nothing_of_the_other_since_the_pilot_began(rows: pl.DataFrame) -> None:
    control, treatment = (seen_from(rows, Side(arm, "own", BEGUN)) for arm in ("control", "treatment"))
    assert who(control) == ["c", "c", "c", "n", "n"]
    assert who(treatment) == ["n", "n", "t1", "t1", "t2", "t2"]
    for one in (control, treatment):
        assert sorted(one.filter(pl.col("day") < 0)["uid"]) == ["c", "n", "t1", "t2"]


def test_both_arms_learn_from_equally_many_rows_of_every_day(rows: pl.DataFrame) -> None:
    sides = [seen_from(rows, Side(arm, "own", BEGUN)) for arm in ("control", "treatment")]
    counts = [
        one.filter(pl.col("example") & (pl.col("uid") != "n") & (pl.col("day") > 0))
        .group_by(pl.col("day").floor()).len().sort("day")["len"].to_list()
        for one in sides
    ]  # fmt: skip
    assert counts == [[1, 2], [1, 2]]
    assert who(sides[1]) == ["n", "n", "t1", "t1", "t2", "t2"]  # what is left out is history still


def test_under_control_only_no_row_of_the_treatment_counts_on_either_side(rows: pl.DataFrame) -> None:
    control, treatment = (seen_from(rows, Side(arm, "control-only", BEGUN)) for arm in ("control", "treatment"))
    assert control.equals(treatment)
    assert who(control) == ["c", "c", "c", "n", "n"]
    assert sorted(control.filter(pl.col("day") < 0)["uid"]) == ["c", "n", "t1", "t2"]


def test_under_control_only_the_treatment_knows_whom_it_serves_by_their_own_rows_alone(rows: pl.DataFrame) -> None:
    sides = [Side(arm, of, BEGUN) for arm in ("control", "treatment") for of in ("own", "control-only", "shared")]
    kept = {(side.arm, side.slice): who(alone(rows, side)) for side in sides}
    assert kept.pop(("treatment", "control-only")) == ["t1", "t1", "t2", "t2"]
    assert not any(kept.values()) and alone(rows, None).is_empty()
    side = Side("treatment", "control-only", BEGUN)
    assert [(hears(side, arm), keeps_alone(side, arm)) for arm in ("control", "treatment", "champion")] == [
        (True, False), (True, True), (True, False),
    ]  # fmt: skip
    assert not hears(Side("control", "control-only", BEGUN), "treatment")


def test_shared_is_the_log_as_it_is_and_says_how_much_of_it_is_the_treatment_s(rows: pl.DataFrame) -> None:
    assert seen_from(rows, Side("control", "shared", BEGUN)).equals(rows)
    assert seen_from(rows, None).equals(rows)
    assert contaminated(rows, BEGUN) == pytest.approx(4 / 9)


def test_a_later_day_takes_nothing_back_of_an_earlier_one(rows: pl.DataFrame) -> None:
    early = rows.filter(pl.col("day") < 1)
    for arm in ("control", "treatment"):
        whole = seen_from(rows, Side(arm, "own", BEGUN)).filter(pl.col("day") < 1)
        assert seen_from(early, Side(arm, "own", BEGUN)).equals(whole)
