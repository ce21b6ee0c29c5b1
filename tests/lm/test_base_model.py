"""The frozen language model: loaded from a directory, checked, named by content, never trained."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CohereConfig, CohereForCausalLM, GraniteConfig, GraniteForCausalLM

from lm.models import FAMILIES, encoder_for, random_world, saved_base, sizes, tiny_base, tiny_model, tokenizer
from regraft.data.regimes import Regime
from regraft.errors import ModelError
from regraft.lm.base_model import BaseModel
from regraft.lm.dtypes import probe_dtype
from regraft.lm.score import score_blocks

IDS = torch.arange(1, 40)[None]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_rows_of_the_head_give_the_models_own_logits(family: str):
    base = tiny_base(family)
    with torch.no_grad():
        logits = base.model(input_ids=IDS, use_cache=False).logits[0]
        ours = base.log_odds(base.hidden(IDS)[0], 7, 11)
    np.testing.assert_allclose(ours, logits[:, 7] - logits[:, 11], atol=1e-4)
    assert float(ours.std()) > 0.3


@pytest.mark.parametrize(
    "model",
    [
        lambda: GraniteForCausalLM(GraniteConfig(**sizes(300), logits_scaling=4.0)),
        lambda: CohereForCausalLM(CohereConfig(**sizes(300), logit_scale=0.25)),
    ],
    ids=["granite", "cohere"],
)
def test_families_that_scale_their_logits_are_read_with_their_scale(model: object):
    base = BaseModel.of(model(), tokenizer())  # type: ignore[operator]
    with torch.no_grad():
        logits = base.model(input_ids=IDS, use_cache=False).logits[0]
        np.testing.assert_allclose(base.log_odds(base.hidden(IDS)[0], 7, 11), logits[:, 7] - logits[:, 11], atol=1e-4)


def test_a_model_whose_logits_are_not_its_head_on_its_states_is_refused():
    model = tiny_model("llama")
    head = model.get_output_embeddings()
    head.forward = lambda states: nn.functional.linear(states, head.weight) * 3  # type: ignore[union-attr]
    with pytest.raises(ModelError) as error:
        BaseModel.of(model, tokenizer(), "odd")
    assert str(error.value).startswith("base model 'odd': its logits differ by ")
    assert str(error.value).endswith("a model whose logits are its output head applied to its last hidden state")


def deaf_to(name: str) -> BaseModel:
    """A model that ignores masks, or positions, as some families do."""
    base = tiny_base("llama")
    forward = base.model.model.forward
    base.model.model.forward = lambda **given: forward(**{**given, name: None})
    return base


@pytest.mark.parametrize("name", ["attention_mask", "position_ids"])
def test_a_model_that_reads_packed_candidates_otherwise_than_one_by_one_is_refused(name: str):
    base = deaf_to(name)
    encoder = encoder_for(base.tokenizer, regime=Regime("paper"))
    blocks = encoder.encode(random_world(1))
    assert len(score_blocks(base, encoder.answers, blocks)) == 40
    with pytest.raises(ModelError) as error:
        score_blocks(base, encoder.answers, encoder_for(base.tokenizer).encode(random_world(1)))
    assert str(error.value) == (
        "base model 'in memory': reads several candidates behind one history otherwise than one by one: "
        "it does not keep to 4D masks\n"
        "Expected a model of a family that does, such as Llama, Qwen, Gemma, Mistral or GPT-2"
    )


def test_a_base_is_frozen_and_scores_without_dropout():
    base, view = tiny_base("gpt2"), random_world(1)
    assert not any(p.requires_grad for p in base.model.parameters())
    encoder = encoder_for(base.tokenizer)
    blocks = encoder.encode(view)
    first, second = (score_blocks(base, encoder.answers, blocks) for _ in range(2))
    assert (first == second).all()


def test_a_directory_gives_the_model_that_was_saved(tmp_path: Path):
    base = BaseModel.load(saved_base(tmp_path / "here", "gemma2"))
    assert base.hash == tiny_base("gemma2").hash
    assert base.hash == BaseModel.load(saved_base(tmp_path / "there", "gemma2")).hash
    assert (base.path, base.dtype, base.objective) == (str(tmp_path / "here"), torch.float32, "foreign")


def test_the_hash_changes_with_weights_config_and_tokenizer(tmp_path: Path):
    names = {tiny_base("llama").hash, tiny_base("llama", seed=1).hash, tiny_base("qwen3").hash}
    folder = saved_base(tmp_path / "window", "mistral")
    names.add(BaseModel.load(folder).hash)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "sliding_window": 7}))
    names.add(BaseModel.load(folder).hash)
    spoken = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps({**spoken, "normalizer": {"type": "Lowercase"}}))
    names.add(BaseModel.load(folder).hash)
    assert len(names) == 6


def test_a_folder_that_is_no_model_is_refused_with_the_way_to_get_one(tmp_path: Path):
    for folder, found in ((tmp_path / "nothing", "is not there"), (tmp_path, "cannot be loaded: ")):
        with pytest.raises(ModelError) as error:
            BaseModel.load(folder)
        assert str(error.value).startswith(f"base model '{folder}': {found}")
        assert str(error.value).endswith(
            "Expected a Hugging Face causal LM directory or id with safetensors weights and a tokenizer\n"
            "Build a small one with: regraft base build -c FILE DIR"
        )


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_or_missing_file_is_refused(tmp_path: Path, name: str):
    folder = saved_base(tmp_path / "base")
    for damage in (lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), Path.unlink):
        damage(folder / name)
        if name == "tokenizer.json" and not (folder / name).exists():
            (folder / "tokenizer_config.json").unlink()
        with pytest.raises(ModelError, match="cannot be loaded"):
            BaseModel.load(folder)


def test_a_weight_that_is_missing_is_never_drawn_at_random(tmp_path: Path):
    folder = saved_base(tmp_path / "base")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.2.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError) as error:
        BaseModel.load(folder)
    assert str(error.value) == (
        f"base model '{folder}': lacks 1 of its weights, e.g. model.layers.2.mlp.up_proj.weight: "
        "they would be drawn at random\nExpected a complete model"
    )


def test_parameters_count_what_multiplies_a_token(tmp_path: Path):
    base = tiny_base("llama")
    inside = sum(p.numel() for n, p in base.model.named_parameters() if "embed" not in n and "lm_head" not in n)
    assert base.parameters == inside


def test_a_base_knows_its_length_and_layers():
    base = tiny_base("gpt2")
    assert (base.longest, base.n_layers) == (2048, 4)


def test_running_layers_again_needs_layers_that_can():
    base = tiny_base()
    base.model = SimpleNamespace(modules=lambda: iter(()))
    with pytest.raises(ModelError) as error, base.recomputing():
        pass
    assert str(error.value) == (
        "base model 'in memory': its layers cannot be run again in the backward pass\n"
        "Expected a model that supports gradient checkpointing\n"
        "Set fit.gradient_checkpointing: false"
    )


def test_the_dtype_probe_names_a_dtype():
    assert probe_dtype() in ("fp32", "bf16")


def test_a_base_loads_in_bf16(tmp_path: Path):
    assert BaseModel.load(saved_base(tmp_path / "base"), "bf16").dtype == torch.bfloat16
