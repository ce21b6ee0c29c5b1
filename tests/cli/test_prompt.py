"""`regraft prompt` and `regraft export`: what a model reads is shown, checked, and written for other tools."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cli.door import regraft

HEAD = "What one person thought of each item, in order. Yes: liked. No: not liked."
GOOD = """\
{# Titles only. #}
{% block head %}What one visitor did with each item, in order. Yes: clicked. No: passed over.
{% endblock %}
{% block event %}{{ item.title }}:{% endblock %}
{% block yes %} Yes
{% endblock %}
{% block no %} No
{% endblock %}
"""
LEAKS = GOOD.replace("{{ item.title }}:", "{{ item.title }} {{ label }}:")
SAYS = GOOD.replace("{{ item.title }}:", "{{ item.title }}, answer Yes:")


def template(folder: Path, text: str) -> Path:
    path = folder / "own.jinja"
    path.write_text(text)
    return path


# -- list and preview ------------------------------------------------------------------------------


def test_the_templates_are_listed_with_what_they_are(shop: Path) -> None:
    heard = regraft("prompt", "list", at=shop)
    assert heard.code == 0
    assert re.search(r"judge-timeline-ja +Japanese: a user's items in time order", heard.out)
    names = [one["name"] for one in json.loads(regraft("prompt", "list", "--json", at=shop).out)]
    assert "judge-tallrec" in names


def test_a_copy_reads_like_the_template_and_passes_the_check_it_names(shop: Path, tmp_path: Path) -> None:
    heard = regraft("prompt", "copy", "judge-timeline-ja", "my shop/own.jinja", at=tmp_path)
    assert heard.code == 0, heard.err
    assert heard.out.endswith("check it with: regraft prompt lint 'my shop/own.jinja'\n")
    assert regraft("prompt", "lint", "my shop/own.jinja", at=tmp_path).code == 0
    assert "はい" in (tmp_path / "my shop" / "own.jinja").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["judge-timeline", "own.jinja"], "output 'own.jinja': is there already"),
        (["judge-timeline", "own.txt"], "file 'own.txt': ends with '.txt'\nExpected a name ending in .jinja"),
        (["judge", "new.jinja"], "template 'judge': is not in the library and not a file"),
    ],
)
def test_a_copy_that_cannot_be_is_said_and_nothing_is_written(words: list[str], said: str, tmp_path: Path) -> None:
    template(tmp_path, GOOD)
    heard = regraft("prompt", "copy", *words, at=tmp_path)
    assert heard.code == 2
    assert heard.err.startswith(said)
    assert [path.name for path in tmp_path.iterdir()] == ["own.jinja"]
    assert (tmp_path / "own.jinja").read_text() == GOOD


def test_preview_shows_a_prompt_up_to_where_it_is_read_and_the_answer_that_followed(shop: Path) -> None:
    heard = regraft("prompt", "preview", "-c", "shop.yaml", at=shop)
    assert heard.code == 0, heard.err
    first, _, *prompt = heard.out.splitlines()
    assert first.startswith("example 0 of 2,117: user u")
    assert prompt[0] == HEAD
    assert heard.out.count("◀ read here") == 1
    assert prompt[-1] in (r"The answer that followed: ' Yes\n'", r"The answer that followed: ' No\n'")


def test_preview_of_a_user_is_the_newest_example_of_that_user(shop: Path) -> None:
    first = regraft("prompt", "preview", "-c", "shop.yaml", "--example", 2116, at=shop)
    user = first.out.splitlines()[0].split("user ")[1].split(",")[0]
    assert regraft("prompt", "preview", "-c", "shop.yaml", "--user", user, at=shop).out == first.out


def test_preview_with_a_base_model_counts_its_tokens_and_asks_it(shop: Path, base: Path) -> None:
    heard = regraft("prompt", "preview", "-c", "shop.yaml", "--base", "base", at=shop)
    assert heard.code == 0, heard.err
    said = heard.out.splitlines()
    tokens = next(line for line in said if line.endswith(" tokens:"))
    shown = heard.out.split(tokens)[1].split("◀ read here")[0]
    assert shown.count("│") == int(tokens.split()[0])
    assert any(line.startswith(r"The base model compares ' Yes\n' with ' No\n': log-odds ") for line in said)
    assert re.match(r"This history takes \d+ tokens, a further candidate \d+\.", said[-1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--example", "2117"], "stream 'interactions': has no example 2117\nExpected 0 to 2116"),
        (["--user", "nobody"], "user 'nobody': is not in the stream interactions"),
        (["--user", "u1", "--example", "1"], "prompt preview: --example and --user are both given"),
    ],
)
def test_an_example_that_is_not_there_is_said_and_exits_2(words: list[str], said: str, shop: Path) -> None:
    heard = regraft("prompt", "preview", "-c", "shop.yaml", *words, at=shop)
    assert heard.code == 2
    assert heard.err.startswith(said)


# -- lint ------------------------------------------------------------------------------------------


def test_a_good_template_has_nothing_against_it(shop: Path, tmp_path: Path) -> None:
    heard = regraft("prompt", "lint", template(tmp_path, GOOD), "-c", "shop.yaml", at=shop)
    assert heard.code == 0, heard.out
    assert heard.out.splitlines()[-1].startswith("0 errors, 0 warnings, ")


def test_a_template_that_asks_for_the_label_is_an_error_and_exits_1(shop: Path, tmp_path: Path) -> None:
    heard = regraft("prompt", "lint", template(tmp_path, LEAKS), at=shop)
    assert heard.code == 1
    assert "the name 'label' is not known" in heard.out
    assert "Leave it out: the label cannot be reached from a template" in heard.out
    assert heard.out.splitlines()[-1].startswith("1 error, ")


def test_a_template_that_says_an_answer_before_it_is_given_is_an_error(shop: Path, tmp_path: Path) -> None:
    heard = regraft("prompt", "lint", template(tmp_path, SAYS), "-c", "shop.yaml", at=shop)
    assert heard.code == 1
    assert "its own text says 'Yes', as if the answer had been given" in heard.out


def test_findings_for_programs(shop: Path, tmp_path: Path) -> None:
    heard = regraft("prompt", "lint", template(tmp_path, LEAKS), "--json", at=shop)
    assert heard.code == 1
    levels = [finding["level"] for finding in json.loads(heard.out)["findings"]]
    assert levels.count("error") == 1


def test_with_a_base_model_lengths_are_counted_in_tokens(shop: Path, base: Path) -> None:
    heard = regraft("prompt", "lint", "judge-timeline-facts", "-c", "shop.yaml", "--base", "base", at=shop)
    assert heard.code == 0, heard.out
    for part in ("item.title", "facts.item_rate", "any block"):
        assert part in heard.out


def test_a_base_model_without_a_log_is_refused(shop: Path) -> None:
    heard = regraft("prompt", "lint", "judge-timeline", "--base", "base", at=shop)
    assert heard.code == 2
    assert heard.err.endswith("Add: --config FILE\n")


def test_a_template_that_is_not_there_is_told_with_those_that_are(shop: Path) -> None:
    heard = regraft("prompt", "lint", "judge", at=shop)
    assert heard.code == 2
    assert "Expected one of judge-brief-ja, judge-brief, judge-tallrec, " in heard.err


# -- export ----------------------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_trl_gets_the_prompts_that_preview_shows(shop: Path, tmp_path: Path) -> None:
    heard = regraft("export", tmp_path / "all.jsonl", "-c", "shop.yaml", "--format", "trl", at=shop)
    assert heard.code == 0, heard.err
    assert heard.out == f"2,117 examples in {tmp_path / 'all.jsonl'}\n"
    written = lines(tmp_path / "all.jsonl")
    assert len(written) == 2117
    shown = regraft("prompt", "preview", "-c", "shop.yaml", "--example", 7, at=shop).out
    assert written[7]["prompt"] + "◀ read here" in shown
    assert repr(written[7]["completion"]) in shown.splitlines()[-1]


def test_alpaca_gets_its_three_fields_and_the_file_that_describes_them(shop: Path, tmp_path: Path) -> None:
    heard = regraft("export", tmp_path / "two.jsonl", "-c", "shop.yaml", "--format", "alpaca", "--period", 2, at=shop)
    assert heard.code == 0, heard.err
    written = lines(tmp_path / "two.jsonl")
    assert heard.out.startswith(f"{len(written):,} examples in ")
    assert all(set(one) == {"instruction", "input", "output"} for one in written)
    assert {one["output"] for one in written} == {" Yes\n", " No\n"}
    assert json.loads((tmp_path / "dataset_info.json").read_text())["two"]["file_name"] == "two.jsonl"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--period", "9"], "stream 'interactions': has no period 9\nExpected 1 to 4\n"),
        (["--format", "csv"], "'csv' is not one of 'trl', 'alpaca'"),
    ],
)
def test_an_export_that_cannot_be_is_said_and_leaves_no_file(
    words: list[str], said: str, shop: Path, tmp_path: Path
) -> None:
    heard = regraft("export", tmp_path / "out.jsonl", "-c", "shop.yaml", *words, at=shop)
    assert heard.code == 2
    assert said in heard.err
    assert not (tmp_path / "out.jsonl").exists()
