import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from regraft.metrics.binary import auc
from regraft.metrics.intervals import FEW_USERS, Difference, holm
from regraft.report.results import Results
from regraft.report.standings import Paired, Summary
from regraft.report.summary import markdown_table, results_csv, summarise, verdict
from regraft.report.tables import CSV_COLUMNS
from regraft.report.verdict import _only_by_correction
from report.synthetic_results import Player, unfinish, write_results

NEVER = Player("never", noise=0.9, stale=0.3, frozen=True, cpu=2.0)
FULL = Player("full-retrain", noise=0.9, fades=0.0, cpu=60.0)
TUNED = Player("fine-tune", noise=1.0, fades=0.25, cpu=12.0)
RATES = Player("rates", "baseline", noise=1.6, cpu=0.2, tokens=0)


def world(folder: Path, *players: Player, **settings: object) -> Summary:
    return summarise(Results.load(write_results(folder, players, **settings)), n_resamples=100)  # type: ignore[arg-type]


def said_in(summary: Summary, beginning: str, lang: str = "en") -> bool:
    return any(sentence.startswith(beginning) for sentence in verdict(summary, lang))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Summary]:
    results = Results.load(write_results(tmp_path_factory.mktemp("usual"), (NEVER, FULL, TUNED, RATES)))
    return results, summarise(results, n_resamples=100)


