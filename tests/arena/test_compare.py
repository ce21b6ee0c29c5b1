from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from arena.small_runs import CHEAP, LABEL, PERIODS, WORLD, config, described, one_world, other_world, run, scores
from regraft.arena import compare
from regraft.arena.compare import Arena
from regraft.baselines.rates import Rates
from regraft.cost import Cost, Renewal
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError, ResultsError
from regraft.report.results import Results
from regraft.setup.config import ArenaConfig
from regraft.strategies import contender as contender_room
from worlds import tiny_stream


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return run(tmp_path_factory.mktemp("finished") / "run")


# -- what a run leaves -------------------------------------------------------------------------------


def test_every_contender_is_tested_on_all_cases_of_the_next_period(finished: Arena) -> None:
    for cell in finished.cells():
        own = scores(finished).filter(contender=cell.contender.label, update=cell.update, period=cell.update + 1)
        assert own["case"].to_list() == finished.stream.cases(cell.update + 1).targets.tolist()


def test_the_four_files_pass_their_own_check(finished: Arena) -> None:
    results = Results.load(finished.folder)
    assert results.finished
    assert results.cells_done() == results.cells_planned() == 2 * 3
    assert len(results.headline) == 2 * sum(len(finished.stream.cases(u + 1)) for u in finished.updates)


def test_scores_are_those_of_a_contender_renewed_with_the_past_of_the_update(finished: Arena) -> None:
    baseline = Rates(Regime())
    baseline.renew(finished.past(3))
    own = scores(finished).filter(contender="rates", update=3, period=4)["score"]
    np.testing.assert_array_equal(own, baseline.score(finished.stream.cases(4)))


def test_other_periods_are_tested_on_the_slice_only(finished: Arena) -> None:
    stream, table = finished.stream, scores(finished)
    for update in finished.updates:
        for period in range(1, stream.n_periods + 1):
            own = table.filter(contender="rates", update=update, period=period)["case"].to_numpy()
            cases = stream.cases(period).targets
            expected = cases if period == update + 1 else cases[finished.eval_rows[cases]]
            np.testing.assert_array_equal(own, expected)


def test_without_evaluation_rows_the_next_period_is_all_that_is_tested(tmp_path: Path) -> None:
    table = scores(run(tmp_path / "run", config(["rates"], eval_share=0)))
    assert (table["period"] == table["update"] + 1).all()


def test_cases_carry_their_groups_and_their_place_in_the_slice(finished: Arena) -> None:
    cases = pl.read_parquet(finished.folder / "cases.parquet")
    stream = finished.stream
    assert cases["case"].to_list() == stream.targets.tolist()
    assert cases["label"].to_list() == stream.labels.tolist()
    assert cases["eval_row"].to_list() == finished.eval_rows[stream.targets].tolist()
    assert set(cases["user_group"]) <= {"new", "continuing", "dormant"}
    assert cases.filter(pl.col("history") == 0)["user_group"].unique().to_list() == ["new"]


def test_costs_and_notes_of_every_cell_are_kept(finished: Arena) -> None:
    costs = pl.read_parquet(finished.folder / "costs.parquet")
    assert costs.select("contender", "seed", "update").rows() == [
        (name, 0, update) for name in CHEAP for update in finished.updates
    ]
    assert (costs["cpu_seconds"] > 0).all() and (costs["score_cpu_seconds"] > 0).all()
    assert set(costs["forward_passes_per_request"]) == {0}


def test_the_description_says_what_was_run(finished: Arena) -> None:
    found = described(finished)
    assert found["finished"] is True
    assert (found["updates"], found["scored_periods"], found["seeds"]) == ([2, 3, 4], [3, 4, 5], [0])
    assert [c["name"] for c in found["contenders"]] == list(CHEAP)
    assert found["stream"]["fingerprint"] == finished.stream.fingerprint
    assert found["base"] is None


def test_baselines_run_once_for_the_first_seed_and_strategies_for_each(tmp_path: Path) -> None:
    arena = Arena(config(["rates", "never"], seeds=[4, 7], last_update=3), tmp_path / "run")
    found = [(cell.contender.label, cell.seed, cell.update) for cell in arena.cells()]
    assert found == [
        ("rates", 4, 2), ("rates", 4, 3), ("never", 4, 2), ("never", 4, 3), ("never", 7, 2), ("never", 7, 3),
    ]  # fmt: skip


# -- what contenders are handed ------------------------------------------------------------------------


