"""`regraft base`: a base model is built from a log, once, and looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.door import regraft


def test_the_same_build_again_does_nothing_and_says_so(shop: Path, base: Path) -> None:
    before = (base / "model.safetensors").stat().st_mtime_ns
    heard = regraft("base", "build", "base", "-c", "shop.yaml", at=shop)
    assert heard.code == 0, heard.err
    assert heard.out.startswith("base is there already, built from these rows with these settings.\n")
    assert "Use it with base.path: base in the configuration." in heard.out
    assert (base / "model.safetensors").stat().st_mtime_ns == before


def test_another_build_into_its_folder_is_refused(shop: Path, base: Path) -> None:
    heard = regraft("base", "build", "base", "-c", "shop.yaml", "--objective", "text", at=shop)
    assert heard.code == 2
    assert heard.err == (
        "folder 'base': holds a base built with other options\n"
        "Expected a new folder, or an empty one\nChoose another name\n"
    )


def test_a_folder_with_something_else_is_left_alone(shop: Path) -> None:
    before = sorted((shop / "log").iterdir())
    heard = regraft("base", "build", "log", "-c", "shop.yaml", at=shop)
    assert heard.code == 2
    assert "folder 'log': holds something else than a base built by regraft" in heard.err
    assert sorted((shop / "log").iterdir()) == before


def test_a_log_without_warm_up_cannot_give_a_base(shop: Path, tmp_path: Path) -> None:
    text = (shop / "shop.yaml").read_text().replace("log/", f"{shop}/log/")
    (tmp_path / "no-warm-up.yaml").write_text(text.replace("warm_up: 0.3", "warm_up: 0"))
    heard = regraft("base", "build", "base", "-c", "no-warm-up.yaml", at=tmp_path)
    assert heard.code == 2
    assert "Set periods.warm_up" in heard.err
    assert not (tmp_path / "base").exists()


def test_show_tells_size_memory_and_the_tokens_of_the_answers(base: Path, shop: Path) -> None:
    heard = regraft("base", "show", "base", at=shop)
    assert heard.code == 0, heard.err
    told = dict(line.strip().split(maxsplit=1) for line in heard.out.splitlines() if len(line.split()) == 2)
    assert (told["layers"], told["width"], told["vocabulary"]) == ("1", "32", "400")
    assert r"of ' Yes\n'" in heard.out
    assert "KV cache per token" in heard.out


def test_show_for_programs(base: Path, shop: Path) -> None:
    told = json.loads(regraft("base", "show", "base", "--json", at=shop).out)
    assert (told["layers"], told["objective"]) == (1, "labels")
    assert told["parameters"] > told["outside embeddings"] > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["log"], "base model 'log': cannot be loaded"),
        (["base", "--template", "judge"], "template 'judge': is not in the library and not a file"),
    ],
)
def test_what_cannot_be_shown_is_said_and_exits_2(words: list[str], said: str, shop: Path, base: Path) -> None:
    heard = regraft("base", "show", *words, at=shop)
    assert heard.code == 2
    assert heard.err.splitlines()[0].startswith(said)
