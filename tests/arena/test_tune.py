"""How much history, how often, how much replay: known answers where the drift is known, and what a run holds to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from arena.small_runs import SMALL_BASE
from crash.killed_runs import killed_at
from regraft.arena.collect import versions
from regraft.arena.ray_executor import Worker
from regraft.arena.tune import Tuning
from regraft.arena.tune_advice import Advice, advise
from regraft.arena.tune_files import Tuned
from regraft.arena.tune_grid import tuned
from regraft.arena.tune_measures import DRAWS, NOTHING, Cost, Measured, Setting
from regraft.arena.tune_run import conclude, found_by, open_tuning
from regraft.cli.main import app
from regraft.data.periods import Periods
from regraft.errors import ConfigError
from regraft.metrics.intervals import Bootstrap
from regraft.setup.config import ArenaConfig
from site_world import SiteWorld

CALM = {
    "users": 150, "items": 60, "periods": 14, "days_per_period": 10.0, "taste_change_at": None, "new_items_at": None,
    "season_every": None, "churn": 0.0, "seed": 0,
}  # fmt: skip
DRIFTS: dict[str, dict[str, Any]] = {
    "none": {},
    "wording turns": {"words": 1.5, "taste_change_at": 6, "changed_share": 0.0},
    "items come and go": {"shelf_life": 1.5, "from_start": 0.1, "items": 200, "users": 300},
}
DAY = 86_400_000


def config(drift: str = "none", contenders: Any = ("rates",), **more: Any) -> ArenaConfig:
    data = {
        "drift_world": CALM | DRIFTS[drift], "label": 'event == "click"', "periods": {"by": "calendar", "every": "10d"},
    }  # fmt: skip
    own = {"data": data, "contenders": list(contenders), "first_update": 7, "prices": {"update_hour": 3.6}}
    return ArenaConfig.parse(own | {"tune": {"every": [1, 2], "days": [30]}} | more)


def run(folder: Path, found: ArenaConfig) -> Tuned:
    tuning = Tuning(tuned(found), folder)
    list(tuning.run())
    return found_by(tuning)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """What people think of words has turned shortly before the periods that settings are chosen on."""
    return run(tmp_path_factory.mktemp("tune") / "run", config("wording turns"))


# -- known answers -------------------------------------------------------------------------------------


def test_after_a_turn_old_history_misleads_and_less_is_advised(turned: Tuned) -> None:
    (advice,) = turned.advice
    assert advice.told_apart
    assert advice.advised.setting == Setting("rates", None, 2, 30)
    assert {c.status for c in advice.earlier if c.measured.setting.days is None} == {"worse"}


def test_where_nothing_drifts_history_is_worth_keeping_and_updates_may_be_rare(tmp_path: Path) -> None:
    (advice,) = run(tmp_path / "run", config()).advice
    assert advice.advised.setting == Setting("rates", None, 2, None)
    assert advice.held == "yes"
    assert {c.status for c in advice.earlier if c.measured.setting.days == 30} <= {"worse", "undecided"}


def test_where_items_come_and_go_counts_must_be_renewed_often(tmp_path: Path) -> None:
    tune = {"every": [1, 4], "days": [30]}
    (advice,) = run(tmp_path / "run", config("items come and go", ["popularity"], tune=tune)).advice
    assert advice.advised.setting == Setting("popularity", None, 1, 30)  # nothing older is on the shelf
    assert {c.status for c in advice.earlier if c.measured.setting.every == 4} == {"worse"}
    (step,) = advice.break_even
    assert step.gain.low > 0
    assert step.worth is not None
    assert step.money == pytest.approx(step.seconds * 0.001)  # 3.6 an hour
    assert step.worth == pytest.approx(step.money / (100 * step.gain.estimate))


# -- what a run holds to -------------------------------------------------------------------------------


def test_every_setting_is_asked_about_the_same_rows(turned: Tuned) -> None:
    t = turned.tuning
    for period in t.tested:
        rows = [
            t.cell_of(setting, period, 0).scores(t.folder).filter(pl.col("period") == period)["case"].sort()
            for setting in t.settings
        ]
        assert all(one.equals(rows[0]) for one in rows)
        assert np.array_equal(rows[0], t.stream.cases(period).targets)


def test_a_model_learns_from_kept_rows_before_its_cut_alone(turned: Tuned) -> None:
    t = turned.tuning
    for cell in t.cells():
        past, cut = t.learns(cell), t.stream.cuts[cell.update]
        days = t.lines[cell.contender.label].days
        assert past.time.max() < cut
        assert not t.eval_rows[t.numbers(past)].any()
        wanted = t.stream.time[t.stream.time < cut]
        assert len(past.time) == int((wanted >= cut - days * DAY).sum() if days else len(wanted))


def test_cases_are_asked_with_the_history_that_was_kept_then(turned: Tuned) -> None:
    t = turned.tuning
    cell = next(c for c in t.cells() if t.lines[c.contender.label].days == 30)
    for period, cases in t.asks(cell):
        assert cases.time.min() >= t.stream.cuts[period - 1] - 30 * DAY


def test_people_and_rows_are_counted_as_they_were_kept(turned: Tuned) -> None:
    t, period = turned.tuning, turned.tuning.tested[-1]
    cut = t.stream.cuts[period - 1]
    kept = (t.stream.time < cut) & (t.stream.time >= cut - 30 * DAY)
    cost = next(m.cost for m in turned.settings if m.setting == Setting("rates", None, 1, 30))
    assert (cost.rows_kept, cost.persons_kept) == (kept.sum(), len(np.unique(t.stream.user[kept])))
    assert cost.persons_in_model == cost.persons_exposed == cost.persons_kept  # renewed at this very cut
    everything = next(m.cost for m in turned.settings if m.setting.days is None)
    assert everything.rows_kept == (t.stream.time < cut).sum()
    assert everything.storage > 3 * cost.storage


def killed(folder: str) -> None:
    """A run that ends while its fourth cell is written."""
    killed_at("open cost.json 4")
    list(Tuning(tuned(config("wording turns")), Path(folder)).run())


def test_a_run_killed_in_the_middle_of_a_cell_goes_on_to_the_same_scores(turned: Tuned, tmp_path: Path) -> None:
    words = "import sys; from arena.test_tune import killed; killed(sys.argv[1])"
    tests = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
    child = subprocess.run([sys.executable, "-c", words, str(tmp_path / "run")], env=environment, capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    again = Tuning(tuned(config("wording turns")), tmp_path / "run")
    there = [renewal is None for _, renewal in again.run()]
    assert there == [True] * 3 + [False] * (len(there) - 3)
    for cell in again.cells():
        assert cell.scores(again.folder).equals(cell.scores(turned.tuning.folder))


def test_a_worker_of_a_cluster_works_out_the_same_cell(turned: Tuned, tmp_path: Path) -> None:
    t = turned.tuning
    (tmp_path / "run").mkdir()
    worker = Worker(t.config, [tmp_path / "run"], t.stream, versions(), type(t))
    cell = t.cells()[-1]
    worker.one(cell)
    assert cell.scores(tmp_path / "run").equals(cell.scores(t.folder))


def test_settings_wait_for_their_cells_and_get_no_advice(turned: Tuned, tmp_path: Path) -> None:
    tuning = Tuning(tuned(config("wording turns")), tmp_path / "run")
    cells = tuning.run()
    for _ in range(8):
        next(cells)
    found = found_by(tuning)
    assert [m.setting.days for m in found.settings] == [None, None]
    assert [s.days for s in found.waiting] == [30, 30]
    assert not found.advice


# -- what is tried -------------------------------------------------------------------------------------


def test_replay_falls_away_where_nothing_is_replayed() -> None:
    labels = [c.label for c in tuned(config(contenders=["stack", "replay", "fine-tune", "never"])).contenders]
    assert labels[:2] == ["stack keeping all", "stack keeping 30 days"]
    assert "replay share 0.3 every 2 keeping 30 days" in labels
    assert len([one for one in labels if one.startswith("replay")]) == 4 * 2 * 2
    assert next(one for one in labels if one.startswith("fine-tune")) == "fine-tune every 1 keeping all"
    assert not [one for one in labels if one.startswith("never")]


def test_what_the_stream_cannot_compare_is_left_out_in_words(tmp_path: Path) -> None:
    tune = {"every": [1, 5], "days": [5, 30, 400]}
    tuning = Tuning(tuned(config(contenders=["rates", "fine-tune"], tune=tune)), tmp_path)
    assert tuning.left_out == [
        "every 5 periods: only 8 periods are tested",
        "400 days: the log is not longer, it is the same as keeping all",
        "5 days: less than the longest period has",
    ]
    assert [(s.every, s.days) for s in tuning.settings if s.contender == "rates"] == [(1, None), (1, 30)]


def test_too_few_periods_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Tuning(tuned(config(first_update=12)), tmp_path)
    assert str(caught.value) == (
        "regraft tune: has 3 periods to test on\nExpected at least 4, half of them to choose on and half to check on\n"
        "Set first_update to an earlier period"
    )


# -- advice --------------------------------------------------------------------------------------------


@cache
def draws(value: float, noise: float, seed: int) -> Bootstrap:
    drawn = value + noise * np.random.default_rng(seed).standard_normal(DRAWS + 1)
    drawn[0] = value
    parts = ("earlier", "later", "all")
    return Bootstrap(dict.fromkeys(parts, drawn), dict.fromkeys(parts, 1000), (1000, 100, 0), dict.fromkeys(parts, 100))


def measured(days: int | None, auc: float, noise: float, every: int = 1) -> Measured:
    boot = draws(auc, noise, days or 1000 * every)
    cost = Cost(1.0 / every, 0, 0, 0, 0, 0)
    return Measured(Setting("x", None, every, days), "rates", boot, NOTHING, cost)


def advice(*settings: Measured) -> Advice:
    return advise(settings, margin=0.005, price_per_hour=1.0)


def test_the_least_that_is_surely_near_the_best_is_advised() -> None:
    found = advice(measured(None, 0.700, 0.0005), measured(90, 0.699, 0.0005), measured(30, 0.690, 0.0005))
    assert found.advised.setting.days == 90
    assert [c.status for c in found.earlier] == ["near", "near", "worse"]
    assert found.told_apart


def test_what_cannot_be_told_is_said_and_not_advised() -> None:
    found = advice(measured(None, 0.700, 0.02), measured(30, 0.695, 0.02))
    assert found.advised.setting.days is None
    assert not found.told_apart
    assert [c.measured.setting.days for c in found.undecided] == [30]


def test_updates_that_gain_nothing_have_no_break_even() -> None:
    found = advice(measured(None, 0.7, 0.02), measured(None, 0.7001, 0.02, every=2))
    (step,) = found.break_even
    assert (step.every, step.instead_of, step.seconds, step.worth) == (1, 2, 0.5, None)


# -- files ---------------------------------------------------------------------------------------------


def test_page_table_yaml_and_json_say_the_same(turned: Tuned) -> None:
    found, page = conclude(turned.tuning, "en")
    folder = turned.tuning.folder
    said = json.loads((folder / "tune.json").read_text())
    assert said["finished"]
    assert len(said["settings"]) == len(found.settings) == 4
    assert said["advice"][0]["advised"]["days"] == 30
    assert said["advice"][0]["break_even"][0].keys() >= {"every", "gain", "seconds_per_period", "money_per_period"}
    copied = yaml.safe_load((folder / "advice.yaml").read_text())["advice"][0]
    assert (copied["contender"], copied["days"], copied["every"]) == ("rates", 30, 2)
    table = pl.read_csv(folder / "tune.csv")
    assert table["persons_exposed"].to_list() == [m.cost.persons_exposed for m in found.settings]
    assert page is not None
    html = page.read_text()
    assert "rates: keep 30 days of history, update every 2 periods." in html
    assert html.count("<svg") >= 3
    assert "<script" not in html


def test_the_page_speaks_japanese_too(turned: Tuned) -> None:
    _, page = conclude(turned.tuning, "ja")
    assert page is not None
    assert "rates：30 日分の履歴を保持し、2 期間ごとに更新してください。" in page.read_text()


def test_the_command_prints_the_advice(turned: Tuned, tmp_path: Path) -> None:
    file = tmp_path / "arena.yaml"
    file.write_text(yaml.safe_dump(json.loads(config("wording turns").model_dump_json(exclude={"data": {"path"}}))))
    out = ["--out", str(turned.tuning.folder)]
    done = CliRunner().invoke(app, ["tune", "-c", str(file), *out, "--every", "1,2", "--days", "30,all"])
    assert done.exit_code == 0, done.output
    assert "rates: keep 30 days of history, update every 2 periods." in done.output
    done = CliRunner().invoke(app, ["tune", "-c", str(file), *out, "--every", "1,2", "--days", "30", "--json"])
    assert json.loads(done.stdout)["advice"][0]["advised"]["days"] == 30


# -- slow ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_language_model_learns_from_all_that_came_since_its_last_update(tmp_path: Path) -> None:
    own = {**SMALL_BASE, "tune": {"share": [0, 1], "every": [1, 2], "days": [60]}}
    found = config(contenders=["replay"], first_update=9, **own)
    periods = Periods(by="calendar", every="10d", warm_up=0.2)
    data = found.data.model_copy(update={"drift_world": CALM | {"users": 60, "periods": 18}, "periods": periods})
    tuning = Tuning(tuned(found.model_copy(update={"data": data})), tmp_path / "run")
    rare = [c for c in tuning.cells() if tuning.lines[c.contender.label].every == 2]
    newest, _ = tuning.learns(rare[1]).split_last()
    assert sorted(set(newest.period[newest.targets])) == [10, 11]
    list(tuning.run())
    result = found_by(tuning)
    (advice,) = result.advice
    first = [c for c in tuning.cells() if c.update == 9 and tuning.lines[c.contender.label].days is None]
    models = {hash(c.scores(tuning.folder).filter(pl.col("period") == 10)["score"].to_numpy().tobytes()) for c in first}
    assert len(first) == 4
    assert len(models) == 1  # one fit, whatever comes later
    kept = next(m.cost for m in result.settings if m.setting.days == 60)
    assert kept.persons_in_model >= kept.persons_kept  # an adapter that goes on holds what it had learnt
    assert advice.contender == "replay"


@pytest.mark.slow
def test_a_site_is_tuned_on_its_own_rows_and_contenders(world: SiteWorld) -> None:
    folder = world.folder / "shop"
    tuning = open_tuning(folder, tune={"days": [2, 4], "every": [1, 2]})
    assert tuning.config.update_hour == world.site.options.prices.update_hour > 0
    assert open_tuning(folder, price=2.5).config.update_hour == 2.5
    assert {s.contender for s in tuning.settings} == {"stack"}
    assert tuning.folder == folder / "reports" / "tune"
    list(tuning.run())
    found, page = conclude(tuning)
    assert page == folder / "reports" / "tune" / "tune.html"
    assert {m.setting.days for m in found.settings} == {None, 2, 4}