class Spy:
    """A baseline that remembers what it was handed."""

    seen: list[tuple[str, Stream]]

    def __init__(self, regime: Regime, seed: int = 0) -> None:
        type(self).seen = []

    def renew(self, past: Stream) -> Renewal:
        self.seen.append(("renew", past))
        return Renewal(Cost())

    def score(self, cases: Stream) -> np.ndarray:
        self.seen.append(("score", cases))
        return np.zeros(len(cases))

    def arrays(self) -> dict[str, np.ndarray]:
        return {}


def with_contender(monkeypatch: pytest.MonkeyPatch, contender: type) -> None:
    monkeypatch.setattr(contender_room, "plugin_class", lambda kind, use: contender)


def test_a_contender_is_handed_views_that_end_before_the_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_contender(monkeypatch, Spy)
    arena = run(tmp_path / "run", config(["rates"]))
    pasts = [view for what, view in Spy.seen if what == "renew"]
    for update, past in zip(arena.updates, pasts, strict=True):
        assert past.time[-1] < arena.stream.cuts[update]
        assert len(past.time) == np.searchsorted(arena.stream.time, arena.stream.cuts[update])


def test_cases_end_with_the_period_they_belong_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_contender(monkeypatch, Spy)
    arena = run(tmp_path / "run", config(["rates"]))
    for what, view in Spy.seen:
        if what == "score":
            (period,) = set(view.period[view.targets].tolist())
            assert view.time[-1] < arena.stream.cuts[period]


def test_a_gap_hides_the_newest_rows_from_the_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_contender(monkeypatch, Spy)
    data = {"drift_world": WORLD, "label": LABEL, "periods": {**PERIODS, "gap": "6h"}}
    arena = run(tmp_path / "run", config(["rates"], data=data))
    for update, past in zip(arena.updates, [v for w, v in Spy.seen if w == "renew"], strict=True):
        assert past.time[-1] < arena.stream.cuts[update] - 6 * 3_600_000


def test_evaluation_rows_are_never_handed_out_as_examples_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_contender(monkeypatch, Spy)
    arena = run(tmp_path / "run", config(["rates"]))
    pasts = [view for what, view in Spy.seen if what == "renew"]
    assert all(not arena.eval_rows[past.targets].any() for past in pasts)
    for update, past in zip(arena.updates, pasts, strict=True):
        whole = arena.stream.until(update + 1)
        assert len(past) + int(arena.eval_rows[whole.targets].sum()) == len(whole)


def test_evaluation_rows_hold_about_its_share_and_does_not_depend_on_later_rows() -> None:
    stream = one_world()
    found = [Arena(config(), Path("unused"), s).eval_rows for s in (stream, stream.until(4))]
    np.testing.assert_array_equal(found[0][: len(found[1])], found[1])
    assert 0.05 < found[0].mean() < 0.15


