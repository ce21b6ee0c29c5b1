"""The ladder of a run whose contenders are known: which rungs pay, what they cost, and where else one pays."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import polars as pl
import pytest

from regraft.report.ladder import Step, climb, higher, served
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import Summary, summarise, verdict
from report.synthetic_results import Player, write_results

COUNTS = Player("popularity", "baseline", noise=2.0, stale=0.0, cpu=0.1, rung="counts")
RATES = Player("rates", "baseline", noise=1.0, stale=0.0, cpu=0.2, rung="rates")
NEIGHBOURS = Player("item-knn", "baseline", noise=1.6, stale=0.0, cpu=0.4, rung="neighbours")
STACK = Player("stack", "baseline", noise=0.6, stale=0.0, cpu=0.6, rung="text vectors")
BARE = Player("bare", noise=1.2, frozen=True, cpu=2.0, use="never", rung="model as it came")
TUNED = Player("tuned", noise=1.3, cpu=20.0, use="fine-tune", rung="renewed")


def world(folder: Path, *players: Player, n_resamples: int = 400) -> Summary:
    return summarise(Results.load(write_results(folder, players, seeds=(0,))), n_resamples)


@pytest.fixture(scope="module")
def classical(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return world(tmp_path_factory.mktemp("classical"), TUNED, STACK, COUNTS, NEIGHBOURS, RATES, BARE)


def test_rungs_are_climbed_from_the_lowest_whatever_order_they_were_given_in(classical: Summary) -> None:
    assert [(step.best.name, step.pays) for step in classical.ladder] == [
        ("popularity", True), ("rates", True), ("item-knn", False), ("stack", True), ("bare", False), ("tuned", False),
    ]  # fmt: skip
    assert [s.name for s in classical.standings] == [step.best.name for step in classical.ladder]


def test_a_rung_is_measured_against_the_best_of_the_paying_rungs_below_it(classical: Summary) -> None:
    below = [step.below.name if step.below else None for step in classical.ladder]
    assert below == [None, "popularity", "rates", "rates", "stack", "stack"]
    step = classical.ladder[3]
    assert step.paired is not None
    assert step.paired == classical.against("rates")["stack"]
    assert step.paired.difference.low > 0


def test_the_best_contender_of_a_rung_stands_for_it(tmp_path: Path) -> None:
    summary = world(tmp_path, RATES, STACK, dataclasses.replace(STACK, name="better", noise=0.2))
    assert [step.best.name for step in summary.ladder] == ["rates", "better"]
    assert [s.name for s in summary.standings] == ["rates", "better", "stack"]


def test_the_first_sentence_is_what_to_serve_and_says_that_it_is_classical(classical: Summary) -> None:
    said = verdict(classical)
    assert said[0] == "Advice: serve stack, a classical model: text vectors is the last rung that pays here."
    assert said[1].startswith("stack (text vectors) pays: +0.") and "against rates, the best" in said[1]
    assert re.match(r"No rung above it pays. Against it: bare \(model as it came\) -0\.\d+ \[", said[2])
    assert verdict(classical, "ja")[0].startswith("助言：stack を使ってください。言語モデルを使わない古典的なモデル")


def test_a_language_model_that_pays_is_served_and_proved_on_a_pilot_group(tmp_path: Path) -> None:
    summary = world(tmp_path, RATES, dataclasses.replace(TUNED, noise=0.1, stale=0.0, fades=0.0))
    assert verdict(summary)[0].startswith("Advice: serve tuned: renewed is the last rung that pays here. Prove it on")
    assert not any(sentence.startswith("No rung above it") for sentence in verdict(summary))


def test_what_each_rung_costs_is_said_per_update_and_per_thousand_requests(classical: Summary) -> None:
    (sentence,) = [s for s in verdict(classical) if s.startswith("CPU time per update and per 1,000 requests")]
    assert "stack 0.6\u00a0s and 83\u00a0ms" in sentence  # 0.05 s for the 600 rows of each update
    assert "tuned 20.0\u00a0s and 2.5\u00a0s" in sentence
    assert classical["stack"].cpu_per_1000 == pytest.approx(1000 * 0.05 / 600)


def counted(folder: Path, *players: Player) -> Results:
    """A run in which items below 20 are new at every row, and all others are known well."""
    write_results(folder, players, seeds=(0,))
    path = folder / "cases.parquet"
    count = pl.when(pl.col("item") < 20).then(0).otherwise(60).cast(pl.Int32)
    pl.read_parquet(path).with_columns(item_count=count).write_parquet(path)
    return Results.load(folder)


def test_a_rung_that_pays_on_new_items_only_is_found_there(tmp_path: Path) -> None:
    reader = Player("reader", noise=1.8, stale=0.0, fades=0.0, sees=20, rung="model as it came")
    summary = summarise(counted(tmp_path, dataclasses.replace(STACK, noise=1.2), reader), 600)
    assert not summary.ladder[1].pays
    (place,) = [p for p in summary.elsewhere if p.kind == "item_count"]
    assert (place.step.best.name, place.group) == ("reader", "0")
    assert place.difference.low > 0.0 and place.p_holm < 0.05
    in_group = summary.groups.filter(pl.col("kind") == "item_count", pl.col("group") == "0")
    aucs = dict(in_group.select("contender", "auc").rows())
    assert place.difference.estimate == pytest.approx(aucs["reader"] - aucs["stack"])
    assert place.difference.n == in_group["n"][0]
    said = " ".join(verdict(summary))
    assert (
        "Where a higher rung pays although the mean does not show it: reader (model as it came) on items with 0" in said
    )
    assert f"n = {place.difference.n:,}" in said


def test_that_a_higher_rung_pays_nowhere_is_said(classical: Summary) -> None:
    assert classical.elsewhere == ()
    assert any(sentence.startswith("Nor does a higher rung pay in any group") for sentence in verdict(classical))


def test_a_run_that_does_not_know_item_counts_has_no_groups_of_them(tmp_path: Path) -> None:
    folder = write_results(tmp_path, (RATES, STACK), seeds=(0,), n_periods=6, first_update=4)
    path = folder / "cases.parquet"
    pl.read_parquet(path).drop("item_count").write_parquet(path)
    results = Results.load(folder)
    summary = summarise(results, 60)
    assert set(summary.groups["kind"]) == {"user", "item", "history"}
    assert "Earlier rows of the item" not in write_report(results, tmp_path, summary=summary, brief=True).read_text(
        encoding="utf-8"
    )


def test_the_rungs_of_an_older_run_are_guessed_from_its_plug_ins(tmp_path: Path) -> None:
    given = [COUNTS, RATES, NEIGHBOURS, Player("never-bare", use="never"), Player("never"), TUNED]
    folder = write_results(tmp_path, [dataclasses.replace(p, rung="") for p in given], seeds=(0,))
    assert list(Results.load(folder).rungs.values()) == [
        "counts", "rates", "neighbours", "model as it came", "adapted", "renewed",
    ]  # fmt: skip


def test_too_few_users_leave_open_which_rung_pays(tmp_path: Path) -> None:
    results = Results.load(write_results(tmp_path, (COUNTS, RATES), seeds=(0,), n_users=8, rows_per_period=100))
    said = verdict(summarise(results, 60))
    assert said[0].startswith("Advice: serve popularity, the lowest rung (counts), until there are events of 30 users")
    assert "(n = 8): which rung pays is unknown." in said[0]


def test_one_rung_alone_is_served_until_others_are_compared(tmp_path: Path) -> None:
    said = verdict(world(tmp_path, RATES))
    assert said[0] == "Advice: serve rates until other rungs are compared: rates is the only one that was."


def test_the_page_shows_the_ladder_as_a_picture_and_a_table(classical: Summary, tmp_path: Path) -> None:
    folder = write_results(tmp_path, (TUNED, STACK, COUNTS, NEIGHBOURS, RATES, BARE), seeds=(0,))
    page = write_report(folder, folder, summary=classical, brief=True).read_text(encoding="utf-8")
    section = page.partition('<section id="ladder">')[2].partition("</section>")[0]
    assert section.count("<svg viewBox") == 2  # wide and narrow
    for step in classical.ladder:
        assert f">{step.rung}" in section and f"<td>{step.rung}</td>" in section
    assert section.count("serve this") == 1


def test_a_brief_page_has_no_figures_of_single_contenders_and_says_where_they_are(tmp_path: Path) -> None:
    folder = write_results(tmp_path, (RATES, STACK), seeds=(0,), n_periods=6, first_update=4)
    whole = write_report(folder, folder / "whole.html", n_resamples=50).read_text(encoding="utf-8")
    brief = write_report(folder, folder / "brief.html", n_resamples=50, brief=True).read_text(encoding="utf-8")
    assert whole.count("<svg viewBox") > 20 > brief.count("<svg viewBox") >= 2
    assert "regraft arena report" in brief and "regraft arena report" not in whole


def test_what_was_worked_out_for_one_report_serves_the_next_one(tmp_path: Path) -> None:
    results = Results.load(write_results(tmp_path, (RATES, STACK), seeds=(0,), n_periods=6, first_update=4))
    kept: dict[object, object] = {}
    first = summarise(results, 60, kept=kept)
    assert len(kept) == 2
    again = summarise(results, 60, kept=kept)
    assert again["stack"].values == first["stack"].values and again.groups.equals(first.groups)


def test_a_rung_without_a_number_is_left_out() -> None:
    assert climb.__doc__ and served(()) is None and higher(()) == ()
    assert Step("rates", None).pays  # type: ignore[arg-type]  # the lowest rung pays by definition
