"""Adapters that act at targets alone: history reads as if there were none, targets as if there were no gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel

from lm.models import FAMILIES, REGIMES, candidates, encoder_for, random_world, tiny_base, tiny_model, wide
from regraft.data.periods import Periods
from regraft.errors import ModelError
from regraft.lm.activation import activated_at, active_tokens
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.fast import shared_prefix
from regraft.lm.lab import ModelLab
from regraft.lm.merge import merge
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.workshop import Workshop
from regraft.prompts.template import Template

VIEW = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))
TARGETS = AdapterOptions(rank=2, alpha=4.0, adapt="targets")
FIT = FitOptions(targets_per_step=16, epochs=1)


def shop(family: str = "llama", options: AdapterOptions = TARGETS, folder: Path | None = None) -> Workshop:
    base = tiny_base(family)
    return Workshop(base, encoder_for(base.tokenizer), options, FIT, folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_history_is_that_of_the_bare_model_and_targets_are_changed(family: str):
    base = tiny_base(family)
    from regraft.lm.graft import Grafts

    ids = (7 * torch.arange(20)[None] + 5) % 300
    bare = base.hidden(ids)
    Grafts(base).put(wide(base))
    whole = base.hidden(ids)
    acts = (torch.arange(20) >= 12)[None]
    with activated_at(acts):
        here = base.hidden(ids)
    assert active_tokens() is None
    torch.testing.assert_close(here[:, :12], bare[:, :12], atol=1e-5, rtol=1e-4)
    assert (here[:, 12:] - bare[:, 12:]).abs().max() > 0.1
    assert (here[:, 12:] - whole[:, 12:]).abs().max() > 0.01  # the history that targets see is another
    with activated_at(torch.ones_like(acts)):
        torch.testing.assert_close(base.hidden(ids), whole, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("regime", REGIMES, ids=str)
def test_without_an_adapter_targets_apart_are_scored_as_in_line(regime: object):
    base = tiny_base()
    encoder = encoder_for(base.tokenizer, regime=regime)  # type: ignore[arg-type]
    apart = ModelLab(Workshop(base, encoder, TARGETS, FIT)).score_adapter(None, VIEW)
    in_line = ModelLab(Workshop(base, encoder, AdapterOptions(adapt="all"), FIT)).score_adapter(None, VIEW)
    np.testing.assert_allclose(apart, in_line, atol=1e-4)


def test_a_score_is_that_of_one_prompt_whose_end_alone_is_changed():
    room = shop()
    adapter = wide(room.base, 1, TARGETS)
    assert adapter.shape.at_targets
    scores = ModelLab(room).score_adapter(adapter, VIEW)
    blocks = room.blocks(VIEW)
    room.grafts.put(adapter)
    for example in range(0, len(VIEW), 7):
        block = blocks.block[example]
        first = blocks.tokens.start[block]
        tokens = blocks.tokens[block]
        segment = blocks.segment[first : first + len(tokens)]
        own = np.flatnonzero(segment == segment[blocks.read[example]])
        known = int(blocks.limit[first + own[0]])
        ids = torch.from_numpy(np.concatenate([tokens[:known], tokens[own]]).astype(np.int64))[None]
        acts = torch.arange(ids.shape[1])[None] >= known
        with activated_at(acts), torch.no_grad():
            state = room.base.hidden(ids)[:, -1]
        expected = room.base.log_odds(state, room.answers.yes, room.answers.no)
        np.testing.assert_allclose(scores[example], float(expected), atol=1e-3)


def test_many_candidates_behind_one_history_are_scored_alike(monkeypatch: pytest.MonkeyPatch):
    view = candidates(30)
    found = []
    for worth in (10**9, 1):
        monkeypatch.setattr(shared_prefix, "WORTH", worth)
        room = shop()
        found.append(ModelLab(room).score_adapter(wide(room.base, 1, TARGETS), view))
    np.testing.assert_allclose(*found, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_fits_saves_and_merges_stay_at_targets(tmp_path: Path, family: str):
    room = shop(family, folder=tmp_path / "kept")
    lab = ModelLab(room)
    adapter = lab.fit(VIEW)
    assert adapter.shape.at_targets and room.trunk is None
    before, after = lab.score(Blend.of(None), VIEW), lab.score(Blend.of(adapter), VIEW)
    assert np.abs(after - before).max() > 1e-3
    again = Adapter.load(adapter.save(tmp_path / "saved"))
    assert (again.hash, again.shape) == (adapter.hash, adapter.shape)
    other = lab.fit(VIEW, start=adapter)
    assert merge([(adapter, 0.5), (other, 0.5)]).shape.at_targets
    plain = Adapter(
        wide(room.base, 1, AdapterOptions(rank=2, alpha=4.0, adapt="all")).shape, adapter.weights, adapter.lineage
    )
    assert plain.hash != adapter.hash
    with pytest.raises(ModelError, match="everywhere"):
        merge([(adapter, 0.5), (plain, 0.5)])


def test_an_engine_that_would_change_the_history_too_refuses_the_directory(tmp_path: Path):
    room = shop()
    folder = ModelLab(room).fit(VIEW).save(tmp_path / "saved")
    assert not (folder / "adapter_model.safetensors").exists()
    with pytest.raises((KeyError, ValueError, TypeError)):
        PeftModel.from_pretrained(tiny_model("llama"), str(folder))


def test_half_precision_is_gated_too():
    half = BaseModel.of(tiny_model("llama").to(torch.bfloat16), tiny_base().tokenizer)
    room = Workshop(half, encoder_for(half.tokenizer), TARGETS, FIT)
    exact = shop()
    adapter = wide(exact.base, 1, TARGETS)
    ours = ModelLab(room).score_adapter(adapter, VIEW)
    theirs = ModelLab(exact).score_adapter(adapter, VIEW)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_a_prompt_without_targets_apart_is_refused():
    base = tiny_base()
    room = Workshop(base, encoder_for(base.tokenizer, Template.load("judge-tallrec")), TARGETS, FIT)
    with pytest.raises(ModelError, match="a timeline template"):
        ModelLab(room).fit(VIEW)
