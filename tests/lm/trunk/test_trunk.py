"""Kept states change nothing but the time: scores, losses and gradients are those of the whole model."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lm.models import FAMILIES, LAYERS, TIMELINE, encoder_for, random_world, reaching_across, tiny_base
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.errors import ConfigError, ModelError
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, CacheOptions, FitOptions
from regraft.lm.owner import owner_of
from regraft.lm.tasks.judge import Judge
from regraft.lm.trunk import trunk_store
from regraft.lm.trunk.shard import Shard, shard_files
from regraft.lm.trunk.trunk import ahead
from regraft.lm.workshop import Workshop
from regraft.prompts.template import Template

VIEW = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))
FIT = FitOptions(targets_per_step=16, epochs=2, patience=2)
NONE = CacheOptions(gib=0)
TOP = AdapterOptions(rank=2, alpha=4.0, adapt=2)


def shop(
    folder: Path | None = None, base: BaseModel | None = None, cache: CacheOptions | None = None,
    adapter: AdapterOptions = TOP, **more: Any,
) -> Workshop:  # fmt: skip
    base = base or tiny_base()
    return Workshop(base, encoder_for(base.tokenizer, **more), adapter, FIT, folder, cache=cache or CacheOptions())


def results(lab: ModelLab) -> list[np.ndarray]:
    """Scores of the bare model, a fit's weights and losses, its scores."""
    bare = lab.score(Blend.of(None), VIEW)
    adapter = lab.fit(VIEW)
    weights = [adapter.weights[name] for name in sorted(adapter.weights)]
    return [bare, np.array(adapter.lineage["stop_losses"]), lab.score(Blend.of(adapter), VIEW), *weights]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray], tolerance: float = 1e-4) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_losses_and_adapters_are_those_of_the_whole_model(tmp_path: Path, family: str):
    whole = results(ModelLab(shop(base=tiny_base(family), cache=NONE)))
    kept = shop(tmp_path, tiny_base(family))
    assert_same(results(ModelLab(kept)), whole)
    assert kept.trunk is not None and kept.trunk.tokens > 0
    later = shop(tmp_path, tiny_base(family))  # another process, which finds the states of the first
    later.folder = None
    later.cache = CacheOptions(folder=str(tmp_path))
    assert_same(results(ModelLab(later)), whole)
    assert later.trunk is not None and later.trunk.tokens == 0


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma3", "gpt2"])
def test_gradients_are_those_of_the_whole_model(family: str):
    cached, base = shop(base=tiny_base(family)), tiny_base(family)
    found = []
    for room in (cached, shop(base=base, cache=NONE)):
        shape = room.grafts.shape(TOP)
        fresh = room.grafts.fresh(shape, 3)
        rng = np.random.default_rng(1)
        drawn = {n: rng.normal(0, 0.1, w.shape).astype(np.float32) for n, w in sorted(fresh.weights.items())}
        slot = room.grafts.put(type(fresh)(shape, drawn, fresh.lineage))
        blocks = room.blocks(VIEW)
        weights = np.ones(len(VIEW), dtype=np.float32)
        for _ in range(2):  # the second time from kept states
            judge = Judge(room.base, blocks, room.answers, weights, trunk=room.trunk)
            (group,) = judge.read([np.arange(len(blocks))], 512)
            loss = sum((judge.loss(batch, weights) for batch in group), torch.zeros(()))
            gradients = torch.autograd.grad(loss, [slot[name] for name in sorted(slot)])
            found.append([loss.detach().numpy(), *(g.numpy() for g in gradients)])
    worked_out, kept, whole, _ = found
    assert max(float(np.abs(g).max()) for g in whole[1:]) > 0.1
    for cut in (worked_out, kept):
        assert_same(cut, whole)


def test_what_was_scored_is_not_read_again_for_training():
    """The test pass on a period fills the store for the update at its close."""
    room = shop()
    lab, trunk = ModelLab(room), room.trunk
    assert trunk is not None
    for period in range(1, VIEW.n_periods + 1):
        lab.score(Blend.of(None), VIEW.cases(period))
    tokens = trunk.tokens
    lab.fit(VIEW)
    assert trunk.tokens == tokens
    assert lab.meter.total.tokens_trunk > 0


