"""Adapter directories: what PEFT writes, whole or not at all, checked whenever they are read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file

from lm.models import encoder_for, plain_log_odds, random_world, separate_prompts, tiny_base, tiny_model, wide
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions
from regraft.lm.score import score_blocks

SHAPE = AdapterShape(2, 4.0, ("q", "v"), (1,))


def small(**changed: np.ndarray) -> Adapter:
    rng = np.random.default_rng(0)
    weights = {
        f"layers.1.{module}.lora_{kind}": rng.normal(size=size).astype(np.float32)
        for module in "qv"
        for kind, size in (("A", (2, 5)), ("B", (3, 2)))
    }
    return Adapter(SHAPE, {**weights, **changed}, {"base": "b" * 8, "template": "t", "examples": 7})


def test_delta_is_scale_times_b_a():
    adapter = small()
    expected = 2.0 * adapter.weights["layers.1.q.lora_B"] @ adapter.weights["layers.1.q.lora_A"]
    np.testing.assert_allclose(adapter.delta("layers.1.q"), expected)
    assert (adapter.modules, adapter.bytes) == (["layers.1.q", "layers.1.v"], 4 * 2 * (10 + 6))


def test_the_hash_names_the_weights_and_the_shape_but_not_the_lineage():
    one = small()
    assert Adapter(one.shape, dict(reversed(one.weights.items())), {}).hash == one.hash
    assert Adapter(AdapterShape(2, 8.0, ("q", "v"), (1,)), one.weights).hash != one.hash
    nudged = one.weights["layers.1.q.lora_A"].copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], 9)
    assert small(**{"layers.1.q.lora_A": nudged}).hash != one.hash


def test_save_and_load_give_back_every_bit(tmp_path: Path):
    adapter = small()
    assert adapter.save(tmp_path / "a", "some/base") == tmp_path / "a"
    again = Adapter.load(tmp_path / "a", {"base": "b" * 8, "template": "t"})
    assert (again.hash, again.shape, again.lineage) == (adapter.hash, SHAPE, adapter.lineage)
    assert all((again.weights[n] == w).all() for n, w in adapter.weights.items())
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_an_adapter_that_is_there_already_is_left_as_it_is(tmp_path: Path):
    small().save(tmp_path / "a")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()}
    small().save(tmp_path / "a")
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()} == before


def test_half_a_directory_is_replaced(tmp_path: Path):
    small().save(tmp_path / "a")
    (tmp_path / "a" / "manifest.json").unlink()
    small().save(tmp_path / "a")
    assert Adapter.load(tmp_path / "a").hash == small().hash


# -- PEFT ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("adapt", ["all", 2])
def test_peft_reads_the_directory_and_scores_as_the_graft_does(tmp_path: Path, family: str, adapt: object):
    base, view = tiny_base(family), random_world(1, events=20)
    adapter = wide(base, 0, AdapterOptions(rank=3, alpha=5.0, adapt=adapt))  # type: ignore[arg-type]
    encoder = encoder_for(base.tokenizer)
    Grafts(base).put(adapter)
    ours = score_blocks(base, encoder.answers, encoder.encode(view))
    peft = PeftModel.from_pretrained(tiny_model(family).eval(), adapter.save(tmp_path / "a"))
    theirs = plain_log_odds(peft, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
def test_the_directory_is_the_one_peft_would_write(tmp_path: Path, family: str):
    base = tiny_base(family)
    shape = Grafts(base).shape(AdapterOptions(rank=3, alpha=5.0, adapt=2))
    wide(base, 0, AdapterOptions(rank=3, alpha=5.0, adapt=2)).save(tmp_path / "ours", "some/base")
    config = LoraConfig(
        r=3, lora_alpha=5.0, target_modules=list(shape.targets), layers_to_transform=list(shape.layers or ()),
        task_type="CAUSAL_LM", fan_in_fan_out=family == "gpt2",
    )  # fmt: skip
    get_peft_model(tiny_model(family), config).save_pretrained(tmp_path / "theirs")
    ours, theirs = ({p.name for p in (tmp_path / n).iterdir()} for n in ("ours", "theirs"))
    assert theirs <= ours
    assert ours - theirs == {"lineage.json", "manifest.json"}
    tensors = [load_file(tmp_path / n / "adapter_model.safetensors") for n in ("ours", "theirs")]
    found, wanted = ({k: (v.shape, v.dtype) for k, v in t.items()} for t in tensors)
    assert found == wanted
    read, expected = (json.loads((tmp_path / n / "adapter_config.json").read_text()) for n in ("ours", "theirs"))
    assert set(read) <= set(expected)
    for name in set(read) - {"base_model_name_or_path", "target_modules"}:
        assert read[name] == expected[name], name
    assert sorted(read["target_modules"]) == sorted(expected["target_modules"])
    assert read["base_model_name_or_path"] == "some/base"


# -- damage --------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [flip, halve, Path.unlink])
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "lineage.json", "manifest.json"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, damage: Callable[[Path], None]):
    folder = small().save(tmp_path / "a")
    damage(folder / name)
    with pytest.raises(ModelError) as error:
        Adapter.load(folder)
    assert str(error.value).startswith(f"adapter '{folder}': ")


def test_a_changed_file_is_named(tmp_path: Path):
    folder = small().save(tmp_path / "a")
    flip(folder / "adapter_model.safetensors")
    with pytest.raises(ModelError) as error:
        Adapter.load(folder)
    assert str(error.value) == (
        f"adapter '{folder}': adapter_model.safetensors is not the file that was written\n"
        "Expected the sha256 of manifest.json"
    )


def test_the_files_of_another_adapter_are_refused(tmp_path: Path):
    folder = small().save(tmp_path / "a")
    other = small(**{"layers.1.q.lora_A": np.ones((2, 5), np.float32)}).save(tmp_path / "b")
    shutil.copy(other / "adapter_model.safetensors", folder)
    with pytest.raises(ModelError, match="is not the file that was written"):
        Adapter.load(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lora_A", np.full((2, 5), np.nan), "module layers.1.q holds numbers that are not finite"),
        ("lora_B", np.full((3, 2), np.inf), "module layers.1.q holds numbers that are not finite"),
        ("lora_A", np.ones((3, 5)), "module layers.1.q lacks a matrix or has the wrong rank"),
        ("lora_B", np.ones((3, 4)), "module layers.1.q lacks a matrix or has the wrong rank"),
        ("lora_A", np.ones(2), "module layers.1.q lacks a matrix or has the wrong rank"),
    ],
)
def test_weights_that_cannot_work_are_refused(tmp_path: Path, name: str, value: np.ndarray, message: str):
    folder = small(**{f"layers.1.q.{name}": value.astype(np.float32)}).save(tmp_path / "a")
    with pytest.raises(ModelError) as error:
        Adapter.load(folder)
    assert message in str(error.value)


def test_a_matrix_without_its_partner_is_refused(tmp_path: Path):
    whole = small()
    weights = {n: w for n, w in whole.weights.items() if n != "layers.1.v.lora_B"}
    with pytest.raises(ModelError, match=r"module layers\.1\.v lacks a matrix"):
        Adapter.load(Adapter(SHAPE, weights).save(tmp_path / "a"))


def test_an_adapter_that_does_nothing_is_refused(tmp_path: Path):
    zero = {f"layers.1.{m}.lora_B": np.zeros((3, 2), np.float32) for m in "qv"}
    assert small(**zero).does_nothing
    assert not small().does_nothing
    folder = small(**zero).save(tmp_path / "a")
    with pytest.raises(ModelError) as error:
        Adapter.load(folder)
    assert str(error.value) == (
        f"adapter '{folder}': every B is zero: it leaves the base model as it is\nExpected a trained adapter"
    )


def test_an_adapter_of_another_base_model_is_refused(tmp_path: Path):
    folder = small().save(tmp_path / "a")
    with pytest.raises(ModelError) as error:
        Adapter.load(folder, {"base": "c" * 8})
    assert str(error.value) == f"adapter '{folder}': was made for base bbbbbbbb\nExpected base cccccccc"
