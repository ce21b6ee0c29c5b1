"""The verdict: which decision follows from which bounds, and how it is said."""

from __future__ import annotations

from dataclasses import replace
from string import Formatter
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pilot.worlds import people, plan
from regraft.pilot.analyse import Analysis, Effect, analyse
from regraft.pilot.evidence import Evidence
from regraft.pilot.sample_ratio import sample_ratio
from regraft.pilot.settings import Plan
from regraft.pilot.terms import Terms
from regraft.pilot.verdict import check, users_needed, verdict
from regraft.pilot.windows import DAY
from regraft.pilot.words import PHRASES, closed_up
from regraft.state.pilots import Pilot

NAN = float("nan")


def effect(metric: str, low: float, high: float, role: str = "primary", n: int = 1000) -> Effect:
    """A metric whose control value is 1, with these bounds."""
    middle = (low + high) / 2
    return Effect(metric, role, "", n, n, 1.0, 1 + middle, middle, low, high, low, high, 0.5, 2.0, 0.5)


def found(primary: tuple[float, float], guardrail: tuple[float, float] | None = None, n: int = 1000,
          days: float = 14.0, **changed: Any) -> Analysis:  # fmt: skip
    settings = plan(minimum_lift=0.05, guardrails={"return": 0.02} if guardrail else {}, **changed)
    effects = [effect("visits", *primary, n=n)]
    effects += [effect("return", *guardrail, "guardrail", n)] if guardrail else []
    return Analysis(settings, tuple(effects), sample_ratio(n, n), days)


@pytest.mark.parametrize(
    ("primary", "guardrail", "decision", "reasons"),
    [
        ((0.01, 0.09), (-0.01, 0.03), "roll-out", ["primary better", "guardrail kept"]),
        ((0.01, 0.04), None, "roll-out", ["primary better"]),
        ((0.01, 0.09), (-0.09, -0.03), "stop", ["primary better", "guardrail broken"]),
        ((-0.09, -0.01), None, "stop", ["primary worse"]),
        ((-0.02, 0.04), None, "stop", ["primary too small"]),
        ((0.0, 0.09), None, "extend", ["primary unclear"]),
        ((0.01, 0.09), (-0.02, 0.03), "extend", ["primary better", "guardrail unclear"]),
        ((NAN, NAN), None, "extend", ["no variation"]),
    ],
)
def test_bounds_decide(primary: Any, guardrail: Any, decision: str, reasons: list[str]) -> None:
    said = verdict(found(primary, guardrail, n=900))
    assert said.decision == decision
    assert [key for key, _ in said.said][:-1] == reasons


def test_where_less_is_better_bounds_are_turned() -> None:
    better = found((-0.09, -0.01), lower_is_better=("visits",))
    assert verdict(better).decision == "roll-out"
    assert verdict(found((0.01, 0.09), lower_is_better=("visits",))).decision == "stop"


def test_a_broken_split_stops_whatever_the_numbers_say() -> None:
    broken = replace(found((0.01, 0.09)), sample_ratio=sample_ratio(1000, 1300))
    assert verdict(broken).decision == "stop"
    assert verdict(broken).sentences() == [
        "Stop the pilot.",
        "The arms have 1,000 and 1,300 users; a fair split gives such a difference less than once in 1,000 pilots. "
        "Assignment or logging is broken, so no number here can be trusted.",
        "What would change it: find the cause, mend it, and begin again with new users.",
    ]


def test_a_segment_that_loses_while_everybody_wins_is_named_where_the_correction_leaves_it() -> None:
    gains = found((0.01, 0.09))
    for adjusted, named in ((0.01, True), (0.2, False)):
        loses = replace(effect("visits", -0.2, -0.1), segment="new", adjusted=adjusted)
        said = verdict(replace(gains, effects=(*gains.effects, loses)))
        assert said.decision == "roll-out"
        sentence = "In the segment new visits is worse in the treatment: -15.0 % [-20.0 %, -10.0 %], corrected for all"
        assert any(one.startswith(sentence) for one in said.sentences()) == named


def test_before_a_whole_week_nothing_is_rolled_out_but_harm_stops() -> None:
    assert verdict(found((0.01, 0.09), days=6.9)).decision == "extend"
    assert verdict(found((-0.09, -0.01), days=6.9)).decision == "stop"


