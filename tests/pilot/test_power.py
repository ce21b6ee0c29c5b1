"""The size of a pilot, from the past: what it promises comes true."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from pilot.worlds import people, plan
from regraft.errors import DataError
from regraft.pilot.analyse import DAY, analyse
from regraft.pilot.people import values
from regraft.pilot.power import design, detectable, spread
from regraft.pilot.terms import Terms


def test_the_detectable_lift_is_seen_in_about_four_of_five_pilots() -> None:
    n = 400
    past = people(20_000, seed=99)
    mean, sigma = spread(values(past, "visits"))
    lift = detectable(n, sigma)
    seen = [analyse(people(2 * n, seed, visits=lift), plan(n=n)).primary.low > 0 for seed in range(100)]
    assert 0.7 <= np.mean(seen) <= 0.9
    assert mean == pytest.approx(4.0, abs=0.1)


def test_the_spread_of_the_past_is_the_one_that_the_analysis_finds() -> None:
    for metric in ("visits", "ctr"):
        past, during = people(20_000, seed=1), people(20_000, seed=2)
        found = analyse(during, plan(others=("ctr",))).effect(metric).sigma
        assert spread(values(past, metric))[1] == pytest.approx(found, rel=0.05)


def test_the_design_is_the_fewest_whole_weeks_that_see_the_lift() -> None:
    past = people(6000, days=42)  # 1,000 new users a week
    found = design(past, "visits", 0.1)
    weeks = found.curve["weeks"].to_list()
    assert weeks == list(range(1, 13))
    assert found.curve["n"].to_list() == pytest.approx([500 * w for w in weeks], rel=0.1)
    reaching = [w for w, lift in found.curve.select("weeks", "lift").rows() if lift <= 0.1]
    assert found.reached
    assert found.weeks == min(reaching)
    assert found.sentence() == (
        f"To see a lift of 10 % in visits with a chance of 80 %, {found.n:,} users per arm are needed: {found.weeks} "
        "weeks in which users enter, and 7 days until the last window ends."
    )
    assert "10 %" in found.sentence("ja")


def test_a_lift_that_no_pilot_sees_is_said_with_the_one_that_is() -> None:
    found = design(people(6000, days=42), "visits", 0.001, weeks=4)
    assert (found.reached, found.weeks) == (False, 4)
    reach = found.curve["lift"].to_list()[-1]
    assert found.sentence().endswith(f"is {100 * reach:.3g} %.")


def test_a_tight_margin_decides_the_size_and_one_out_of_reach_is_said() -> None:
    past = people(6000, days=42)
    alone, both = design(past, "visits", 0.1), design(past, "visits", 0.1, guardrails={"ctr": 0.05})
    kept = both.curve.filter(pl.col("ctr") <= 0.05)["weeks"].min()
    assert alone.weeks < both.weeks == kept
    assert both.sentence().endswith(
        f"The lift alone would be seen in {alone.weeks} weeks; it takes longer to tell whether every margin is kept."
    )
    never = design(past, "visits", 0.1, guardrails={"ctr": 0.0})
    assert not never.reached
    assert never.sentence().startswith("In 12 weeks nobody can tell whether ctr keeps its margin of 0 %;")


@pytest.mark.parametrize("given", [{"minimum_lift": 0.1}, {"minimum_lift": 0.001, "guardrails": {"ctr": 0.05}}])
def test_the_design_is_made_again_from_the_terms_of_a_pilot(given: dict) -> None:
    found = design(people(3000, days=42), "visits", **given)
    curve = found.curve.with_columns(pl.col(pl.Float64).fill_nan(None)).to_dicts()
    sized = plan(n=found.n, weeks=found.weeks, **given)
    terms = Terms(control="stack", treatment="rates", plan=sized, designed="A plan.", curve=tuple(curve))
    again = Terms.model_validate(json.loads(terms.model_dump_json())).design
    assert again is not None and again.curve.equals(found.curve)
    assert [again.sentence(lang) for lang in ("en", "ja")] == [found.sentence(lang) for lang in ("en", "ja")]
    assert terms.model_copy(update={"curve": ()}).design is None


def test_half_the_users_enrolled_are_half_the_users_per_arm_and_too_few_have_no_lift() -> None:
    past = people(6000, days=42)
    whole, part = design(past, "visits", 0.1), design(past, "visits", 0.1, share=0.25)
    assert part.curve["n"].to_list() == pytest.approx([n / 4 for n in whole.curve["n"]], abs=1)
    assert part.curve["n"][0] < 200
    assert np.isnan(part.curve["lift"][0])


@pytest.mark.parametrize(
    ("past", "message"),
    [
        (people(399), "past: has 399 users\nExpected 400 or more, to know how much users differ"),
        (
            people(500).with_columns(visits=pl.lit(0.0)),
            "past: visits is the same for all users, or 0 on average\nExpected a metric that varies",
        ),
    ],
)
def test_a_past_that_says_nothing_is_refused(past: pl.DataFrame, message: str) -> None:
    with pytest.raises(DataError) as refused:
        design(past, "visits", 0.1)
    assert str(refused.value) == message


def test_weeks_beyond_the_past_bring_as_many_as_its_last_whole_week() -> None:
    fading = people(3000, days=14).with_columns(entered=(pl.int_range(pl.len()) * 14 * DAY // 3000).cast(pl.Int64))
    assert design(fading, "visits", 0.001, weeks=4).curve["n"].to_list() == pytest.approx(
        [750, 1500, 2250, 3000], abs=2
    )
