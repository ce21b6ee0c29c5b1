"""Adapters on a live model: put, taken, turned off; the base model itself never changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from lm.models import LAYERS, encoder_for, random_world, tiny_base, tiny_model, tokenizer, wide
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks
from regraft.lm.graft import Grafts, take
from regraft.lm.options import AdapterOptions
from regraft.lm.score import score_blocks

ENCODER = encoder_for(tokenizer())
BLOCKS: Blocks = ENCODER.encode(random_world(1, events=20))
IDS = torch.arange(1, 30)[None]


def scores(base: BaseModel) -> np.ndarray:
    return score_blocks(base, ENCODER.answers, BLOCKS)


def shape_of(base: BaseModel, **options: object) -> AdapterShape:
    return Grafts(base).shape(AdapterOptions(**{"rank": 2, "alpha": 4.0, "adapt": "all", **options}))  # type: ignore[arg-type]


# -- shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "linear"),
    [
        ("llama", ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]),
        ("gemma3", ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]),
        ("gpt2", ["c_attn", "c_fc", "c_proj"]),
    ],
)
def test_auto_means_every_linear_layer_below_the_head(family: str, linear: list[str]):
    assert list(shape_of(tiny_base(family)).targets) == linear


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
def test_top_k_leaves_lower_layers_without_parameters(family: str):
    base = tiny_base(family)
    shape = shape_of(base, adapt=1)
    assert shape.layers == (LAYERS - 1,)
    grafts = Grafts(base)
    adapter = grafts.fresh(shape, 0)
    assert adapter.modules
    assert all(f".{LAYERS - 1}." in module for module in adapter.modules)
    assert set(grafts.put(adapter)) == set(adapter.weights)


def test_an_unknown_target_is_refused_with_the_names_there_are():
    with pytest.raises(ModelError) as error:
        shape_of(tiny_base("gpt2"), targets=["c_attn", "q_proj", "value"])
    assert str(error.value) == (
        "adapter.targets: this model has no linear layer named q_proj, value\nExpected c_attn, c_fc, c_proj"
    )


@pytest.mark.parametrize("k", [0, LAYERS + 1, -1])
def test_more_layers_than_there_are_cannot_be_adapted(k: int):
    with pytest.raises(ModelError) as error:
        shape_of(tiny_base(), adapt=k)
    assert str(error.value) == f"adapter.adapt: top {k} layers\nExpected all, or 1 to {LAYERS}"


# -- fresh adapters ------------------------------------------------------------------------------------


def test_a_fresh_adapter_does_nothing_and_depends_on_its_seed_alone():
    base = tiny_base()
    bare = scores(base)
    grafts = Grafts(base)
    shape = shape_of(base)
    fresh = grafts.fresh(shape, 3)
    assert fresh.does_nothing
    grafts.put(fresh)
    np.testing.assert_array_equal(scores(base), bare)
    assert Grafts(tiny_base()).fresh(shape, 3).hash == fresh.hash != grafts.fresh(shape, 4).hash


def test_a_fresh_adapter_is_drawn_as_peft_draws_it():
    base = tiny_base()
    fresh = Grafts(base).fresh(shape_of(base), 0)
    peft = get_peft_model(tiny_model("llama"), LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
    for name, parameter in peft.named_parameters():
        if "lora_A" in name:
            ours = fresh.weights[name.removeprefix("base_model.model.").removesuffix(".default.weight")]
            assert ours.shape == tuple(parameter.shape)
            bound = 1 / np.sqrt(ours.shape[1])
            assert 0.8 * bound < max(np.abs(ours).max(), float(parameter.detach().abs().max())) <= bound


# -- put, take, bare -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_is_put_is_taken_bit_for_bit(dtype: torch.dtype):
    base = BaseModel.of(tiny_model("llama").to(dtype), tokenizer())
    adapter = wide(base)
    taken = take(Grafts(base).put(adapter))
    assert set(taken) == set(adapter.weights)
    assert all((taken[n] == adapter.weights[n]).all() for n in taken)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_bare_is_the_untouched_model_bit_for_bit_and_the_adapter_comes_back(family: str):
    base = tiny_base(family)
    untouched = scores(base)
    grafts = Grafts(base)
    grafts.put(wide(base))
    adapted = scores(base)
    with grafts.bare():
        np.testing.assert_array_equal(scores(base), untouched)
    np.testing.assert_array_equal(scores(base), adapted)
    assert np.abs(adapted - untouched).max() > 0.1


def test_adapters_of_several_shapes_take_turns_without_touching_each_other():
    base = tiny_base()
    untouched, grafts = scores(base), Grafts(base)
    options = [
        AdapterOptions(rank=2, adapt="all"),
        AdapterOptions(rank=3, adapt=1),
        AdapterOptions(rank=2, adapt="all", targets=["q_proj"]),
    ]
    adapters = [wide(base, k, o) for k, o in enumerate(options)]
    first = []
    for adapter in adapters:
        grafts.put(adapter)
        first.append(scores(base))
    for adapter, expected in reversed(list(zip(adapters, first, strict=True))):
        grafts.put(adapter)
        np.testing.assert_array_equal(scores(base), expected)
    with grafts.bare():
        np.testing.assert_array_equal(scores(base), untouched)
    assert len({s.tobytes() for s in [untouched, *first]}) == 4


def test_two_workbenches_on_one_model_share_its_slots():
    base = tiny_base()
    one = Grafts(base)
    shape = one.shape(AdapterOptions(rank=2, adapt="all"))
    adapter = wide(base, 1, AdapterOptions(rank=2, adapt="all"))
    one.put(adapter)
    expected = scores(base)
    two = Grafts(base)
    assert two.shape(AdapterOptions(rank=2, adapt="all")) == shape
    two.put(wide(base, 2, AdapterOptions(rank=5, adapt="all")))
    one.put(adapter)
    np.testing.assert_array_equal(scores(base), expected)


def test_an_adapter_made_for_another_model_is_refused():
    adapter = wide(tiny_base("gpt2"), 0, AdapterOptions(rank=2, adapt="all"))
    base = tiny_base("llama")
    lacking = Adapter(shape_of(base), {n: w for n, w in wide(base).weights.items() if ".0." not in n})
    with pytest.raises(ModelError) as error:
        Grafts(base).put(lacking)
    assert str(error.value) == (
        f"adapter {lacking.hash[:8]}: does not fit this base model: 14 matrices missing, 0 unexpected, "
        "e.g. model.layers.0.mlp.down_proj.lora_A\nExpected an adapter made for it"
    )
    for misfit, why in [
        (adapter, "it has no linear layer named c_attn, c_fc, c_proj"),
        (Adapter(replace(shape_of(base), layers=(LAYERS,)), {}), "it has 4 layers, the adapter is for layer 4"),
    ]:
        with pytest.raises(ModelError) as error:
            Grafts(base).put(misfit)
        assert f": does not fit this base model: {why}\n" in str(error.value)
    Grafts(base).put(wide(base))


def test_an_adapter_of_another_width_is_refused():
    base = tiny_base()
    adapter = wide(base, 0, AdapterOptions(rank=2, adapt="all"))
    doubled = {n: np.concatenate([w, w], axis=int(n.endswith("A"))) for n, w in adapter.weights.items()}
    with pytest.raises(ModelError) as error:
        Grafts(base).put(Adapter(adapter.shape, doubled))
    assert "this base model: model.layers.0.self_attn.q_proj.lora_A is (2, 64), not (2, 32)" in str(error.value)


def test_only_the_slot_is_trained_and_the_model_has_no_part_of_it():
    base = tiny_base()
    before = [id(p) for p in base.model.parameters()]
    slot = Grafts(base).put(wide(base, 1, AdapterOptions(rank=2, adapt=2)))
    assert [id(p) for p in base.model.parameters()] == before
    assert not any(p.requires_grad for p in base.model.parameters())
    assert all(p.requires_grad for p in slot.values())


# -- the fused forward ---------------------------------------------------------------------------------


def peft_of(model: nn.Module, adapter: Adapter) -> tuple[BaseModel, dict[str, nn.Parameter]]:
    """The same adapter on the same model by PEFT itself, and its weights by our names."""
    shape = adapter.shape
    given = LoraConfig(
        r=shape.rank, lora_alpha=shape.alpha, target_modules=list(shape.targets),
        fan_in_fan_out=bool(adapter.lineage["fan_in_fan_out"]),
    )  # fmt: skip
    peft = get_peft_model(model, given, autocast_adapter_dtype=True)
    end = ".default.weight"
    named = {
        n.removeprefix("base_model.model.").removesuffix(end): p for n, p in peft.named_parameters() if n.endswith(end)
    }
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(adapter.weights[name]))
    base = BaseModel.of(peft.get_base_model(), tokenizer())
    for parameter in named.values():
        parameter.requires_grad_()
    return base, named


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
def test_the_fused_forward_and_its_gradients_are_those_of_peft(family: str):
    base = tiny_base(family)
    slot = Grafts(base).put(wide(base))

    def run(base: BaseModel, slot: dict[str, torch.nn.Parameter]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        out = base.log_odds(base.hidden(IDS)[0], 7, 11)
        return out.detach(), list(torch.autograd.grad(out.square().sum(), list(slot.values())))

    fused, gradients = run(base, slot)
    theirs, expected = run(*peft_of(tiny_model(family), wide(base)))
    assert not torch.equal(fused, theirs)
    torch.testing.assert_close(fused, theirs, atol=1e-4, rtol=1e-4)
    for ours, reference in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
def test_the_thin_products_of_a_bf16_model_are_as_near_to_fp32_as_those_of_peft(family: str):
    exact, found = tiny_base(family), []
    adapter = wide(exact)
    half = BaseModel.of(tiny_model(family).to(torch.bfloat16), tokenizer())

    def run(base: BaseModel, slot: dict[str, torch.nn.Parameter]) -> list[torch.Tensor]:
        states = base.hidden(IDS)[0].float()
        loss = (states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum()
        return [states.detach(), *torch.autograd.grad(loss, [slot[n] for n in sorted(slot)])]

    expected, slot = run(exact, Grafts(exact).put(adapter)), Grafts(half).put(adapter)
    assert all(p.dtype == torch.float32 for p in slot.values())
    for each in ((half, slot), peft_of(tiny_model(family).to(torch.bfloat16), adapter)):
        found.append(run(*each))
    ours, theirs = ([float((x - y).norm() / y.norm()) for x, y in zip(f, expected, strict=True)] for f in found)
    assert max(ours) < 1.3 * max(theirs) < 0.3
    assert ours[0] < 1.3 * theirs[0]


def test_a_bare_linear_layer_is_never_written():
    base = tiny_base()
    before = {n: p.clone() for n, p in base.model.named_parameters()}
    grafts = Grafts(base)
    grafts.put(wide(base))
    scores(base)
    after = dict(base.model.named_parameters())
    assert set(before) == set(after)
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert any(isinstance(m, nn.Linear) for m in base.model.modules())
