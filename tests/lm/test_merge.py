"""Adapter algebra: the merged change is the weighted sum, and what is not exact is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel

from lm.models import encoder_for, plain_log_odds, random_world, separate_prompts, tiny_base, tiny_model, wide
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter, AdapterShape
from regraft.lm.graft import Grafts
from regraft.lm.merge import Parts, merge, merge_error
from regraft.lm.options import AdapterOptions
from regraft.lm.score import score_blocks

SIZES = {"layers.0.q": (7, 6), "layers.0.v": (4, 6)}  # (in, out)


def drawn(seed: int, rank: int = 2, alpha: float = 6.0, sizes: dict[str, tuple[int, int]] = SIZES) -> Adapter:
    rng = np.random.default_rng(seed)
    weights = {}
    for module, (into, out) in sizes.items():
        weights[f"{module}.lora_A"] = rng.normal(size=(rank, into)).astype(np.float32)
        weights[f"{module}.lora_B"] = rng.normal(size=(out, rank)).astype(np.float32)
    return Adapter(
        AdapterShape(rank, alpha, ("q", "v")), weights, {"base": "b", "template": "t", "fan_in_fan_out": True}
    )


def weighted_sum(parts: Parts, module: str) -> np.ndarray:
    return np.sum(
        [w * a.shape.scale * a.weights[f"{module}.lora_B"] @ a.weights[f"{module}.lora_A"] for a, w in parts], 0
    )


# -- exact ---------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0.5, 16), st.floats(-2, 2)), min_size=1, max_size=4))
def test_the_exact_merge_is_the_weighted_sum_for_any_ranks_scales_and_signs(drawing: list[tuple[int, float, float]]):
    parts = [(drawn(k, rank, alpha), weight) for k, (rank, alpha, weight) in enumerate(drawing)]
    merged = merge(parts)
    assert merged.shape.rank == sum(rank for rank, _, _ in drawing)
    merged.check("merged")
    for module in SIZES:
        wanted = weighted_sum(parts, module)
        np.testing.assert_allclose(merged.delta(module), wanted, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))


def test_identical_adapters_merge_to_themselves():
    one = drawn(0)
    for how in ("exact", "lsat-paper"):
        merged = merge([(one, 0.25), (one, 0.75)], how)  # type: ignore[arg-type]
        for module in SIZES:
            np.testing.assert_allclose(merged.delta(module), one.delta(module), atol=1e-5)


def test_the_lineage_tells_parts_weights_and_error():
    one, two = drawn(0), drawn(1)
    lineage = merge([(one, 0.3), (two, 0.7)]).lineage
    assert lineage["parents"] == [{"hash": one.hash, "weight": 0.3}, {"hash": two.hash, "weight": 0.7}]
    assert (lineage["merge"], lineage["base"], lineage["template"], lineage["fan_in_fan_out"]) == (
        "exact",
        "b",
        "t",
        True,
    )
    assert lineage["merge_error"] < 1e-6


# -- truncated -----------------------------------------------------------------------------------------


def test_a_truncated_merge_is_the_best_of_its_rank_and_reports_its_error():
    parts = [(drawn(0), 0.6), (drawn(1, 3), -0.4)]
    merged = merge(parts, rank=2)
    assert merged.shape == AdapterShape(2, 2.0, ("q", "v"))
    off = total = 0.0
    for module in SIZES:
        wanted = weighted_sum(parts, module)
        u, s, vt = np.linalg.svd(wanted)
        np.testing.assert_allclose(merged.delta(module), (u[:, :2] * s[:2]) @ vt[:2], atol=1e-4)
        off, total = off + float((s[2:] ** 2).sum()), total + float((s**2).sum())
    assert merged.lineage["merge_error"] == pytest.approx(np.sqrt(off / total), rel=1e-4)
    assert 0.05 < merged.lineage["merge_error"] < 1


@pytest.mark.parametrize("rank", [5, 6, 100])
def test_at_full_rank_nothing_is_lost(rank: int):
    merged = merge([(drawn(0), 0.6), (drawn(1, 3), 0.4)], rank=rank)
    assert merged.shape.rank == 5
    assert merged.lineage["merge_error"] < 1e-6


def test_a_rank_beyond_the_width_of_a_module_is_filled_with_zeros():
    parts = [(drawn(k, 3), 0.5) for k in range(3)]
    merged = merge(parts, rank=8)
    merged.check("merged")
    assert merged.shape.rank == 8
    assert merged.lineage["merge_error"] < 1e-6


def test_the_error_of_nothing_is_nothing():
    zero = drawn(0)
    zero = Adapter(zero.shape, {n: w * 0 for n, w in zero.weights.items()})
    assert merge_error(zero, [(zero, 1.0)]) == 0.0


# -- as LSAT's released code does -------------------------------------------------------------------------


def test_lsat_paper_averages_the_factors_and_so_adds_cross_terms():
    one, two, a = drawn(0), drawn(1), 0.3
    merged = merge([(one, a), (two, 1 - a)], "lsat-paper")
    assert merged.shape == one.shape
    for module in SIZES:
        (a1, b1), (a2, b2) = ((p.weights[f"{module}.lora_A"], p.weights[f"{module}.lora_B"]) for p in (one, two))
        by_hand = 3.0 * (a**2 * b1 @ a1 + (1 - a) ** 2 * b2 @ a2 + a * (1 - a) * (b1 @ a2 + b2 @ a1))
        np.testing.assert_allclose(merged.delta(module), by_hand, atol=1e-4)
        wanted = weighted_sum([(one, a), (two, 1 - a)], module)
        assert np.abs(merged.delta(module) - wanted).max() > 0.5
    assert merged.lineage["merge_error"] > 0.3


# -- refusals ------------------------------------------------------------------------------------------


def test_nothing_cannot_be_merged():
    with pytest.raises(ModelError) as error:
        merge([])
    assert str(error.value) == "merge: no adapter was given\nExpected at least one"


def test_adapters_of_other_modules_are_refused():
    one, other = drawn(0), drawn(1, sizes={"layers.0.q": (7, 6)})
    with pytest.raises(ModelError) as error:
        merge([(one, 0.5), (other, 0.5)])
    assert str(error.value) == (
        f"merge: adapter {other.hash[:8]} has other modules than {one.hash[:8]}\nExpected adapters of one shape"
    )


def test_adapters_of_another_width_are_refused():
    one, other = drawn(0), drawn(1, sizes={"layers.0.q": (7, 6), "layers.0.v": (5, 6)})
    with pytest.raises(ModelError) as error:
        merge([(one, 0.5), (other, 0.5)])
    assert str(error.value) == (
        f"merge: adapter {other.hash[:8]} has other matrix sizes than {one.hash[:8]}\n"
        "Expected adapters of one base model"
    )


@pytest.mark.parametrize("sizes", [SIZES, {"layers.0.q": (7, 6)}], ids=["same sizes", "other modules"])
def test_adapters_of_another_base_are_refused_whatever_their_size(sizes: dict[str, tuple[int, int]]):
    one, drawn_ = drawn(0), drawn(1, sizes=sizes)
    other = replace(drawn_, lineage={**drawn_.lineage, "base": "c"})
    with pytest.raises(ModelError) as error:
        merge([(one, 0.5), (one, 0.2), (other, 0.3)])
    assert str(error.value) == (
        f"merge: adapter {other.hash[:8]} was made for base c, {one.hash[:8]} for b\n"
        "Expected adapters of one base model"
    )


@pytest.mark.parametrize("other", [drawn(1, 3), drawn(1, alpha=7.0)])
def test_lsat_paper_refuses_adapters_of_another_rank_or_scale(other: Adapter):
    with pytest.raises(ModelError) as error:
        merge([(drawn(0), 0.5), (other, 0.5)], "lsat-paper")
    assert str(error.value) == (
        "merge lsat-paper: the adapters have different shapes\nExpected adapters of one rank and scale"
    )


def test_adapters_of_other_layers_are_refused():
    one = drawn(0)
    other = Adapter(
        replace(one.shape, layers=(1,)),
        {n.replace("layers.0", "layers.1"): w for n, w in one.weights.items()},
        one.lineage,
    )
    with pytest.raises(ModelError, match="has other modules than"):
        merge([(one, 0.5), (other, 0.5)])


# -- against PEFT --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("weights", [(0.3, 0.7), (1.3, -0.3)])
def test_merged_scores_are_those_of_pefts_cat(tmp_path: Path, family: str, weights: tuple[float, float]):
    base, view = tiny_base(family), random_world(1, events=20)
    encoder = encoder_for(base.tokenizer)
    parts = [(wide(base, k, AdapterOptions(rank=2 + k, alpha=4.0, adapt=2)), w) for k, w in enumerate(weights)]
    merged = merge(parts)
    Grafts(base).put(merged)
    ours = score_blocks(base, encoder.answers, encoder.encode(view))
    folders = [adapter.save(tmp_path / str(k)) for k, (adapter, _) in enumerate(parts)]
    peft = PeftModel.from_pretrained(tiny_model(family).eval(), folders[0], adapter_name="zero")
    peft.load_adapter(folders[1], "one")
    peft.add_weighted_adapter(["zero", "one"], list(weights), "both", combination_type="cat")
    peft.set_adapter("both")
    theirs = plain_log_odds(peft, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    again = PeftModel.from_pretrained(tiny_model(family).eval(), merged.save(tmp_path / "merged"))
    theirs = plain_log_odds(again, separate_prompts(view, encoder), encoder.answers.yes, encoder.answers.no)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