@pytest.fixture(scope="module")
def baseline_wins(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    strong = dataclasses.replace(RATES, noise=0.2, stale=0.0)
    return world(tmp_path_factory.mktemp("baseline"), NEVER, FULL, TUNED, strong)


@pytest.fixture(scope="module")
def tie(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    equal = dataclasses.replace(RATES, noise=0.9)
    return world(tmp_path_factory.mktemp("tie"), NEVER, FULL, equal, seeds=(0,))


# -- numbers ---------------------------------------------------------------------------------------


def test_auc_is_the_mean_over_periods_averaged_over_seeds(usual: tuple[Results, Summary]) -> None:
    results, summary = usual
    rows = results.headline.filter(pl.col("contender") == "fine-tune")
    cells = [auc(cell["label"].to_numpy(), cell["score"].to_numpy()) for _, cell in rows.group_by("seed", "period")]
    assert len(cells) == 3 * 5
    assert summary["fine-tune"].auc.estimate == pytest.approx(np.mean(cells), abs=1e-12)


def test_every_compared_contender_speaks_for_the_same_rows(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    assert {s.values["log_loss"].n for s in summary.compared} == {summary.rows} == {5 * 600}


def test_contenders_stand_up_the_ladder_and_inside_a_rung_by_auc(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    assert [(s.rank, s.name, s.rung) for s in summary.standings] == [
        (1, "rates", "rates"), (2, "never", "adapted"), (3, "full-retrain", "renewed"), (4, "fine-tune", "renewed"),
    ]  # fmt: skip
    assert summary["full-retrain"].auc.estimate > summary["fine-tune"].auc.estimate


def test_every_interval_holds_its_estimate(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    for standing in summary.standings:
        for interval in standing.values.values():
            assert interval.low <= interval.estimate <= interval.high


def test_a_contender_is_not_distinguishable_from_its_twin(tmp_path: Path) -> None:
    summary = world(tmp_path, FULL, RATES)
    same = summary.minus("rates", "rates")
    assert (same.estimate, same.low, same.high) == (0.0, 0.0, 0.0)


def test_differences_carry_the_holm_correction_over_contenders(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    versus = summary.vs_full["auc"]
    assert set(versus) == {"never", "fine-tune", "rates"}
    expected = holm([paired.difference.p for paired in versus.values()])
    assert [paired.p_holm for paired in versus.values()] == pytest.approx(expected.tolist())


def test_draws_are_enough_for_a_corrected_difference_to_be_seen(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    assert summary.n_resamples == 200  # 50 per contender, more than the 100 asked for
    assert summary.vs_full["auc"]["never"].relation == "below"


def test_a_frozen_contender_neither_forgets_nor_changes(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    never = summary["never"]
    assert never.forgetting.value == 0.0
    assert never.backward.value == 0.0
    assert never.churn.value == 0.0
    assert not never.moves


def test_a_contender_that_fades_forgets_more_than_one_that_does_not(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    assert summary["fine-tune"].forgetting.value > summary["full-retrain"].forgetting.value + 0.01
    assert summary["fine-tune"].backward.value < summary["full-retrain"].backward.value


def test_a_late_update_costs_more_the_later_it_is(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    lost = [point.lost for point in summary["fine-tune"].staleness]
    assert lost[0] == 0.0
    assert lost[3] < lost[1] < 0.0


def test_forward_transfer_is_measured_from_never(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    assert summary["never"].forward.value == pytest.approx(0.0)
    assert summary["full-retrain"].forward.value > 0.02


def test_without_never_there_is_no_forward_transfer(tmp_path: Path) -> None:
    summary = world(tmp_path, FULL, RATES, seeds=(0,))
    assert summary["full-retrain"].forward.n == 0
    assert math.isnan(summary["full-retrain"].forward.value)


def test_without_rows_kept_out_of_training_nothing_is_said_about_memory(tmp_path: Path) -> None:
    summary = world(tmp_path, NEVER, FULL, seeds=(0,), slice_share=0.0)
    assert not summary.has_eval_rows
    assert summary["full-retrain"].forgetting.n == 0
    assert "Forgetting was not measured." in verdict(summary)


def test_costs_are_summed_over_updates_and_averaged_over_seeds(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    spent = summary["full-retrain"].spent
    assert spent is not None
    assert (spent.updates, spent.cpu_seconds, spent.cpu_per_update) == (5, 300.0, 60.0)
    assert spent.tokens_per_update == 600_000
    never = summary["never"].spent
    assert never is not None
    assert never.cpu_per_update == pytest.approx(2.0 / 5)


def test_groups_hold_all_rows_once_per_kind(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    counts = summary.groups.filter(pl.col("contender") == "rates").group_by("kind").agg(pl.col("n").sum())
    assert set(counts["n"]) == {summary.rows}
    few = pl.col("users") < FEW_USERS
    assert summary.groups.filter(few)["low"].is_nan().all()
    measured = summary.groups.filter(~few, pl.col("n") > 200)
    assert (measured["low"] <= measured["auc"]).all()
    assert (measured["auc"] <= measured["high"]).all()


def test_overconfidence_shows_above_the_noise_floor(tmp_path: Path) -> None:
    exact = Player("exact", noise=0.0, stale=0.0, fades=0.0)
    loud = dataclasses.replace(exact, name="loud", sharpness=4.0)
    summary = world(tmp_path, exact, loud, seeds=(0,))
    assert abs(summary["exact"].ece_excess) < 0.01
    assert summary["loud"].ece_excess > 0.05


# -- can the stream rank ---------------------------------------------------------------------------


def test_a_gap_of_many_seed_deviations_can_rank(usual: tuple[Results, Summary]) -> None:
    _, summary = usual
    assert summary.gap is not None
    assert summary.gap.estimate > 3 * summary.seed_sd > 0
    assert summary.can_rank is True
    assert said_in(summary, "This stream can rank strategies: full-retrain minus never is +0.")


def test_a_gap_within_the_seed_spread_cannot_rank(tmp_path: Path) -> None:
    noisy = [dataclasses.replace(player, noise=2.5, stale=0.0, fades=0.0, seed_noise=1.0) for player in (NEVER, FULL)]
    summary = world(tmp_path, *noisy, RATES)
    assert summary.can_rank is False
    assert said_in(summary, "This stream cannot rank strategies")
    assert said_in(summary, "このデータでは戦略の順位を付けられません", "ja")


def test_one_seed_cannot_say_whether_the_stream_ranks(tie: Summary) -> None:
    assert tie.can_rank is None
    assert tie.why_unknown == "one seed"
    assert said_in(tie, "Whether this stream can rank strategies is unknown: one seed.")
    assert verdict(tie)[-1].startswith("Run three seeds or more")


def test_a_run_without_never_says_what_is_missing(tmp_path: Path) -> None:
    summary = world(tmp_path, FULL, RATES)
    assert (summary.can_rank, summary.why_unknown) == (None, "missing")
    assert "both never and full-retrain, and never cannot be compared" in " ".join(verdict(summary))


# -- does an LLM pay -------------------------------------------------------------------------------


def test_a_two_number_baseline_that_beats_every_llm_is_named(baseline_wins: Summary) -> None:
    said = " ".join(verdict(baseline_wins))
    assert "A two-number baseline (rates) beats every LLM contender here" in said
    assert "In UAUC full-retrain, the best LLM contender there, loses to rates" in said
    assert said.startswith("Advice: serve rates, a classical model: rates is the last rung that pays here.")
    assert "LLM の候補すべてに勝っています" in " ".join(verdict(baseline_wins, "ja"))


def test_another_baseline_that_beats_every_llm_is_named_as_such(tmp_path: Path) -> None:
    strong = Player("boosting", "baseline", noise=0.2, stale=0.0, cpu=1.0)
    said = " ".join(verdict(world(tmp_path, NEVER, FULL, strong)))
    assert "A baseline without any LLM (boosting) beats every LLM contender here" in said


def test_an_llm_that_wins_is_advised(usual: tuple[Results, Summary]) -> None:
    said = " ".join(verdict(usual[1]))
    assert "The best LLM contender, full-retrain, beats the best baseline, rates, on the same rows: +0." in said
    assert "beats every LLM" not in said
    assert said.startswith("Advice: serve full-retrain: renewed is the last rung that pays here. Prove it on a pilot")


def test_a_tie_is_called_not_distinguishable(tie: Summary) -> None:
    said = verdict(tie)
    assert any(s.startswith("The best LLM contender, full-retrain, is not distinguishable from") for s in said)
    assert said[0] == "Advice: serve rates, a classical model: rates is the last rung that pays here."
    assert not any("beats" in s for s in said)


def test_runs_of_one_kind_say_what_they_lack(tmp_path: Path) -> None:
    assert "No baseline was compared" in " ".join(verdict(world(tmp_path / "a", NEVER, FULL, seeds=(0,))))
    assert "No LLM contender was compared" in " ".join(verdict(world(tmp_path / "b", RATES)))


def test_who_forgets_least_leaves_out_who_never_changes(usual: tuple[Results, Summary]) -> None:
    said = " ".join(verdict(usual[1]))
    assert "Forgets least among the LLM contenders that change: full-retrain" in said
    assert "most: fine-tune" in said


# -- unfinished runs -------------------------------------------------------------------------------


def test_a_contender_that_lacks_periods_is_shown_but_not_compared(tmp_path: Path) -> None:
    folder = write_results(tmp_path, (NEVER, FULL, TUNED, RATES))
    late = (pl.col("contender") == "fine-tune") & ((pl.col("update") > 6) | (pl.col("seed") > 0))
    summary = summarise(Results.load(unfinish(folder, late | (pl.col("contender") == "rates"))), 100)
    assert [s.name for s in summary.compared] == ["never", "full-retrain"]
    assert summary.standings[-1].name == "fine-tune"
    assert summary["fine-tune"].periods == (6, 7)
    said = verdict(summary)
    assert said[0].startswith("Advice so far, with 32 of 50 cells: serve ")
    place = said.index("This run is not finished: 32 of 50 cells are there. All numbers are of periods 6–10 only.")
    assert said[place + 1].endswith("not tested on all of these periods: fine-tune.")
    assert said[place + 2] == "Not begun: rates."


def test_a_seed_that_lacks_periods_is_left_out(tmp_path: Path) -> None:
    folder = write_results(tmp_path, (NEVER, FULL))
    part = (pl.col("contender") == "full-retrain") & (pl.col("seed") == 2) & (pl.col("update") == 9)
    summary = summarise(Results.load(unfinish(folder, part)), 100)
    assert summary["full-retrain"].seeds == (0, 1)
    assert summary["never"].seeds == (0, 1, 2)


def test_a_run_without_any_score_says_so(tmp_path: Path) -> None:
    summary = summarise(Results.load(unfinish(write_results(tmp_path, (NEVER,)), pl.lit(True))), 100)
    assert verdict(summary) == ["Nothing has been scored yet: the run has none of its 15 cells."]
    assert results_csv(summary, tmp_path / "x.csv").read_text().startswith("contender,base,template")


# -- tables ----------------------------------------------------------------------------------------


def test_the_csv_begins_with_the_agreed_columns(usual: tuple[Results, Summary], tmp_path: Path) -> None:
    _, summary = usual
    path = results_csv(summary, tmp_path / "docs" / "results" / "world.csv", share=0.25, base="nano")
    rows = list(csv.DictReader(path.open()))
    assert tuple(rows[0])[: len(CSV_COLUMNS)] == CSV_COLUMNS
    assert [row["contender"] for row in rows] == [s.name for s in summary.compared]
    assert [(row["rung"], row["pays"]) for row in rows] == [
        ("rates", "yes"), ("adapted", "no"), ("renewed", "yes"), ("renewed", ""),
    ]  # fmt: skip
    best = rows[2]
    assert (best["base"], best["template"], best["history"], best["information"], best["share"]) == (
        *("nano", "judge-timeline-facts", "fresh", "full", "0.25"),
    )
    assert float(best["auc"]) == pytest.approx(summary.standings[2].auc.estimate)
    assert float(best["cpu_seconds_per_1000_requests"]) == pytest.approx(1000 * 1.5 / 600)
    assert (best["seeds"], best["n"], float(best["cpu_seconds"])) == ("3", "3000", 300.0)


def test_baselines_have_no_base_model_in_the_csv(usual: tuple[Results, Summary], tmp_path: Path) -> None:
    rows = csv.DictReader(results_csv(usual[1], tmp_path / "x.csv").open())
    rates = next(row for row in rows if row["contender"] == "rates")
    assert (rates["base"], rates["template"], rates["seeds"]) == ("", "", "1")
    assert rates["auc_minus_best_baseline"] == ""
    assert float(rates["auc_minus_full_retrain"]) < 0


def test_a_markdown_cell_cannot_be_broken_by_a_name(tmp_path: Path) -> None:
    odd = dataclasses.replace(RATES, name="a|b\n<b>*x*</b>")
    table = markdown_table(world(tmp_path, odd))
    row = table.splitlines()[2]
    assert row.startswith("| a\\|b \\<b\\>\\*x\\*\\</b\\> | baseline | neighbours | 1 | 0.")
    assert "mean over periods, 95 % intervals from" in table


def test_an_unknown_statistic_of_one_class_is_a_dash_not_a_crash(tmp_path: Path) -> None:
    folder = write_results(tmp_path, (NEVER, RATES), seeds=(0,))
    path = folder / "cases.parquet"
    pl.read_parquet(path).with_columns(label=pl.lit(1, pl.Int8)).write_parquet(path)
    summary = summarise(Results.load(folder), 100)
    assert math.isnan(summary["never"].auc.estimate)
    assert verdict(summary)
    assert markdown_table(summary)


def test_an_interval_without_zero_that_is_luck_after_correction_is_told_apart() -> None:
    clear, wide = Difference(-0.01, -0.02, -0.001, 0.03, 100), Difference(-0.01, -0.03, 0.01, 0.4, 100)
    assert _only_by_correction(Paired(clear, 0.2))
    assert not _only_by_correction(Paired(clear, 0.03))
    assert not _only_by_correction(Paired(wide, 1.0))
