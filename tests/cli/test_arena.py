"""`regraft arena`: from a log to a configuration, to what a run would take, to a verdict and a report."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cli.conftest import written
from cli.door import Heard, regraft
from regraft.arena.starter import Draft, fewer_epochs
from regraft.data.ingest import ingest
from regraft.setup.config import ArenaConfig

JAPANESE = "助言："  # "Advice:"


# -- init ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Heard, Path]:
    """`arena init` of a very small log: most of its time goes into measuring this machine."""
    folder = tmp_path_factory.mktemp("begun")
    regraft("data", "simulate", "log", "--users", 20, "--items", 20, at=folder)
    heard = regraft("arena", "init", "log/interactions.parquet", "--minutes", 1, at=folder)
    assert heard.code == 0, heard.err
    return heard, folder


def test_init_says_what_was_chosen_and_why_and_what_a_run_would_take(begun: tuple[Heard, Path]) -> None:
    said = begun[0].out
    for words in (
        'label     event == "click": ',
        "periods   4 by time after a warm-up of 30%: ",
        "timeline  W 10, H 8: ",
    ):
        assert words in said
    for words in (
        "What the run would take",
        "full-retrain+stack",
        "first answer after about ",
    ):
        assert words in said
    for words in ("answers   the first after about ", "in all: ", "free in runs/arena"):
        assert words in said
    assert said.splitlines()[-1] == "Run it with: regraft arena run -c arena.yaml"


def test_init_tells_each_long_step_before_it_begins(begun: tuple[Heard, Path]) -> None:
    rows = begun[0].out.partition(" rows, ")[0].rpartition(" ")[2]
    assert [line for line in begun[0].err.splitlines() if line.endswith(" ...")] == [
        f"Computing facts as of {rows} rows ...", "Measuring this machine ...",
        "Working out facts about item texts, and counting what a run would read ...",
    ]  # fmt: skip


def test_init_writes_a_configuration_that_runs_and_says_why(begun: tuple[Heard, Path]) -> None:
    text = (begun[1] / "arena.yaml").read_text()
    found = yaml.safe_load(text)
    assert found["data"]["label"] == 'event == "click"'
    assert found["data"]["path"] == "log/interactions.parquet"
    assert found["data"]["periods"]["n"] == 4
    uses = [given if isinstance(given, str) else given["use"] for given in found["contenders"]]
    assert uses[:4] == ["popularity", "rates", "item-knn", "stack"] and {"never", "full-retrain"} <= set(uses)
    assert text.count("#") > 8
    shown = regraft("prompt", "preview", "-c", "arena.yaml", at=begun[1])
    assert shown.code == 0, shown.err


def test_init_gives_a_base_model_as_many_epochs_as_the_time_allows(begun: tuple[Heard, Path], tmp_path: Path) -> None:
    assert fewer_epochs(build=600.0, epochs=3, seconds=900.0) == 1
    assert fewer_epochs(build=200.0, epochs=3, seconds=900.0) == 2
    assert fewer_epochs(build=9000.0, epochs=3, seconds=900.0) == 1
    assert fewer_epochs(build=150.0, epochs=3, seconds=900.0) is None
    assert fewer_epochs(build=9000.0, epochs=1, seconds=900.0) is None
    log = begun[1] / "log" / "interactions.parquet"
    draft = Draft.of(tmp_path / "arena.yaml", ingest(log), log)
    for epochs, nano in ((None, {}), (2, {"epochs": 2})):
        replace(draft, epochs=epochs).write(1.0)
        assert ArenaConfig.read(tmp_path / "arena.yaml").base.nano == nano


def test_init_does_not_overwrite_a_configuration(begun: tuple[Heard, Path]) -> None:
    before = (begun[1] / "arena.yaml").read_text()
    heard = regraft("arena", "init", "log/interactions.parquet", at=begun[1])
    assert heard.code == 2
    assert heard.err == (
        "output 'arena.yaml': is there already\nExpected a new name\nChoose another name, or replace it with --force\n"
    )
    assert (begun[1] / "arena.yaml").read_text() == before


def test_init_of_a_log_that_is_not_there_writes_nothing(tmp_path: Path) -> None:
    heard = regraft("arena", "init", "ratings.csv", at=tmp_path)
    assert heard.code == 2
    assert heard.err.startswith("ratings.csv: does not exist")
    assert not (tmp_path / "arena.yaml").exists()


# -- dry run ---------------------------------------------------------------------------------------


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(shop: Path, base: Path) -> None:
    before = sorted(shop.iterdir())
    heard = regraft("arena", "run", "--dry-run", "-c", "with-base.yaml", at=shop)
    assert heard.code == 0, heard.err
    for words in ("never", "fine-tune", "rates", "in all: 6 cells, about ", "counted with the tokenizer of "):
        assert words in heard.out
    assert sorted(shop.iterdir()) == before


def test_a_dry_run_for_programs_counts_the_base_that_must_be_built(shop: Path) -> None:
    heard = regraft("arena", "run", "--dry-run", "--json", "-c", "shop.yaml", at=shop)
    told = json.loads(heard.out)
    assert [line["contender"] for line in told["lines"]] == ["rates", "never", "fine-tune"]
    assert [line["fits"] for line in told["lines"]] == [0, 1, 1]  # both begin with the same fit
    assert 0 < told["first_answer"] < told["seconds"]
    assert told["build_tokens"] > 1000
    assert told["seconds"] > told["build"] > 0
    assert told["folder"] == "runs/shop"


def test_json_without_a_dry_run_is_refused_before_anything_runs(shop: Path) -> None:
    heard = regraft("arena", "run", "--json", "-c", "cheap.yaml", "--out", "unwanted", at=shop)
    assert heard.code == 2
    assert heard.err.startswith("--json: is given without --dry-run")
    assert not (shop / "unwanted").exists()


def test_workers_without_ray_are_refused(shop: Path) -> None:
    heard = regraft("arena", "run", "--workers", 2, "-c", "cheap.yaml", "--out", "unwanted", at=shop)
    assert heard.code == 2
    assert heard.err == "--workers: is given without --executor ray\nExpected both, or none of them\n"
    assert not (shop / "unwanted").exists()


# -- run -------------------------------------------------------------------------------------------


def test_a_run_tells_every_cell_then_the_verdict_then_where_the_report_is(shop: Path, finished: Path) -> None:
    said = (shop / "said.txt").read_text()
    cells = [line.split("]")[0] for line in said.splitlines() if line.startswith("[")]
    assert cells == [f"[{n}/6" for n in range(1, 7)]
    assert "[1/6] rates, seed 0, update 2: AUC 0." in said and "[3/6] never, seed 0, update 2: AUC 0." in said
    first, then = said.index("Advice so far, with 2 of 6 cells: serve rates"), said.index("[3/6]")
    assert first < said.index("Classical rungs are done: report at run/report.html; Ctrl-C keeps what is there") < then
    assert "\nThe rest takes about " in said and "\nRung done: adapted; report at run/report.html\n" in said
    assert "Whether this stream can rank strategies is unknown" in said
    assert "\nAdvice: " in said
    assert said.endswith("\nReport: run/report.html\n")
    assert "<html" in (finished / "report.html").read_text()


def test_the_same_command_again_finds_all_cells_there(shop: Path, finished: Path) -> None:
    heard = regraft("arena", "run", "-c", "with-base.yaml", "--out", "run", at=shop)
    assert heard.code == 0, heard.err
    assert heard.out.startswith("6 cells were there already\n")
    assert (shop / "said.txt").read_text().split("\n\n", 1)[1] == heard.out.split("\n\n", 1)[1]


def test_a_folder_that_holds_another_run_is_left_alone(shop: Path, finished: Path) -> None:
    heard = regraft("arena", "run", "-c", "cheap.yaml", "--out", "run", at=shop)
    assert heard.code == 2
    assert "run folder 'run': " in heard.err
    assert "Choose another folder with: --out DIR" in heard.err
    assert heard.out == ""


def test_without_a_name_for_it_the_folder_is_called_as_the_configuration_says(tmp_path: Path, shop: Path) -> None:
    shutil.copytree(shop / "log", tmp_path / "log")
    written(tmp_path / "any.yaml", contenders="[popularity, rates]")
    heard = regraft("arena", "run", "-c", "any.yaml", at=tmp_path)
    assert heard.code == 0, heard.err
    assert heard.out.endswith("\nReport: runs/shop/report.html\n")


def test_a_spent_budget_says_so_and_the_command_it_prints_goes_on(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "a run"
    heard = regraft("arena", "run", "-c", "cheap.yaml", "--out", out, "--budget", "0s", at=shop)
    assert heard.code == 0, heard.err
    last = heard.out.splitlines()[-1]
    assert last == f"The budget of 0s is spent. Go on with: regraft arena run -c cheap.yaml --out '{out}'"
    again = regraft("arena", "run", "-c", "cheap.yaml", "--out", out, at=shop)
    assert again.code == 0, again.err
    assert "[4/4]" in again.out
    assert again.out.endswith(f"\nReport: {out / 'report.html'}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "configuration 'bad.yaml': cannot be read: No such file or directory"),
        ("name: x\n", "bad.yaml: data: Field required"),
        ("data: {path: a.csv}\ncontenders: [magic]\n", "contender 'magic': is neither a strategy nor a baseline"),
        ("data: {path: a.csv}\ncontenders: [rates]\nepochs: 3\n", "bad.yaml: epochs: Extra inputs are not permitted"),
        ("data: [a.csv\n", "configuration 'bad.yaml': is not YAML"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_said_and_exits_2(text: str | None, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "bad.yaml").write_text(text)
    heard = regraft("arena", "run", "-c", "bad.yaml", at=tmp_path)
    assert heard.code == 2
    assert heard.err.startswith(said)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "soon"], "duration 'soon': cannot be read\nExpected a number and a unit, e.g. 90s"),
        (["--lang", "fr"], "'fr' is not one of 'en', 'ja'"),
    ],
)
def test_an_option_that_cannot_be_read_is_said_and_exits_2(words: list[str], said: str, shop: Path) -> None:
    heard = regraft("arena", "run", "-c", "cheap.yaml", *words, at=shop)
    assert heard.code == 2
    assert said in heard.err


# -- report ----------------------------------------------------------------------------------------


def test_a_report_in_japanese_says_its_verdict_in_japanese(shop: Path, finished: Path, tmp_path: Path) -> None:
    heard = regraft("arena", "report", "run", "--lang", "ja", "--out", tmp_path / "ja.html", at=shop)
    assert heard.code == 0, heard.err
    assert JAPANESE in heard.out
    assert heard.out.endswith(f"\nReport: {tmp_path / 'ja.html'}\n")
    page = (tmp_path / "ja.html").read_text()
    assert 'lang="ja"' in page
    assert JAPANESE in page


def test_the_leaderboard_is_written_for_programs_where_wanted(shop: Path, finished: Path, tmp_path: Path) -> None:
    csv = tmp_path / "tables" / "board.csv"
    heard = regraft("arena", "report", "run", "--out", tmp_path / "a.html", "--csv", csv, at=shop)
    assert heard.code == 0, heard.err
    assert heard.out.endswith(f"\nLeaderboard: {csv}\n")
    header, *rows = csv.read_text().splitlines()
    assert header.startswith("contender,")
    assert {row.split(",")[0] for row in rows} == {"never", "fine-tune", "rates"}


def test_a_folder_without_a_run_is_told_with_the_command_that_makes_one(shop: Path) -> None:
    heard = regraft("arena", "report", "log", at=shop)
    assert heard.code == 2
    assert heard.err.startswith("results folder 'log': has no run.json\n")
    assert "Make one with: regraft arena run" in heard.err


# -- schema ----------------------------------------------------------------------------------------


def test_the_schema_names_every_section_and_says_what_settings_mean(tmp_path: Path) -> None:
    heard = regraft("arena", "schema", at=tmp_path)
    assert heard.code == 0
    schema = json.loads(heard.out)
    assert {"data", "base", "timeline", "adapter", "fit", "contenders", "seeds"} <= set(schema["properties"])
    assert schema["$defs"]["DataOptions"]["properties"]["share"]["description"]


def test_init_takes_a_log_with_many_bad_rows_where_the_share_is_accepted(tmp_path: Path) -> None:
    rows = [f"u{n % 5},i{n % 7},{1_600_000_000 + 86_400 * n},{1 + n % 5}" for n in range(60)] + ["u1,i1,soon,3"] * 2
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id,timestamp,rating", *rows]))
    refused = regraft("arena", "init", "log.csv", at=tmp_path)
    assert refused.code == 2
    assert "regraft arena init log.csv --limit bad-time=0.04" in refused.err
    heard = regraft("arena", "init", "log.csv", "--limit", "bad-time=0.04", at=tmp_path)
    assert heard.code == 0, heard.err
    assert yaml.safe_load((tmp_path / "arena.yaml").read_text())["data"]["limits"] == {"bad-time": 0.04}
    assert regraft("arena", "run", "-c", "arena.yaml", "--dry-run", at=tmp_path).code == 0
    wrong = regraft("arena", "init", "log.csv", "--limit", "bad-time=few", "--force", at=tmp_path)
    assert (wrong.code, wrong.err.split("\n")[0]) == (2, "limits: bad-time: few is not a share")
