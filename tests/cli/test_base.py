"""`regraft base`: a base model is built from a log or imported, once, and looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.door import regraft
from lm.ggufs import llama, write_gguf
from regraft.lm.base_model import BaseModel


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
    for words in ("KV cache per token", "kept trunk states per token", "all 1 layer"):
        assert words in heard.out
    assert "original" not in heard.out
    assert "per event" not in heard.out


def shown(*words: object, at: Path) -> dict[str, Any]:
    heard = regraft("base", "show", "base", "--json", *words, at=at)
    assert heard.code == 0, heard.err
    return json.loads(heard.out)


def test_show_for_programs(base: Path, shop: Path) -> None:
    told = shown(at=shop)
    assert (told["layers"], told["objective"], told["template"]) == (1, "labels", "judge-timeline-facts")
    assert told["parameters"] > told["outside embeddings"] > 1000


@pytest.mark.parametrize(("dtype", "bytes_"), [("fp32", 4), ("bf16", 2)])
def test_sizes_and_hash_are_those_of_the_dtype_a_run_would_use(base: Path, shop: Path, dtype: str, bytes_: int) -> None:
    told = shown("--dtype", dtype, at=shop)
    assert told["stored as"] == "float32"
    assert told["kept trunk states per token"] == 32 * bytes_
    assert told["KV cache per token"] == 2 * 32 * bytes_  # keys and values of one layer
    assert told["hash"] == BaseModel.load(base, dtype).hash


def test_with_a_configuration_an_event_is_counted_on_its_log_in_its_dtype(base: Path, shop: Path) -> None:
    told = shown("-c", "shop.yaml", at=shop)
    assert told["dtype"] == "float32"
    assert 5 < told["tokens per event"] < 40
    assert told["kept trunk states per event"] == pytest.approx(told["tokens per event"] * 32 * 4, rel=0.01)
    other = shown("-c", "shop.yaml", "--template", "judge-tallrec", at=shop)
    assert other["template"] == "judge-tallrec"
    assert other["tokens per event"] > told["tokens per event"]  # a prompt of its own repeats what was before


def test_an_imported_model_says_how_many_bits_it_had(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", llama(), "Q4_1")
    heard = regraft("base", "import", "tiny.gguf", "base", at=tmp_path)
    assert heard.code == 0, heard.err
    first, *rest = heard.out.splitlines()
    assert first.startswith("base was imported in ")
    assert first.endswith(" from a 4-bit original (Q4_1).")
    assert rest == ["Look at it with: regraft base show base", "Use it with base.path: base in the configuration."]
    assert shown(at=tmp_path)["original"] == "4-bit original (Q4_1)"
    again = regraft("base", "import", "tiny.gguf", "base", at=tmp_path)
    assert (again.code, again.out.splitlines()) == (0, ["base is there already, imported from this file.", *rest])
    other = regraft("base", "import", "tiny.gguf", "base", "--dtype", "fp32", at=tmp_path)
    assert (other.code, other.out) == (2, "")
    assert other.err == (
        "folder 'base': holds an import of tiny.gguf in bf16, not of tiny.gguf in fp32\n"
        "Expected a new folder, or an empty one\nChoose another name\n"
    )


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
