"""No command writes onto what it reads, whatever its name, nor unasked onto what regraft did not write."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from cli.door import regraft

CONFIG = "data: {path: x.interactions.csv, label: rating > 3, periods: {n: 3, warm_up: 0.3}}\ncontenders: [rates]\n"
INPUTS = ("x.interactions.csv", "x.items.csv", "c.yaml", "own.jinja")


def write_shop(folder: Path) -> Path:
    """A folder with a log, its item file, a configuration and a template of its own."""
    rows = [f"u{n % 40},i{n % 11},{1_600_000_000 + 40_000 * n},{1 + (n * 7) % 5}" for n in range(240)]
    folder.mkdir(exist_ok=True)
    (folder / INPUTS[0]).write_text("\n".join(["user_id,item_id,timestamp,rating", *rows, ""]))
    (folder / INPUTS[1]).write_text("\n".join(["item_id,title", *(f"i{n},Item {n}" for n in range(11)), ""]))
    assert regraft("prompt", "copy", "judge-timeline", INPUTS[3], at=folder).code == 0
    (folder / INPUTS[2]).write_text(CONFIG + "template: own.jinja\n")
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("outputs"))


@pytest.fixture(scope="module")
def run(shop: Path) -> Path:
    done = regraft("arena", "run", "-c", "c.yaml", "--out", "run", at=shop)
    assert done.code == 0, done.err
    return shop / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def spellings(folder: Path, name: str) -> list[str]:
    """The name of an input, spelled and linked in other ways."""
    soft, hard = folder / f"soft-{name}", folder / f"hard-{name}"
    if not soft.exists():
        soft.symlink_to(name)
        os.link(folder / name, hard)
    return [name, str(folder / name), f"./{name}", f"../{folder.name}/{name}", soft.name, hard.name]


WRITING = {
    "quarantine": ("data", "inspect", "x.interactions.csv", "--quarantine-file", "OUT"),
    "export": ("export", "OUT", "-c", "c.yaml"),
    "export for LLaMA-Factory": ("export", "OUT", "-c", "c.yaml", "--format", "alpaca"),
    "init": ("arena", "init", "x.interactions.csv", "--out", "OUT"),
    "report": ("arena", "report", "run", "--out", "OUT"),
    "leaderboard": ("arena", "report", "run", "--csv", "OUT"),
}
READS = {"quarantine": INPUTS[:2], "init": INPUTS[:2], "report": INPUTS[:2], "leaderboard": INPUTS[:2]}


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "force"])
@pytest.mark.parametrize("what", WRITING)
def test_no_command_writes_onto_what_it_reads(what: str, force: tuple[str, ...], shop: Path, run: Path) -> None:
    before = contents(shop)
    for name in READS.get(what, INPUTS):
        for spelled in spellings(shop, name):
            before |= dict.fromkeys((f"soft-{name}", f"hard-{name}"), before[name])
            heard = regraft(*(spelled if word == "OUT" else word for word in WRITING[what]), *force, at=shop)
            assert (heard.code, "is a file that this command reads" in heard.err) == (2, True), heard.err
            assert "Traceback" not in heard.err
    assert contents(shop) == before


@pytest.mark.parametrize("name", ["run.json", "scores.parquet", "cases.parquet", "costs.parquet", "claim.json"])
@pytest.mark.parametrize("option", ["--out", "--csv"])
def test_a_report_is_not_written_onto_the_run_it_reads(option: str, name: str, shop: Path, run: Path) -> None:
    before = contents(run)
    for force in ((), ("--force",)):
        heard = regraft("arena", "report", "run", option, run / name, *force, at=shop)
        assert (heard.code, "which" in heard.err or "reads" in heard.err) == (2, True), heard.err
    assert contents(run) == before


def test_a_report_is_not_written_among_the_cells(shop: Path, run: Path) -> None:
    cell = next((run / "cells").rglob("scores.parquet"))
    for place in (cell, cell.with_name("board.csv")):
        heard = regraft("arena", "report", "run", "--csv", place, "--force", at=shop)
        assert (heard.code, "lies among the results of the run" in heard.err) == (2, True)


def test_two_outputs_of_one_command_are_two_files(shop: Path, run: Path, tmp_path: Path) -> None:
    heard = regraft("arena", "report", "run", "--out", tmp_path / "a", "--csv", tmp_path / "a", at=shop)
    assert heard.code == 2
    same = ("--quarantine-file", tmp_path / "b.svg", "--plot", tmp_path / "b.svg")
    assert regraft("data", "inspect", "x.interactions.csv", *same, at=shop).code == 2
    assert not list(tmp_path.iterdir())


PLACES = {
    "quarantine": ("data", "inspect", "x.interactions.csv", "--quarantine-file", "mine.csv"),
    "quarantine, JSON Lines": ("data", "inspect", "x.interactions.csv", "--quarantine-file", "mine.jsonl"),
    "quarantine, Parquet": ("data", "inspect", "x.interactions.csv", "--quarantine-file", "mine.parquet"),
    "picture": ("data", "inspect", "x.interactions.csv", "--plot", "mine.svg"),
    "picture, PNG": ("data", "inspect", "x.interactions.csv", "--plot", "mine.png"),
    "picture, PDF": ("data", "inspect", "x.interactions.csv", "--plot", "mine.pdf"),
    "export": ("export", "mine.jsonl", "-c", "c.yaml"),
    "copy": ("prompt", "copy", "judge-timeline", "mine.jinja"),
    "report": ("arena", "report", "run", "--out", "mine.html"),
    "leaderboard": ("arena", "report", "run", "--csv", "mine.csv"),
}
ASKED = {"export", "copy"}  # what these wrote may have been edited since: it is never replaced unasked


@pytest.mark.parametrize("what", PLACES)
def test_what_regraft_did_not_write_is_replaced_with_force_only(what: str, shop: Path, run: Path) -> None:
    mine = shop / next(word for word in PLACES[what] if word.startswith("mine."))
    mine.write_text("my own notes")
    refused = regraft(*PLACES[what], at=shop)
    assert (refused.code, refused.err) == (
        2,
        f"output '{mine.name}': is there already\nExpected a new name\n"
        "Choose another name, or replace it with --force\n",
    )
    assert mine.read_text() == "my own notes"
    forced = regraft(*PLACES[what], "--force", at=shop)
    assert forced.code == 0, forced.err
    written = mine.read_bytes()
    assert written != b"my own notes"
    again = regraft(*PLACES[what], at=shop)
    assert again.code == (2 if what in ASKED else 0), again.err
    mine.unlink()


def test_an_empty_list_of_bad_rows_is_known_again(shop: Path, tmp_path: Path) -> None:
    for ending in (".csv", ".parquet"):
        words = ("data", "inspect", "x.interactions.csv", "--quarantine-file", tmp_path / f"rows{ending}")
        assert [regraft(*words, at=shop).code for _ in range(2)] == [0, 0]


def test_a_simulated_log_takes_the_place_of_a_simulated_log_only(tmp_path: Path) -> None:
    words = ("data", "simulate", "log", "--users", 30, "--items", 20)
    assert [regraft(*words, at=tmp_path).code for _ in range(2)] == [0, 0]
    for name in ("interactions.parquet", "items.parquet"):
        pl.DataFrame({"mine": [1]}).write_parquet(tmp_path / "log" / name)
        before = contents(tmp_path)
        refused = regraft(*words, at=tmp_path)
        assert (refused.code, refused.err.splitlines()[0]) == (2, f"output 'log/{name}': is there already")
        assert contents(tmp_path) == before
        assert regraft(*words, "--force", at=tmp_path).code == 0


@pytest.mark.parametrize("name", ["scores.parquet", "cases.parquet", "report.html", "cells/log.parquet"])
def test_a_run_does_not_write_onto_the_log_that_lies_in_its_folder(name: str, tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop")
    log = folder / name
    log.parent.mkdir(exist_ok=True)
    pl.read_csv(folder / INPUTS[0]).write_parquet(log)
    (folder / "c.yaml").write_text(CONFIG.replace("x.interactions.csv", name))
    before = contents(folder)
    heard = regraft("arena", "run", "-c", "c.yaml", "--out", ".", at=folder)
    assert (heard.code, "which is read, where the run writes its" in heard.err) == (2, True), heard.err
    assert contents(folder) == before


def test_a_run_does_not_write_into_a_folder_that_holds_files_of_its_names(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    heard = regraft("arena", "run", "-c", "c.yaml", "--out", tmp_path, at=shop)
    assert (heard.code, "holds run.json, which no run wrote" in heard.err) == (2, True)
    assert contents(tmp_path) == {"run.json": b"{}"}


def test_a_cache_that_is_removed_takes_nothing_with_it_that_others_put_there(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    cache = tmp_path / "trunk-0"
    cache.mkdir()
    (cache / "cache.json").write_text('{"width": 8, "dtype": "float32", "format": 1}')
    for name in ("model.safetensors", "notes.txt", f"{7:020d}-1.safetensors"):
        (cache / name).write_text("x")
    assert regraft("cache", "prune", tmp_path, "--all", at=tmp_path).code == 0
    assert {p.name for p in cache.iterdir()} == {"model.safetensors", "notes.txt"}