@pytest.mark.parametrize(
    ("drops", "found"), [(True, "349 scores for 352 cases, 0"), (False, "352 scores for 352 cases, 3")]
)
def test_a_case_without_a_finite_score_stops_the_run(
    drops: bool, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(Spy):
        def score(self, cases: Stream) -> np.ndarray:
            return np.zeros(len(cases) - 3) if drops else np.where(np.arange(len(cases)) < 3, np.nan, 0.0)

    with_contender(monkeypatch, Fails)
    arena = Arena(config(["rates"]), tmp_path / "run")
    with pytest.raises(ResultsError) as caught:
        list(arena.run())
    assert str(caught.value) == (
        f"rates, seed 0, update 2, period 3: {found} not finite\nExpected one finite log-odds per case"
    )
    assert not arena.cells()[0].folder(arena.folder).exists()


def test_a_period_without_cases_costs_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    days = [
        f"u{n}:{item}{sign}@{d}d"
        for d in (0, 1, 3, 4)
        for n, (item, sign) in enumerate(zip("abab", "+--+", strict=True))
    ]
    stream = tiny_stream(" ".join(days), Periods(by="calendar", every="1d"))
    assert [len(stream.cases(p)) for p in range(1, 6)] == [4, 4, 0, 4, 4]
    arena = run(tmp_path / "run", config(["rates", "item-knn"], first_update=1, eval_share=0), stream)
    assert sorted(set(scores(arena)["update"])) == [1, 3, 4]
    assert described(arena)["finished"] is True


def test_an_update_without_any_example_is_refused_in_words(tmp_path: Path) -> None:
    stream = tiny_stream("a:x+@0d b:x-@0d a:y+@1d", Periods(by="calendar", every="1d"))
    arena = Arena(config(["rates"], first_update=1), tmp_path / "run", stream.in_periods(2, 2))
    with pytest.raises(DataError) as caught:
        list(arena.run())
    assert str(caught.value) == (
        "update 1: there is no example before its cut\nExpected examples to learn from\n"
        "Set first_update to a later period"
    )


# -- going on --------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    arena = run(tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (arena.folder / "cells").rglob("*")}
    content = (arena.folder / "scores.parquet").read_bytes()
    again = list(Arena(config(), tmp_path / "run").run())
    assert [renewal for _, renewal in again] == [None] * 6
    assert {path: path.stat().st_mtime_ns for path in (arena.folder / "cells").rglob("*")} == before
    assert (arena.folder / "scores.parquet").read_bytes() == content


def test_a_budget_ends_the_run_between_cells_and_the_next_run_goes_on(
    tmp_path: Path, finished: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(compare.time, "monotonic", lambda: float(next(clock)))  # a second a look
    arena = Arena(config(), tmp_path / "run")
    done = list(arena.run(budget=2.5))
    assert [cell.update for cell, _ in done] == [2, 3]
    assert described(arena)["finished"] is False
    assert Results.load(arena.folder).cells_done() == 2
    again = list(Arena(config(), tmp_path / "run").run())
    assert [renewal is None for _, renewal in again] == [True, True, False, False, False, False]
    assert described(arena)["finished"] is True
    assert scores(arena).equals(scores(finished))


def test_a_budget_of_nothing_leaves_a_description_and_no_scores(tmp_path: Path) -> None:
    arena = Arena(config(), tmp_path / "run")
    assert list(arena.run(budget=-1.0)) == []
    assert described(arena)["finished"] is False
    assert not (arena.folder / "scores.parquet").exists()
    assert Results.load(arena.folder).cells_done() == 0


# -- a folder belongs to one run ---------------------------------------------------------------------------


def claimed(folder: Path, found: ArenaConfig, stream: Stream | None = None) -> str:
    with pytest.raises(ResultsError) as caught:
        list(Arena(found, folder, stream).run())
    return str(caught.value)


def test_another_configuration_in_the_same_folder_is_refused(finished: Arena) -> None:
    assert claimed(finished.folder, config(regime="frozen", eval_share=0.2)) == (
        f"run folder '{finished.folder}': holds another run: regime, eval_share differ\n"
        "Expected the configuration it was begun with, or an empty folder\n"
        "Choose another folder with: --out DIR"
    )


def test_other_data_under_the_same_configuration_are_refused(finished: Arena) -> None:
    assert "holds another run: the rows of the data differ" in claimed(finished.folder, config(), other_world())


def test_another_text_in_the_same_template_file_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "mine.jinja"
    answers = "{% block yes %} Yes{% endblock %}{% block no %} No{% endblock %}"
    text = "{% block head %}Verdicts:{% endblock %}{% block event %}{{ item.title }}:{% endblock %}" + answers
    template.write_text(text)
    run(tmp_path / "run", config(template=str(template)))
    template.write_text(text.replace("title }}:", "title }} -"))
    message = claimed(tmp_path / "run", config(template=str(template)))
    assert "holds another run: the text of the template differ" in message


def test_contenders_and_seeds_may_be_added_and_left_out(tmp_path: Path) -> None:
    run(tmp_path / "run", config(["rates"]))
    both = list(Arena(config(["rates", "popularity"], seeds=[0, 1], name="more"), tmp_path / "run").run())
    assert [(cell.contender.label, renewal is None) for cell, renewal in both] == [
        *[("popularity", False)] * 3, *[("rates", True)] * 3,
    ]  # fmt: skip
    arena = run(tmp_path / "run", config(["popularity"]))
    assert scores(arena)["contender"].unique().to_list() == ["popularity"]


def test_a_name_that_was_once_used_keeps_its_meaning(tmp_path: Path) -> None:
    short = {"use": "popularity", "settings": {"half_life": 3}}
    run(tmp_path / "run", config(["rates", "popularity"]))
    assert "holds another run: contender popularity differ" in claimed(tmp_path / "run", config(["rates", short]))
    run(tmp_path / "run", config(["rates"]))  # popularity is left out once ...
    assert "contender popularity differ" in claimed(tmp_path / "run", config([short]))  # ... and still known
    run(tmp_path / "run", config([{**short, "name": "popularity-3d"}]))


@pytest.mark.parametrize(
    ("content", "found"),
    [("{", "cannot be read: Expecting property name"), ("{}", "lacks an entry"), ("[]", "lacks an entry")],
)
def test_a_damaged_claim_is_refused(content: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "claim.json").write_text(content)
    message = claimed(tmp_path, config())
    assert message.startswith(f"{tmp_path / 'claim.json'}: {found}")
    assert message.endswith("Choose another folder with: --out DIR")
