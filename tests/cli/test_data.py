"""`regraft data`: a log is made, looked at, and what is wrong with it is said."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from cli.door import regraft
from regraft.arena.starter import _seen_from
from regraft.setup.config import ArenaConfig

START = 1_600_000_000


def table(path: Path, header: str = "user_id,item_id,timestamp,rating", bad: int = 0) -> Path:
    """Sixty good rows, then `bad` ones."""
    rows = [f"u{n % 5},i{n % 7},{START + 9000 * n},{n % 5 + 1}" for n in range(60)]
    path.write_text("\n".join([header, *rows, *(["u1,i1,soon,3"] * bad)]) + "\n")
    return path


# -- simulate --------------------------------------------------------------------------------------


def test_a_simulated_log_can_be_looked_at_with_the_command_it_prints(shop: Path, tmp_path: Path) -> None:
    made = regraft("data", "simulate", "my log", "--users", 20, "--items", 20, "--periods", 3, at=tmp_path)
    assert made.code == 0, made.err
    rows = pl.read_parquet(tmp_path / "my log" / "interactions.parquet")
    first, second = made.out.splitlines()
    assert first == f"{len(rows):,} interactions in my log/interactions.parquet"
    assert second == "Look at them with: regraft data inspect 'my log/interactions.parquet'"
    assert pl.read_parquet(tmp_path / "my log" / "items.parquet")["title"].null_count() == 0


def test_the_same_seed_gives_the_same_log_and_another_one_another(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        regraft("data", "simulate", name, "--users", 20, "--items", 20, "--seed", seed, at=tmp_path)
    a, b, c = (pl.read_parquet(tmp_path / name / "interactions.parquet") for name in "abc")
    assert a.equals(b)
    assert not a.equals(c)


def test_titles_can_be_japanese(tmp_path: Path) -> None:
    regraft("data", "simulate", "ja", "--users", 20, "--items", 20, "--language", "ja", at=tmp_path)
    titles = pl.read_parquet(tmp_path / "ja" / "items.parquet")["title"]
    assert titles.str.contains(r"[\p{Hiragana}\p{Katakana}\p{Han}]").all()


def test_a_setting_may_be_switched_off(tmp_path: Path) -> None:
    made = regraft("data", "simulate", "calm", "--users", 20, "--set", "taste_change_at=null", at=tmp_path)
    assert made.code == 0, made.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "tast=3"], "drift world: has no setting tast\nExpected some of users, items, periods"),
        (["--set", "seed"], "--set: 'seed' is no pair\nExpected --set KEY=VALUE"),
        (["--users", "0"], "drift world: users: found 0\nExpected "),
        (["--set", "impressions=many"], "drift world: impressions: found 'many'"),
        (["--language", "fr"], "drift world: language: found 'fr'\nExpected en or ja"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_nothing_is_written(
    words: list[str], said: str, tmp_path: Path
) -> None:
    heard = regraft("data", "simulate", "log", *words, at=tmp_path)
    assert heard.code == 2
    assert heard.err.startswith(said)
    assert not (tmp_path / "log").exists()


# -- inspect ---------------------------------------------------------------------------------------


def test_inspect_says_what_is_there_what_to_set_and_what_comes_next(shop: Path) -> None:
    heard = regraft("data", "inspect", "log/interactions.parquet", at=shop)
    assert heard.code == 0, heard.err
    said = heard.out.splitlines()
    assert said[1] == "Parquet table with user_id, item_id, timestamp, value, event"
    for words in ("rows      3,024 = 3,024 accepted + 0 set aside", "items     40, 40 of them with a title"):
        assert words in said
    assert 'label     event == "click"' in said
    assert "periods   by time, n 4, warm_up 0.3" in said
    assert "timeline  context (W) 10, targets (H) 8" in said
    assert said[-1] == "Next: regraft arena init log/interactions.parquet"


def test_the_next_command_repeats_how_the_log_was_read(tmp_path: Path) -> None:
    table(tmp_path / "my log.csv", "who,what,when,no")
    mapping = ("--mapping", "user_id=who", "--mapping", "item_id=what", "--mapping", "timestamp=when")
    heard = regraft("data", "inspect", "my log.csv", *mapping, "--mapping", "value=no", at=tmp_path)
    assert heard.code == 0, heard.err
    assert "values    1: 12, 2: 12, 3: 12, 4: 12, 5: 12" in heard.out
    assert heard.out.splitlines()[-1] == f"Next: regraft arena init 'my log.csv' {' '.join(mapping)} --mapping value=no"


def test_label_and_periods_may_be_given(tmp_path: Path) -> None:
    table(tmp_path / "log.csv")
    heard = regraft("data", "inspect", "log.csv", "--label", "rating >= 5", "--periods", 3, at=tmp_path)
    assert "liked     20.0% under the rule rating >= 5" in heard.out
    assert "periods   by time, n 3" in heard.out


def test_a_picture_is_drawn(shop: Path, tmp_path: Path) -> None:
    heard = regraft("data", "inspect", "log/interactions.parquet", "--plot", tmp_path / "log.svg", at=shop)
    assert heard.code == 0, heard.err
    assert f"Picture: {tmp_path / 'log.svg'}" in heard.out
    assert "Events per period" in (tmp_path / "log.svg").read_text()


def test_json_holds_the_counts_and_the_proposals(tmp_path: Path) -> None:
    table(tmp_path / "log.csv")
    told = json.loads(regraft("data", "inspect", "log.csv", "--json", at=tmp_path).out)
    assert (told["rows_in"], told["users"], told["items"]) == (60, 5, 7)
    assert told["proposals"]["label"]["value"] == "rating > 2"
    assert told["periods"][0]["start"].startswith("2020-09-13T12:26:40")


def test_too_many_bad_rows_are_an_error_that_names_the_command_to_see_them(tmp_path: Path) -> None:
    table(tmp_path / "log.csv", bad=3)
    heard = regraft("data", "inspect", "log.csv", at=tmp_path)
    assert heard.code == 2
    assert heard.err.startswith("log.csv line 62: a timestamp that is not a time (the column 'timestamp' holds 'soon')")
    assert "3 of 63 rows (4.76%) are like this; the limit is 1.00%" in heard.err
    assert "See them with: regraft data inspect log.csv --quarantine" in heard.err
    assert heard.out == ""


def test_quarantine_shows_the_bad_rows_and_writes_them_where_wanted(tmp_path: Path) -> None:
    table(tmp_path / "log.csv", bad=3)
    heard = regraft("data", "inspect", "log.csv", "--quarantine-file", "bad/rows.csv", at=tmp_path)
    assert heard.code == 0, heard.err
    assert "rows      63 = 60 accepted + 3 set aside" in heard.out
    assert "          3 bad-time: a timestamp that is not a time, e.g." in heard.out
    assert "            log.csv:62: u1,i1,soon,3" in heard.out
    aside = pl.read_csv(tmp_path / "bad" / "rows.csv")
    assert aside["line"].to_list() == [62, 63, 64]
    assert aside["reason"].unique().to_list() == ["bad-time"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.csv"], "nothing.csv: does not exist"),
        (["log.csv", "--reader", "tables"], "readers: 'tables': there is no such plug-in"),
        (["log.csv", "--mapping", "user_id=who"], "log.csv: has no column 'who', which the mapping names as user_id"),
        (["log.csv", "--mapping", "user_id"], "--mapping: 'user_id' is no pair"),
        (["log.csv", "--mapping", "user=u"], "mapping: 'user' is not a key"),
        (["log.csv", "--label", "stars > 3"], "label rule 'stars > 3': cannot be read"),
        (["log.csv", "--label", "rating > 9"], "label rule 'rating > 9': gives every one of 60 rows the same label"),
        (["log.csv", "--plot", "log.gif"], "plot 'log.gif': ends with '.gif'"),
        (["log.csv", "--quarantine-file", "folder.csv"], None),
        (["log.csv", "--periods", "1"], None),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_2(words: list[str], said: str | None, tmp_path: Path) -> None:
    table(tmp_path / "log.csv")
    (tmp_path / "folder.csv").mkdir()
    heard = regraft("data", "inspect", *words, at=tmp_path)
    assert heard.code == 2
    assert heard.out == ""
    assert heard.err.startswith(said) if said else heard.err


def test_the_item_file_of_a_mapping_is_named_as_seen_from_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = {"user_id": "who", "items": "data/goods.csv"}
    assert _seen_from(Path("conf/deep/arena.yaml"), found) == {"user_id": "who", "items": "../../data/goods.csv"}
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.yaml").write_text("data: {path: ../log.csv, mapping: {items: ../data/goods.csv}}\n")
    config = ArenaConfig.read(tmp_path / "conf" / "a.yaml")
    assert config.data.mapping == {"items": str((tmp_path / "data" / "goods.csv").resolve())}
