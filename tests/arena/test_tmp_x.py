from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from regraft.arena import compare
from regraft.arena.compare import Arena, Cell
from regraft.arena.config import ArenaConfig
from regraft.arena.results import Results
from regraft.cost import Cost, Renewal
from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import DataError, ResultsError
from worlds import tiny_stream

WORLD = {"users": 60, "items": 30, "periods": 8, "seed": 1}
PERIODS = {"n": 5, "warm_up": 0.3}
CHEAP = ("popularity", "rates")


def config(contenders: Sequence[Any] = CHEAP, **more: Any) -> ArenaConfig:
    data = {"drift_world": WORLD, "label": 'event == "click"', "periods": PERIODS}
    return ArenaConfig.parse({"data": data, "contenders": list(contenders), "first_update": 2, **more})


def run(folder: Path, found: ArenaConfig | None = None, stream: Stream | None = None) -> Arena:
    arena = Arena(found or config(), folder, stream)
    list(arena.run())
    return arena


def scores(arena: Arena) -> pl.DataFrame:
    return pl.read_parquet(arena.folder / "scores.parquet")


def described(arena: Arena) -> dict[str, Any]:
    return dict(json.loads((arena.folder / "run.json").read_text()))


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
    from regraft.baselines.rates import Rates

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
            expected = cases if period == update + 1 else cases[finished.slice[cases]]
            np.testing.assert_array_equal(own, expected)


def test_without_a_slice_the_next_period_is_all_that_is_tested(tmp_path: Path) -> None:
    table = scores(run(tmp_path / "run", config(["rates"], slice=0)))
    assert (table["period"] == table["update"] + 1).all()


def test_cases_carry_their_groups_and_their_place_in_the_slice(finished: Arena) -> None:
    cases = pl.read_parquet(finished.folder / "cases.parquet")
    stream = finished.stream
    assert cases["case"].to_list() == stream.targets.tolist()
    assert cases["label"].to_list() == stream.labels.tolist()
    assert cases["slice"].to_list() == finished.slice[stream.targets].tolist()
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


def with_contender(monkeypatch: pytest.MonkeyPatch, contender: type) -> None:
    monkeypatch.setattr(compare, "plugin", lambda options: contender)


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
    data = {"drift_world": WORLD, "label": 'event == "click"', "periods": {**PERIODS, "gap": "6h"}}
    arena = run(tmp_path / "run", config(["rates"], data=data))
    for update, past in zip(arena.updates, [v for w, v in Spy.seen if w == "renew"], strict=True):
        assert past.time[-1] < arena.stream.cuts[update] - 6 * 3_600_000


def test_rows_of_the_slice_are_never_handed_out_as_examples_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_contender(monkeypatch, Spy)
    arena = run(tmp_path / "run", config(["rates"]))
    pasts = [view for what, view in Spy.seen if what == "renew"]
    assert all(not arena.slice[past.targets].any() for past in pasts)
    for update, past in zip(arena.updates, pasts, strict=True):
        whole = arena.stream.until(update + 1)
        assert len(past) + int(arena.slice[whole.targets].sum()) == len(whole)


