from pathlib import Path

import polars as pl
import pytest

from regraft.errors import ResultsError
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import markdown_table, summarise, verdict
from report.synthetic_results import DEFAULT, Player, unfinish, write_results

SMALL = {"n_users": 20, "rows_per_period": 40, "n_periods": 4, "first_update": 2, "seeds": (0, 1)}
TWO = (Player("never", frozen=True), Player("rates", "baseline"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_results(tmp_path / "run", TWO, **SMALL)


def rewrite(path: Path, change: pl.DataFrame) -> None:
    change.write_parquet(path)


def test_a_finished_run_has_every_planned_cell(folder: Path) -> None:
    results = Results.load(folder)
    assert results.finished
    assert results.cells_done() == results.cells_planned() == 2 * (2 + 1)  # baselines run with one seed


def test_headline_rows_are_all_cases_of_the_period_after_the_update(folder: Path) -> None:
    headline = Results.load(folder).headline
    assert (headline["period"] == headline["update"] + 1).all()
    counts = headline.group_by("contender", "seed", "update").len()["len"]
    assert set(counts) == {40}


def test_rows_that_can_be_compared_everywhere_are_those_nothing_was_trained_on(folder: Path) -> None:
    results = Results.load(folder)
    assert results.by_cell["eval_row"].all()
    assert set(results.by_cell["period"].unique()) == {1, 2, 3, 4}


def test_without_such_rows_the_prequential_cells_are_left(tmp_path: Path) -> None:
    results = Results.load(write_results(tmp_path / "run", TWO, **SMALL, slice_share=0.0))
    assert (results.by_cell["period"] == results.by_cell["update"] + 1).all()
    assert results.by_cell.height == results.headline.height


def test_the_configuration_says_which_plugin_a_contender_is(tmp_path: Path) -> None:
    players = (Player("mine", use="full-retrain"), Player("never+stack", use=""))
    results = Results.load(write_results(tmp_path / "run", players, **SMALL))
    assert results.uses["mine"] == "full-retrain"


def test_without_a_configuration_the_name_up_to_the_plus_does(folder: Path) -> None:
    results = Results.load(folder)
    bare = Results(folder, {**results.run, "config": None}, results.cases, results.scores, results.costs)
    assert bare.uses == {"never": "never", "rates": "rates"}


def test_a_folder_without_a_run_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ResultsError) as caught:
        Results.load(tmp_path)
    assert str(caught.value) == (
        f"results folder '{tmp_path}': has no run.json\n"
        "Expected the folder of an arena run\n"
        f"Make one with: regraft arena run -c CONFIG --out {tmp_path}"
    )


def test_a_run_file_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "run.json").write_text("{")
    with pytest.raises(ResultsError, match="is not JSON"):
        Results.load(folder)


def test_a_run_file_names_the_keys_it_lacks(folder: Path) -> None:
    (folder / "run.json").write_text('{"name": "x", "finished": true}')
    with pytest.raises(ResultsError, match="has no stream, seeds, contenders, scored_periods, updates"):
        Results.load(folder)


def test_a_file_that_is_not_parquet_is_refused(folder: Path) -> None:
    (folder / "scores.parquet").write_bytes(b"not a table")
    with pytest.raises(ResultsError, match=r"scores\.parquet: cannot be read"):
        Results.load(folder)


def test_a_missing_column_is_named(folder: Path) -> None:
    path = folder / "cases.parquet"
    rewrite(path, pl.read_parquet(path).drop("history", "label"))
    with pytest.raises(ResultsError, match="has no column label, history"):
        Results.load(folder)


def test_a_finished_run_without_scores_is_damaged(folder: Path) -> None:
    (folder / "scores.parquet").unlink()
    with pytest.raises(ResultsError, match=r"has no scores\.parquet"):
        Results.load(folder)


def test_a_run_that_has_just_begun_loads_without_scores(folder: Path) -> None:
    results = Results.load(unfinish(folder, pl.lit(True)))
    assert results.cells_done() == 0
    assert results.headline.is_empty()


