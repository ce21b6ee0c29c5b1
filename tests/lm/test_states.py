"""States by row: those that scores are read from, worked out in the same pass, kept and charged like scores."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from lm.models import candidates, encoder_for, random_world, tiny_base, wide
from regraft.data.periods import Periods
from regraft.data.stream import Stream
from regraft.lm import lab as lab_room
from regraft.lm.blend import Blend
from regraft.lm.head import Head
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, CacheOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.workshop import KEPT_STATES, Workshop

VIEW = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))
base_of = lru_cache(tiny_base)


def bench(folder: Path | None = None, keeps: bool = True, adapt: object = "all", family: str = "llama") -> ModelLab:
    base = base_of(family)
    options = AdapterOptions(rank=2, adapt=adapt)  # type: ignore[arg-type]
    shop = Workshop(
        base, encoder_for(base.tokenizer), options, FitOptions(epochs=1), folder, cache=CacheOptions(gib=0.01),
        keeps_states=keeps,
    )  # fmt: skip
    return ModelLab(shop)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of examples that were really read, pass by pass."""
    counts: list[int] = []

    def counting(base: object, answers: object, blocks: object, **more: object) -> np.ndarray:
        counts.append(len(blocks.block))  # type: ignore[attr-defined]
        return score_blocks(base, answers, blocks, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(lab_room, "score_blocks", counting)
    return counts


def answered(lab: ModelLab, states: np.ndarray) -> np.ndarray:
    """h . (W_yes - W_no)"""
    weight, answers = lab.workshop.base.model.get_output_embeddings().weight, lab.workshop.answers
    return states @ (weight[answers.yes] - weight[answers.no]).numpy()


@pytest.mark.parametrize("view", [VIEW, candidates(60)], ids=["plain", "many candidates behind one history"])
@pytest.mark.parametrize("adapt", ["all", 2], ids=["whole", "with a trunk"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_state_times_the_answers_difference_is_the_bare_models_score(view: Stream, adapt: object, family: str):
    lab = bench(adapt=adapt, family=family)
    states = lab.states(view)
    assert states.dtype == np.float32 and states.shape == (len(view), lab.workshop.base.width)
    np.testing.assert_allclose(answered(lab, states), lab.score(Blend.of(None), view), atol=1e-4)
    assert np.ptp(lab.score(Blend.of(None), view)) > 0.01


def test_states_asked_for_are_those_seen_in_scoring(passes: list[int]):
    lab = bench()
    scores = lab.score(Blend.of(None), VIEW)
    np.testing.assert_allclose(answered(lab, lab.states(VIEW)), scores, atol=1e-5)
    assert passes == [len(VIEW)]


def test_scores_after_states_need_no_pass_and_have_the_bits_of_a_pass_of_their_own(passes: list[int]):
    lab = bench(keeps=False)
    lab.states(VIEW)
    scores = lab.score(Blend.of(None), VIEW)
    assert passes == [len(VIEW)]
    assert (scores == bench(keeps=False).score(Blend.of(None), VIEW)).all()


def test_a_head_scores_in_the_pass_of_the_bare_model(passes: list[int]):
    lab = bench()
    width = lab.workshop.base.width
    head = Head(np.linspace(-1, 1, width + 1), np.full(width, 2.0, dtype=np.float32))
    blend = Blend.of(None, fitted={f"head.{name}": a for name, a in head.arrays().items()})
    expected = lab.states(VIEW) / 2.0 @ head.theta[:-1] + head.theta[-1]
    np.testing.assert_allclose(lab.score(blend, VIEW), expected, atol=1e-6)
    lab.score(Blend.of(None), VIEW)
    assert passes == [len(VIEW)]


def test_states_are_charged_in_full_each_time_but_not_those_of_rows_that_were_served():
    lab = bench()
    lab.score(Blend.of(None), VIEW)
    scored = lab.meter.reset()
    lab.states(VIEW)
    assert lab.meter.reset() == scored and scored.tokens_forward > 0
    lab.states(VIEW, served=True)
    assert lab.meter.reset().tokens_forward == 0


def test_rows_that_were_served_but_are_not_kept_are_read_and_charged():
    lab = bench()
    early = VIEW.only(slice(0, 20))
    lab.states(early)
    lab.meter.reset()
    lab.states(VIEW, served=True)
    rest = lab.meter.reset()
    lab.states(VIEW.only(slice(20, None)))
    assert lab.meter.reset() == rest and rest.tokens_forward > 0


def test_states_are_found_on_disk_by_a_later_run_to_the_bit(tmp_path: Path, passes: list[int]):
    states = bench(tmp_path).states(VIEW)
    later = bench(tmp_path)
    assert (later.states(VIEW) == states).all()
    assert len(passes) == 1
    assert len(list((tmp_path / "states").iterdir())) == len(np.unique(VIEW.period[VIEW.targets]))


def test_only_the_newest_few_stay_in_memory_where_a_folder_has_all(tmp_path: Path, passes: list[int]):
    lab, view = bench(tmp_path), random_world(8, events=80, users=4, periods=Periods(by="time", n=KEPT_STATES + 4))
    states = lab.states(view)
    assert len(lab.workshop.states) <= KEPT_STATES
    assert (lab.states(view) == states).all()
    assert len(passes) == 1


def test_adapted_models_and_runs_without_heads_keep_no_states(tmp_path: Path):
    lab = bench(tmp_path)
    lab.score(Blend.of(wide(lab.workshop.base, 1, lab.workshop.adapter)), VIEW)
    bench(tmp_path, keeps=False).score(Blend.of(None), VIEW)
    assert not (tmp_path / "states").exists()


def test_the_key_of_states_tells_base_models_and_templates_apart():
    keys = {bench(family=family).states_key for family in ("llama", "gpt2")}
    assert len(keys) == 2
    assert bench().states_key in keys
    base = base_of("llama")
    shorter = Workshop(base, encoder_for(base.tokenizer, item_tokens=2), AdapterOptions(adapt="all"))
    assert ModelLab(shorter).states_key not in keys


def test_a_view_without_examples_has_no_states(passes: list[int]):
    lab = bench()
    assert lab.states(VIEW.only(slice(0, 0))).shape == (0, lab.workshop.base.width)
    assert passes == []


def test_half_precision_states_come_as_float32():
    base = tiny_base("llama")
    base.model.to(torch.bfloat16)
    lab = ModelLab(Workshop(base, encoder_for(base.tokenizer), AdapterOptions(adapt="all"), keeps_states=True))
    states = lab.states(VIEW)
    assert states.dtype == np.float32 and np.isfinite(states).all() and np.ptp(states) > 0