def test_the_slice_holds_about_its_share_and_does_not_depend_on_later_rows() -> None:
    stream = built()
    found = [Arena(config(), Path("unused"), s).slice for s in (stream, stream.until(4))]
    np.testing.assert_array_equal(found[0][: len(found[1])], found[1])
    assert 0.05 < found[0].mean() < 0.15


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (np.zeros(3), "3 scores for 345 cases, 0 not finite"),
        (np.full(345, np.nan), "345 scores for 345 cases, 345 not finite"),
    ],
)
def test_a_case_without_a_finite_score_stops_the_run(
    answer: np.ndarray, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Drops(Spy):
        def score(self, cases: Stream) -> np.ndarray:
            return answer

    with_contender(monkeypatch, Drops)
    arena = Arena(config(["rates"]), tmp_path / "run")
    n = len(arena.stream.cases(3))
    with pytest.raises(ResultsError) as caught:
        list(arena.run())
    assert str(caught.value) == (
        f"contender Drops, period 3: {found.replace('345', str(n) if len(answer) > 3 else '345')}"
        "\nExpected one finite log-odds per case"
    )
    assert not arena.cells()[0].folder(arena.folder).exists()


def test_a_period_without_cases_costs_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    days = [f"u{n}:{item}{sign}@{d}d" for d in (0, 1, 3, 4) for n, (item, sign) in enumerate(zip("abab", "+--+"))]
    stream = tiny_stream(" ".join(days), Periods(by="calendar", every="1d"))
    assert [len(stream.cases(p)) for p in range(1, 6)] == [4, 4, 0, 4, 4]
    arena = run(tmp_path / "run", config(["rates", "item-knn"], first_update=1, slice=0), stream)
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
    assert claimed(finished.folder, config(regime="frozen", slice=0.2)) == (
        f"run folder '{finished.folder}': holds another run: regime, slice differ\n"
        "Expected the configuration it was begun with, or an empty folder\n"
        "Choose another folder with: --out DIR"
    )


def test_other_data_under_the_same_configuration_are_refused(finished: Arena) -> None:
    assert "holds another run: the rows of the data differ" in claimed(finished.folder, config(), built(other=True))


def test_another_text_in_the_same_template_file_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "mine.jinja"
    text = "{% block event %}{{ item.title }}:{% endblock %}{% block yes %} Yes{% endblock %}{% block no %} No{% endblock %}"
    template.write_text(text)
    run(tmp_path / "run", config(template=str(template)))
    template.write_text(text.replace("title }}:", "title }} -"))
    message = claimed(tmp_path / "run", config(template=str(template)))
    assert "holds another run: the text of the template differ" in message


def test_contenders_and_seeds_may_be_added_and_left_out(tmp_path: Path) -> None:
    run(tmp_path / "run", config(["rates"]))
    both = list(Arena(config(["rates", "popularity"], seeds=[0, 1], name="more"), tmp_path / "run").run())
    assert [(cell.contender.label, renewal is None) for cell, renewal in both] == [
        *[("rates", True)] * 3, *[("popularity", False)] * 3,
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


# -- no peeking, end to end ----------------------------------------------------------------------------------

CUT = 4  # every row of this and later periods is replaced


def built(other: bool = False) -> Stream:
    """The stream of `config()`, or one in which all rows from CUT on are different: labels turned, users and items
    dealt anew and partly unheard of, times shuffled (none moves before the cut, and periods stay as they are)."""
    world = simulate(DriftWorld(**WORLD))
    log, periods = world.interactions, Periods(**PERIODS)
    stream = build_stream(log, world.items, 'event == "click"', periods, name="drift-world")
    if not other:
        return stream
    rng = np.random.default_rng(5)
    later = (log["timestamp"].dt.epoch("ms") >= stream.cuts[CUT - 1]).to_numpy()
    n = int(later.sum())
    end = log.filter(later)

    def dealt(column: str) -> pl.Series:
        known = end[column].sample(n, shuffle=True, seed=1)
        return pl.select(
            pl.when(pl.lit(pl.Series(rng.uniform(size=n) < 0.2))).then(pl.lit(f"new {column}")).otherwise(known)
        )["literal"].alias(column)

    changed = end.with_columns(
        dealt("user_id"),
        dealt("item_id"),
        end["timestamp"].sample(n, shuffle=True, seed=2),
        event=pl.when(pl.col("event") == "click").then(pl.lit("skip")).otherwise(pl.lit("click")),
    )
    changed = changed.sort("timestamp", maintain_order=True).with_columns(line=end["line"])
    return build_stream(
        pl.concat([log.filter(~later), changed]), world.items, 'event == "click"', periods, name="drift-world"
    )


def test_the_other_world_differs_after_the_cut_only() -> None:
    one, other = built(), built(other=True)
    end = int(np.searchsorted(one.period, CUT))
    assert one.cuts == other.cuts and len(one.time) == len(other.time)
    for name in ("user", "item", "label", "time", "period"):
        np.testing.assert_array_equal(getattr(one, name)[:end], getattr(other, name)[:end])
    assert np.mean(one.label[end:] != other.label[end:]) > 0.3
    assert np.mean(one.item[end:] != other.item[end:]) > 0.9
    assert len(one.items) != len(other.items)


def before_the_cut(arena: Arena) -> pl.DataFrame:
    """Scores of models renewed before the cut on periods before it."""
    table = scores(arena).filter(pl.col("update") < CUT, pl.col("period") < CUT)
    assert set(table["update"]) == {2, 3} and set(table["period"]) == {1, 2, 3}
    return table


@pytest.mark.parametrize("regime", ["fresh", "delayed 6h", "frozen", "paper"])
def test_no_baseline_score_depends_on_a_later_row(regime: str, tmp_path: Path) -> None:
    few = {"use": "boosting", "settings": {"rounds": 20}}
    names = ["popularity", "rates", "item-knn", few, *(["stack"] if regime == "fresh" else [])]
    found = config(names, last_update=3, regime=regime)
    tables = [before_the_cut(run(tmp_path / n, found, built(n == "other"))) for n in ("one", "other")]
    assert len(tables[0]) > 1000
    assert tables[0].equals(tables[1])


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Arena, Arena]:
    """Strategies on a very small base in one world and in the other."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    strategies = [{"use": "replay", "calibration": "logistic"}, "lsat-ensemble", "full-retrain"]
    found = config(
        strategies,
        last_update=3,
        base={"nano": {"vocabulary": 400, "width": 32, "heads": 2, "layers": 1, "epochs": 1}},
        timeline={"context": 2, "targets": 10},
        adapter={"rank": 2},
        fit={"epochs": 1},
    )
    folder = tmp_path_factory.mktemp("adapted")
    return run(folder / "one", found, built()), run(folder / "other", found, built(other=True))


def test_no_strategy_score_depends_on_a_later_row(adapted: tuple[Arena, Arena]) -> None:
    one, other = (before_the_cut(arena) for arena in adapted)
    assert len(one) > 1000
    assert one.equals(other)


def test_neither_does_the_base_model(adapted: tuple[Arena, Arena]) -> None:
    """Both worlds asked for the same base: it is named by all it is made from."""
    assert len(list(adapted[0].folder.parent.glob("nano-*"))) == 1


def test_the_scores_of_strategies_differ_and_every_case_has_one(adapted: tuple[Arena, Arena]) -> None:
    results = Results.load(adapted[0].folder)
    assert results.finished
    assert results.headline.group_by("update", "case").agg(pl.col("score").n_unique())["score"].max() == 3


def test_work_that_two_strategies_share_runs_once_and_is_charged_to_both(adapted: tuple[Arena, Arena]) -> None:
    costs = pl.read_parquet(adapted[0].folder / "costs.parquet").filter(update=2)
    long = costs.filter(contender="full-retrain").row(0, named=True)
    both = costs.filter(contender="lsat-ensemble").row(0, named=True)
    for name in ("cpu_seconds", "tokens_backward", "targets_trained", "flops"):
        assert both[name] > long[name] > 0  # long-term and short-term, the first kept since replay asked for it
    assert long["score_cpu_seconds"] > 0.001
    assert (long["forward_passes_per_request"], both["forward_passes_per_request"]) == (1, 2)


def test_decisions_of_a_strategy_stand_in_the_notes(adapted: tuple[Arena, Arena]) -> None:
    costs = pl.read_parquet(adapted[0].folder / "costs.parquet")
    assert costs.filter(contender="lsat-ensemble", update=2)["notes"][0] == "weight of the long-term adapter: 0.5"
    assert "calibration logistic: weight" in costs.filter(contender="replay+logistic", update=3)["notes"][0]


def test_a_strategy_goes_on_from_its_saved_blend_with_the_same_scores(adapted: tuple[Arena, Arena]) -> None:
    import shutil

    arena = adapted[0]
    before = scores(arena)
    for contender in arena.config.contenders:
        shutil.rmtree(Cell(contender, 0, 3).folder(arena.folder))
    shutil.rmtree(arena.folder / "kept")  # so that nothing is remembered but the blends
    again = Arena(arena.config, arena.folder, arena.stream)
    assert [renewal is None for _, renewal in again.run()] == [True, False] * 3
    found = scores(again)
    d=found.join(before,on=["contender","seed","update","period","case"]).with_columns(d=(pl.col("score")-pl.col("score_right")).abs())
    print(d.group_by("contender","update","period").agg(pl.col("d").max(), pl.len()).sort("contender","update","period"))
    assert 0