def test_another_strategy_that_finds_states_is_charged_as_if_alone():
    room = shop()
    first, second = ModelLab(room, seed=1), ModelLab(room, seed=2)
    first.fit(VIEW)
    second.fit(VIEW)
    one, two = first.meter.total, second.meter.total
    assert one.tokens_trunk == two.tokens_trunk > 0
    assert one.flops == two.flops
    assert room.trunk is not None and room.trunk.tokens < one.tokens_trunk + two.tokens_trunk


def test_a_part_keeps_its_key_where_the_same_is_read_and_only_there():
    room = shop()
    whole, early = room.blocks(VIEW), room.blocks(VIEW.until(3))
    keys = {tuple(k) for k in whole.keys.tolist()}
    assert {tuple(k) for k in early.keys.tolist()} <= keys
    other = shop(template=Template(TIMELINE.source.replace("Verdicts", "Heat"), "other"))
    assert not keys & {tuple(k) for k in other.blocks(VIEW).keys.tolist()}
    # Another person with the same history is another owner, so that one can be forgotten without the other.
    renamed = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))
    twin = Workshop(room.base, room.encoder, TOP, FIT)
    names = renamed.user_ids.to_list()
    assert not (owner_of(names[0]) == owner_of(names[1])).all()
    assert (twin.blocks(renamed).keys == whole.keys).all()


@pytest.mark.parametrize("regime", ["fresh", "delayed", "frozen"])
def test_isolated_copies_and_late_labels_are_kept_alike(regime: str):
    more = {"regime": Regime.parse(regime)}
    assert_same(results(ModelLab(shop(**more))), results(ModelLab(shop(cache=NONE, **more))))


def test_a_bound_below_one_epoch_saves_its_share_and_changes_nothing(tmp_path: Path):
    whole, unbounded = results(ModelLab(shop(cache=NONE))), shop()
    results(ModelLab(unbounded))
    assert unbounded.trunk is not None
    half = CacheOptions(gib=unbounded.trunk.store.bytes / 2 / 2**30)
    room = shop(tmp_path, cache=half)
    trunk_store_shard = trunk_store.SHARD_BYTES
    try:
        trunk_store.SHARD_BYTES = 2048
        assert_same(results(ModelLab(room)), whole)
        trunk = room.trunk
        assert trunk is not None and trunk.store.bytes <= half.gib * 2**30
        assert "cache.gib" in "".join(trunk.store.notes)
        before = trunk.tokens
        room.scores.clear()
        room.folder = None
        ModelLab(room).score_adapter(None, VIEW)
        again = trunk.tokens - before
    finally:
        trunk_store.SHARD_BYTES = trunk_store_shard
    everything = len(room.blocks(VIEW).tokens.data)
    assert 0 < again < 0.8 * everything


def test_a_full_disk_costs_time_and_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = results(ModelLab(shop(cache=NONE)))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Shard, "write", full)
    room = shop(tmp_path)
    assert_same(results(ModelLab(room)), whole)
    assert room.trunk is not None
    assert "No space left on device" in room.trunk.store.notes[0]
    assert list(tmp_path.rglob("*.safetensors")) == list((tmp_path / "fits").rglob("*.safetensors"))