def test_a_dropped_test_row_is_found_and_the_cell_named(folder: Path) -> None:
    path = folder / "scores.parquet"
    scores = pl.read_parquet(path)
    dropped = (pl.col("contender") == "never") & (pl.col("seed") == 1) & (pl.col("update") == 3)
    first = scores.filter(dropped & (pl.col("period") == 4))["case"][0]
    rewrite(path, scores.filter(~(dropped & (pl.col("case") == first))))
    with pytest.raises(ResultsError) as caught:
        Results.load(folder)
    assert "never, seed 1, update 3, period 4: 39 of 40 test rows have a score" in str(caught.value)
    assert "no test row is ever dropped" in str(caught.value)


def test_a_dropped_row_of_another_period_is_found_too(folder: Path) -> None:
    path = folder / "scores.parquet"
    scores = pl.read_parquet(path)
    place = (pl.col("contender") == "rates") & (pl.col("update") == 2) & (pl.col("period") == 1)
    first = scores.filter(place)["case"][0]
    rewrite(path, scores.filter(~(place & (pl.col("case") == first))))
    with pytest.raises(ResultsError, match="rates, seed 0, update 2, period 1"):
        Results.load(folder)


def test_an_update_without_its_prequential_cell_is_refused(folder: Path) -> None:
    path = folder / "scores.parquet"
    rewrite(path, pl.read_parquet(path).filter((pl.col("update") != 3) | (pl.col("period") != 4)))
    with pytest.raises(ResultsError, match="has no scores on period 4"):
        Results.load(folder)


@pytest.mark.parametrize("slice_share", [0.3, 0.0])
@pytest.mark.parametrize("empty", [[3], [4], [3, 4]], ids=["first", "last", "all"])
def test_a_tested_period_without_cases_has_no_rows_and_breaks_nothing(
    tmp_path: Path, slice_share: float, empty: list[int]
) -> None:
    folder = write_results(tmp_path / "run", TWO, **SMALL, slice_share=slice_share)
    for name in ("cases.parquet", "scores.parquet"):
        rewrite(folder / name, pl.read_parquet(folder / name).filter(~pl.col("period").is_in(empty)))
    results = Results.load(folder)
    left = [period for period in (3, 4) if period not in empty]
    assert sorted(results.headline["period"].unique()) == left
    assert results.cells_done() == results.cells_planned() == 2 * (2 + 1)
    summary = summarise(results, 50)
    assert (summary.compared_periods, summary.rows) == (tuple(left), 40 * len(left))
    assert verdict(summary, "en") and markdown_table(summary)
    assert write_report(results, folder / "report.html").is_file()


def test_a_score_that_occurs_twice_is_refused(folder: Path) -> None:
    path = folder / "scores.parquet"
    scores = pl.read_parquet(path)
    rewrite(path, pl.concat([scores, scores.head(1)]))
    with pytest.raises(ResultsError, match=r"1 of .* rows occur twice"):
        Results.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_score_that_is_no_number_is_refused(folder: Path, value: float | None) -> None:
    path = folder / "scores.parquet"
    scores = pl.read_parquet(path).with_row_index("row")
    broken = pl.when(pl.col("row") == 7).then(pl.lit(value, pl.Float64)).otherwise("score").alias("score")
    rewrite(path, scores.with_columns(broken).drop("row"))
    with pytest.raises(ResultsError, match="finite log-odds"):
        Results.load(folder)


def test_scores_of_a_contender_the_run_does_not_name_are_refused(folder: Path) -> None:
    path = folder / "scores.parquet"
    rewrite(path, pl.read_parquet(path).with_columns(pl.col("contender").replace("rates", "somebody")))
    with pytest.raises(ResultsError, match=r"has scores of somebody, which run\.json does not name"):
        Results.load(folder)


def test_scores_of_unknown_cases_are_refused(folder: Path) -> None:
    path = folder / "scores.parquet"
    rewrite(path, pl.read_parquet(path).with_columns(pl.col("case") + 1_000_000))
    with pytest.raises(ResultsError, match="no such case"):
        Results.load(folder)


def test_the_default_world_is_a_valid_run(tmp_path: Path) -> None:
    assert Results.load(write_results(tmp_path / "run")).kinds == {p.name: p.kind for p in DEFAULT}