def test_at_the_planned_size_an_open_question_is_extended_where_that_settles_it_and_stopped_where_not() -> None:
    near = verdict(found((-0.001, 0.2)))
    assert near.decision == "extend"
    key, values = near.said[-1]
    assert key == "needs"
    assert 1000 < values["n"] <= 2000
    assert verdict(found((-0.09, 0.1))).decision == "stop"


def test_users_needed_are_the_fewest_after_which_the_bound_passes() -> None:
    copies = people(2000, seed=3, visits=0.3)
    open_question = check(analyse(copies, plan()).primary, plan())
    needed = int(users_needed(open_question, plan()))
    assert not open_question.passed
    assert needed > 1000
    for times, passes in ((needed // 1000, False), (needed // 1000 + 1, True)):  # copies keep estimate and spread
        again = pl.concat([copies.with_columns(uid=pl.col("uid") + f"-{k}") for k in range(times)])
        assert check(analyse(again, plan()).primary, plan()).passed == passes


def test_a_real_lift_with_its_guardrail_kept_is_said_in_both_languages() -> None:
    said = verdict(found((0.01, 0.09), (-0.01, 0.03)))
    assert said.sentences() == [
        "Roll out.",
        "visits is better in the treatment: +5.0 % [+1.0 %, +9.0 %].",
        "return keeps its margin: +1.0 % [-1.0 %, +3.0 %], at most 2 % may be lost.",
        "What would change it: nothing in these numbers; keep a holdout to see whether it lasts.",
    ]
    assert said.sentences("ja")[:2] == [
        "全体に展開してください。",
        "visits は処置群の方が良くなりました（+5.0 % [+1.0 %, +9.0 %]）。",
    ]


@given(st.floats(-0.2, 0.2), st.floats(0, 0.2), st.floats(-0.2, 0.2), st.floats(0, 0.2), st.integers(200, 4000))
def test_only_what_pays_and_keeps_its_margin_is_rolled_out(a: float, b: float, c: float, d: float, n: int) -> None:
    said = verdict(found((a, a + b), (c, c + d), n))
    assert (said.decision == "roll-out") == (a > 0 and c > -0.02)
    for lang in ("en", "ja"):
        assert all(said.sentences(lang))


def test_both_languages_fill_in_the_same_values() -> None:
    def names(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text)} - {None}

    for key, (english, japanese) in PHRASES.items():
        assert names(english) == names(japanese), key


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"others": ("visits",)}, "visits has two roles"),
        ({"lower_is_better": ("complaints",)}, "complaints is not a metric of this plan"),
        ({"guardrails": {"ctr": -0.1}}, "the margin of ctr is not a share from 0 to 1"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Plan(**({"primary": "visits", "minimum_lift": 0.1, "n": 1000, "weeks": 2} | changed))


def test_a_japanese_name_leaves_no_blank_before_its_particle_and_a_latin_one_keeps_its_own():
    assert closed_up("一人あたりのクリック は 12 % 増") == "一人あたりのクリックは 12 % 増"
    assert closed_up("CTR は増えました") == "CTR は増えました"


def evidence(entered: tuple[int, int], days: int) -> Evidence:
    """Of a pilot in which so many entered, `days` days after it began; the treatment is better."""
    terms = Terms(control="a", treatment="b", plan=plan(weeks=1, n=500), designed="")
    pilot = Pilot(1, "one", "salt", "running", 1.0, {}, 0, None)
    frame, arms = people(4000, visits=0.5), dict(zip(("control", "treatment"), entered, strict=True))
    served = {"control": (), "treatment": ()}
    return Evidence(pilot, terms, days * DAY, frame, frame, arms, 0, served, 0, 0.0, {})


def test_a_split_that_is_broken_among_all_who_entered_stops_a_pilot() -> None:
    broken = evidence((5000, 5600), 14)
    assert broken.sample_ratio.mismatch
    assert broken.verdict.decision == "stop"


def test_a_pilot_of_one_week_can_be_decided_at_its_end() -> None:
    assert evidence((2000, 2000), 13).verdict.decision == "extend"
    assert evidence((2000, 2000), 14).verdict.decision == "roll-out"