def _caches(folder: Path) -> Path:
    (found,) = folder.glob("trunk-*")
    return found


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "gone"])
def test_a_damaged_file_is_worked_out_anew(tmp_path: Path, damage: str):
    whole = results(ModelLab(shop(tmp_path / "a")))
    (file,) = shard_files(_caches(tmp_path / "a"))
    raw = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        flipped = bytearray(raw)
        flipped[-100] ^= 64
        file.write_bytes({"truncated": raw[: len(raw) // 2], "flipped": bytes(flipped), "empty": b""}[damage])
    room = shop(None, cache=CacheOptions(folder=str(tmp_path / "a")))
    assert_same(results(ModelLab(room)), whole, 1e-5)
    assert room.trunk is not None and room.trunk.tokens > 0
    if damage != "gone":
        assert "worked out anew" in room.trunk.store.notes[0]


def test_a_folder_made_for_another_base_is_refused(tmp_path: Path):
    results(ModelLab(shop(tmp_path)))
    other = shop(tmp_path, tiny_base(seed=1))
    assert other.trunk is not None and other.trunk.store.folder != _caches_of(shop(tmp_path))
    mine = _caches_of(other)
    for file in mine.iterdir():
        file.unlink()
    mine.rmdir()
    _caches_of(shop(tmp_path)).rename(mine)
    with pytest.raises(ModelError, match="was made for base"):
        ModelLab(shop(tmp_path, tiny_base(seed=1))).fit(VIEW)


def _caches_of(room: Workshop) -> Path:
    assert room.trunk is not None and room.trunk.store.folder is not None
    return room.trunk.store.folder


def test_one_person_is_forgotten_and_nobody_else():
    room = shop()
    ModelLab(room).score_adapter(None, VIEW)
    trunk = room.trunk
    assert trunk is not None
    tokens = trunk.tokens
    user = VIEW.user_ids.to_list()[0]
    theirs = VIEW.only(VIEW.users == 0)
    assert trunk.store.forget(owner_of(user)[None]) > 0
    room.scores.clear()
    ModelLab(room).score_adapter(None, VIEW.only(VIEW.users != 0))
    assert trunk.tokens == tokens
    room.scores.clear()
    ModelLab(room).score_adapter(None, theirs)
    assert trunk.tokens > tokens


@pytest.mark.parametrize("k", [0, LAYERS + 1, 99])
def test_more_layers_than_there_are_cannot_be_adapted(k: int):
    with pytest.raises((ConfigError, ModelError)) as error:
        ModelLab(shop(adapter=AdapterOptions(adapt=k))).fit(VIEW)
    assert f"1 to {LAYERS}" in str(error.value)


@pytest.mark.parametrize("words", ["top", "top(x)", "top(1/0)", "half", ""])
def test_what_cannot_be_read_as_layers_is_refused(words: str):
    with pytest.raises(ConfigError, match="top"):
        AdapterOptions(adapt=words)


@pytest.mark.parametrize(
    ("words", "layers", "top"),
    [
        ("all", 30, None),
        ("top(8)", 30, 8),
        (3, 30, 3),
        ("top(1/4)", 30, 8),
        ("top(1/4)", 1, 1),
        ("top(1/4)", 4, 1),
        ("top(1/4)", 6, 2),
        ("top(1/4)", 10, 3),
        ("top(1/8)", 4, 1),
        ("top(1/2)", 4, 2),
        ("auto", 30, 8),
        ("auto", 8, 2),
        ("auto", 7, None),
    ],
)
def test_a_share_of_the_layers_is_rounded(words: str | int, layers: int, top: int | None):
    assert AdapterOptions(adapt=words).top(layers) == top


def test_a_model_that_cannot_be_cut_runs_whole_and_says_so():
    base = tiny_base()
    reaching_across(base)
    room = shop(base=base)
    results(ModelLab(room))
    assert room.trunk is None
    assert "runs whole" in base.notes[0]


def test_numbers_that_are_not_finite_are_kept_nowhere(tmp_path: Path):
    base = tiny_base()
    base.model.to(torch.bfloat16)
    with torch.no_grad():
        base.model.model.layers[1].mlp.down_proj.weight.fill_(3e38)
    room = shop(tmp_path, base)
    with pytest.raises(ModelError, match="not finite"):
        ModelLab(room).score_adapter(None, VIEW)
    assert room.trunk is None or room.trunk.store.bytes == 0


def test_items_made_ahead_come_in_order_and_errors_come_through():
    assert list(ahead(iter(range(5)))) == list(range(5))

    def broken() -> Any:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(ahead(broken()))
