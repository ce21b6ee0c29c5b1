"""A base model that cannot be used is refused at once and in words; what is left out of one is told."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from lm.models import TIMELINE, adapter_into, encoder_for, mamba, random_world, saved_base, tiny_base, tokenizer
from regraft.errors import ModelError
from regraft.lm import preflight as module
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.describe import describe
from regraft.lm.graft import Grafts
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.preflight import merging, preflight
from regraft.lm.score import score_blocks
from regraft.lm.workshop import Workshop


def refusal(path: Path | str, **more: Any) -> ModelError:
    with pytest.raises(ModelError) as error:
        BaseModel.load(path, **more)
    return error.value


def edit(folder: Path, **entries: Any) -> Path:
    """The folder with these entries in its config.json."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **entries}))
    return folder


def scores(base: BaseModel) -> np.ndarray:
    encoder = encoder_for(base.tokenizer)
    return score_blocks(base, encoder.answers, encoder.encode(random_world(1)))


# -- is it there -----------------------------------------------------------------------------------


def test_a_folder_with_a_typo_names_the_one_that_was_meant(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    assert refusal(tmp_path / "mien").found == f"is not there (was '{tmp_path / 'mine'}' meant?)"


@pytest.mark.parametrize("path", ["./mien", "../models/mien", "a/b/mien", "~/mien", "C:\\mien"])
def test_what_can_be_no_hub_id_is_never_asked_for(path: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "model_info", lambda *given, **more: pytest.fail("the hub was asked"))
    assert "is not there" in refusal(path).found


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    began = time.monotonic()
    found = refusal("someone/no-such-model").found
    assert time.monotonic() - began < 5
    assert found.startswith("is neither a folder here (there is no folder 'someone' either) nor a model at hand (")


def test_offline_a_hub_id_that_is_not_at_hand_is_refused_without_a_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(module, "model_info", lambda *given, **more: pytest.fail("the hub was asked"))
    assert refusal("someone/no-such-model").found.endswith("nor a model at hand (HF_HUB_OFFLINE is set)")


def test_a_gguf_file_is_sent_to_the_import(tmp_path: Path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    assert refusal(tmp_path / "x.gguf").next_step == (
        f"Make a directory of it with: regraft base import {tmp_path / 'x.gguf'} DIR"
    )


# -- may it be used --------------------------------------------------------------------------------


def larger_tokenizer(folder: Path, words: list[str], special: list[str]) -> Path:
    saved_base(folder)
    grown = PreTrainedTokenizerFast.from_pretrained(folder)
    grown.add_tokens(words)
    grown.add_special_tokens({"extra_special_tokens": special})
    grown.save_pretrained(folder)
    return folder


def test_a_tokenizer_with_words_that_the_embedding_lacks_is_refused(tmp_path: Path):
    rows = len(tokenizer())
    error = refusal(larger_tokenizer(tmp_path, ["Film", "Widget"], ["[PAD]"]))
    assert error.found == (
        f"its tokenizer has {rows + 3} tokens and its embedding {rows} rows: 2 tokens of a text have none, e.g. 'Film'"
    )
    assert f"model.resize_token_embeddings({rows + 3})" in error.next_step


def test_a_special_token_without_a_row_is_told_and_harmless(tmp_path: Path):
    base = BaseModel.load(larger_tokenizer(tmp_path, [], ["[PAD]"]))
    assert base.notes[0].endswith("special tokens such as '[PAD]' have none; no prompt holds them")
    np.testing.assert_allclose(scores(base), scores(tiny_base()), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq, 4 bits"),
        ({"quant_method": "awq", "bits": 4}, "awq, 4 bits"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes, 4 bits"),
        ({"quant_method": "fp8"}, "fp8"),
    ],
)
def test_quantised_weights_are_refused_with_what_to_take_instead(tmp_path: Path, given: dict[str, Any], said: str):
    error = refusal(edit(saved_base(tmp_path), quantization_config=given))
    assert error.found == f"has quantised weights ({said}), which are not read here"
    assert error.next_step.startswith("Take the model it was made from")


def test_an_older_quantised_checkpoint_is_known_by_the_file_beside_its_config(tmp_path: Path):
    (saved_base(tmp_path) / "quantize_config.json").write_text('{"bits": 8, "group_size": 128}')
    assert refusal(tmp_path).found == "has quantised weights (an unknown method, 8 bits), which are not read here"


def test_an_adapter_names_its_base_and_the_command_that_merges_them(tmp_path: Path):
    base, adapter = saved_base(tmp_path / "base"), tmp_path / "adapter"
    error = refusal(adapter_into(adapter, base))
    assert error.found == f"holds a PEFT adapter for the base '{base}' (adapter_config.json), not a model"
    command = error.next_step.partition("'merged': ")[2]
    assert command == merging(str(adapter), str(base))


def test_the_command_that_merges_adapter_and_base_makes_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    base, adapter = saved_base(tmp_path / "base"), tmp_path / "adapter"
    python, option, code = shlex.split(merging(str(adapter_into(adapter, base)), str(base)))
    assert (python, option) == ("python", "-c")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert np.abs(scores(BaseModel.load(tmp_path / "merged")) - scores(tiny_base())).max() > 1e-3


def test_an_adapter_beside_the_weights_is_left_out_and_told(tmp_path: Path):
    folder = saved_base(tmp_path / "base")
    plain = BaseModel.load(folder)
    adapter_into(folder, saved_base(tmp_path / "other"))
    ids = torch.arange(1, 9)[None]
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(folder)(ids).logits - plain.model(ids).logits
    assert float(theirs.abs().max()) > 1e-3  # transformers answers with the adapter
    both = BaseModel.load(folder)
    assert (scores(both) == scores(plain)).all()
    assert both.hash == plain.hash
    assert both.notes[0].startswith(f"base model '{folder}' has an adapter beside its weights")
    assert describe(folder, TIMELINE, "fp32")["to know"] == both.notes[0]


def test_code_of_a_model_is_not_run_and_the_setting_that_allows_it_is_named(tmp_path: Path):
    own = {"AutoConfig": "conf.MyConfig", "AutoModelForCausalLM": "mod.MyModel"}
    edit(saved_base(tmp_path), model_type="mymodel", auto_map=own)
    for name in ("conf.py", "mod.py"):
        (tmp_path / name).write_text("raise SystemError('run')\n")
    error = refusal(tmp_path)
    assert error.found == (
        "brings code of its own (conf.MyConfig, mod.MyModel), which is not run unless it is allowed to"
    )
    assert "base.trust_remote_code: true" in error.next_step
    assert refusal(tmp_path, trust_remote_code=True).found == "cannot be loaded: run"


def test_weights_that_find_no_place_are_told(tmp_path: Path):
    base = BaseModel.load(edit(saved_base(tmp_path), num_hidden_layers=3))
    lost = sum(name.startswith("model.layers.3.") for name in load_file(tmp_path / "model.safetensors"))
    assert len(base.notes) == 1
    assert f"leaves {lost} weights of its file out, e.g. model.layers.3.input_layernorm.weight" in base.notes[0]


def test_a_whole_plain_model_has_nothing_to_tell(tmp_path: Path):
    assert preflight(saved_base(tmp_path)).notes == ()
    assert BaseModel.load(tmp_path).notes == []
    assert "to know" not in describe(tmp_path, TIMELINE, "fp32")


def test_a_family_that_lora_cannot_adapt_is_refused_before_any_work(tmp_path: Path):
    base = BaseModel.load(mamba(tmp_path))
    for look in (lambda: Grafts(base).check(AdapterOptions()), lambda: describe(tmp_path, TIMELINE, "fp32")):
        with pytest.raises(ModelError, match=r"cannot be adapted: .* is incompatible with Mamba-based models") as error:
            look()
        assert error.value.expected.startswith("a family whose linear layers PEFT adapts")


# -- training that diverges ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_training_that_diverges_is_never_a_success(dtype: torch.dtype):
    base = tiny_base()
    base.model.to(dtype)
    encoder = encoder_for(base.tokenizer)
    fit = FitOptions(lr=1e6, epochs=2, targets_per_step=5, hold_out=0.3)
    lab = ModelLab(Workshop(base, encoder, AdapterOptions(rank=2, adapt="all"), fit))
    with pytest.raises(ModelError, match=r"training.*(finite|same score|gradient)"):
        lab.score(Blend.of(lab.fit(random_world(2, events=30))), random_world(2, events=30))
