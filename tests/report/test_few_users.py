"""A run on few users: its numbers are shown, and nothing is claimed of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from regraft.metrics.intervals import FEW_USERS
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import Summary, markdown_table, results_csv, summarise, verdict
from report.synthetic_results import Player, write_results

NEVER = Player("never", noise=2.5, frozen=True)
FULL = Player("full-retrain", noise=0.1, fades=0.0)
RATES = Player("rates", "baseline", noise=1.2)
POPULARITY = Player("popularity", "baseline", noise=2.0)
CLAIMS = (
    "above",
    "beats",
    "loses",
    "not worth its cost",
    "not distinguishable",
    "within the noise",
    "can rank strategies:",
)
CLAIMS_JA = ("上回ります", "勝って", "負けて", "区別できません", "誤差の範囲")


def few(folder: Path, *players: Player, users: int) -> tuple[Results, Summary]:
    results = Results.load(write_results(folder, players, n_users=users, rows_per_period=200))
    return results, summarise(results, 60)


@pytest.mark.parametrize("users", [1, 2, FEW_USERS - 1])
@pytest.mark.parametrize(
    "players", [(RATES, POPULARITY), (NEVER, FULL, RATES), (NEVER, FULL)], ids=["baselines", "both", "strategies"]
)
def test_nobody_is_called_better_than_another(users: int, players: tuple[Player, ...], tmp_path: Path) -> None:
    _, summary = few(tmp_path, *players, users=users)
    for lang, claims in (("en", CLAIMS), ("ja", CLAIMS_JA)):
        said = " ".join(verdict(summary, lang))
        assert not [claim for claim in claims if claim in said]
        assert f"n = {users}" in said
    assert f"(too few users for an interval: n = {users})" in " ".join(verdict(summary))
    assert summary.can_rank is None


def test_the_page_and_the_tables_show_estimates_without_intervals(tmp_path: Path) -> None:
    results, summary = few(tmp_path / "run", NEVER, FULL, RATES, users=1)
    page = write_report(results, tmp_path / "page.html", summary=summary).read_text()
    assert "unknown: too few users" in page
    assert "(no interval)" in page
    assert "nan" not in page.lower().replace("nano", "").replace("finance", "")
    (row, *_) = csv.DictReader(results_csv(summary, tmp_path / "board.csv").open())
    assert row["auc"] and not row["auc_low"] and not row["auc_high"]
    table = markdown_table(summary)
    assert "[" not in table and "Too few users for an interval (n = 1, 30 are needed)." in table


def test_from_thirty_users_on_intervals_and_claims_are_back(tmp_path: Path) -> None:
    _, summary = few(tmp_path, FULL, RATES, users=FEW_USERS)
    said = " ".join(verdict(summary))
    assert "In AUC it is above every other contender." in said
    assert summary.few_users() is None and summary.best().auc.low < summary.best().auc.high  # type: ignore[union-attr]
