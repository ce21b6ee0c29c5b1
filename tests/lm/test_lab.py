"""The workbench: work is done once, charged in full to everybody, and found again on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lm.models import LAYERS, WINDOW, encoder_for, random_world, tiny_base, wide
from regraft.cost import Cost
from regraft.data.build import build_stream
from regraft.data.periods import Cuts, Periods
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm import lab as lab_room
from regraft.lm import train_adapter as training
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.blend import Blend, average_probability
from regraft.lm.encode import Blocks
from regraft.lm.kept_scores import KeptScores
from regraft.lm.lab import ModelLab
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.owner import owner_of
from regraft.lm.score import score_blocks
from regraft.lm.workshop import Workshop
from regraft.metrics.binary import log_loss
from worlds import tiny_log

VIEW = random_world(7, events=60, users=4, periods=Periods(by="time", n=3))
FIT = FitOptions(targets_per_step=16, epochs=1)
base_of: Callable[..., BaseModel] = lru_cache(tiny_base)


def workshop(folder: Path | None = None, fit: FitOptions = FIT, **more: Any) -> Workshop:
    base = base_of("llama")
    return Workshop(
        base, encoder_for(base.tokenizer), AdapterOptions(rank=2, alpha=4.0, adapt="all"), fit, folder, **more
    )


def bench(folder: Path | None = None, seed: int = 0, **more: Any) -> ModelLab:
    return ModelLab(workshop(folder, **more), seed)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of examples that were really scored, call by call."""
    counts: list[int] = []

    def counting(base: BaseModel, answers: object, blocks: Blocks, **more: Any) -> np.ndarray:
        counts.append(len(blocks.block))
        return score_blocks(base, answers, blocks, **more)  # type: ignore[arg-type]

    for room in (lab_room, training):
        monkeypatch.setattr(room, "score_blocks", counting)
    return counts


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of examples that were really trained on, fit by fit."""
    counts: list[int] = []
    train = training.train

    def counting(objective: Any, *given: Any, **more: Any) -> Any:
        counts.append(len(objective.blocks.block))
        return train(objective, *given, **more)

    monkeypatch.setattr(training, "train", counting)
    return counts


# -- fits are kept -------------------------------------------------------------------------------------


def test_the_same_fit_is_done_once_and_charged_to_everybody(fitted: list[int]):
    shop = workshop()
    one, two = ModelLab(shop), ModelLab(shop)
    assert one.fit(VIEW) is two.fit(VIEW)
    assert len(fitted) == 1
    assert one.meter.total == two.meter.total
    assert one.meter.total.tokens_backward > 0
    assert one.meter.total.flops > one.meter.total.tokens_forward
    first = one.meter.reset()
    one.fit(VIEW)
    assert one.meter.total == first


def test_whatever_a_fit_depends_on_makes_it_another_fit(fitted: list[int]):
    lab = bench()
    _, start = lab.fit(VIEW), wide(lab.workshop.base, 0, lab.workshop.adapter)
    different: list[dict[str, Any]] = [
        {"lr": 1e-4},
        {"epochs": 2},
        {"start": start},
        {"weights": 1.0 + np.arange(len(VIEW))},
        {"stop": VIEW.only(np.arange(5))},
        {"stop": VIEW.only(np.zeros(0, dtype=np.int64))},
    ]
    hashes = {lab.fit(VIEW).hash, *(lab.fit(VIEW, **d).hash for d in different)}
    hashes |= {lab.with_seed(1).fit(VIEW).hash, lab.fit(VIEW.only(np.arange(40))).hash}
    assert len(fitted) == len(different) + 3
    assert len(hashes) == len(fitted) - 1  # two stop sets may keep the same epoch


def test_a_fit_is_found_on_disk_by_a_later_run(tmp_path: Path, fitted: list[int]):
    first, later = bench(tmp_path), bench(tmp_path)
    adapter = first.fit(VIEW)
    again = later.fit(VIEW)
    assert len(fitted) == 1
    assert (again.hash, again.lineage) == (adapter.hash, adapter.lineage)
    assert later.meter.total == first.meter.total
    assert not [p.name for p in (tmp_path / "fits").iterdir() if "part" in p.name or "checkpoint" in p.name]


def test_another_base_or_template_or_timeline_does_not_take_up_the_fit(tmp_path: Path, fitted: list[int]):
    bench(tmp_path).fit(VIEW)
    shop = workshop(tmp_path)
    for other in (
        Workshop(tiny_base("llama", seed=1), shop.encoder, shop.adapter, FIT, tmp_path),
        Workshop(shop.base, encoder_for(shop.base.tokenizer, item_tokens=2), shop.adapter, FIT, tmp_path),
        Workshop(shop.base, shop.encoder, AdapterOptions(rank=1, adapt="all"), FIT, tmp_path),
    ):
        ModelLab(other).fit(VIEW)
    assert len(fitted) == 4


def test_the_lineage_of_a_fit_tells_where_it_came_from():
    lab = bench()
    start = wide(lab.workshop.base, 0, lab.workshop.adapter)
    adapter = lab.fit(VIEW, start=start)
    base, newest = lab.workshop.base, VIEW.split_last()[0]
    assert adapter.lineage["base"] == base.hash
    assert adapter.lineage["template"] == lab.workshop.encoder.template.hash
    assert adapter.lineage["parents"] == [start.hash]
    assert adapter.lineage["lr"] == FIT.lr_incremental
    assert adapter.lineage["examples"] == len(VIEW) - round(0.1 * len(newest))
    assert adapter.lineage["periods"] == [1, 3]
    assert lab.fit(VIEW).lineage["lr"] == FIT.lr


def test_the_newest_tenth_decides_when_to_stop_and_is_not_trained_on(fitted: list[int], scored: list[int]):
    bench().fit(VIEW, epochs=2)
    held = round(0.1 * len(VIEW.split_last()[0]))
    assert fitted == [len(VIEW) - held]
    assert set(scored) == {held}


def test_weights_stay_with_their_examples_when_some_are_held_out():
    weights = np.where(VIEW.targets % 2, 1.0, 0.0).astype(np.float32)
    rest, held = VIEW.hold_out(0.1)
    whole = bench().fit(VIEW, weights=weights)
    by_hand = bench().fit(rest, stop=held, weights=weights[~np.isin(VIEW.targets, held.targets)])
    assert whole.hash == by_hand.hash


def test_a_view_without_examples_cannot_be_fitted():
    with pytest.raises(ModelError) as error:
        bench().fit(VIEW.only(np.zeros(0, dtype=np.int64)))
    assert str(error.value) == "fit: the view has no examples\nExpected at least one"


def test_running_layers_again_gives_the_same_adapter():
    plain = bench().fit(VIEW)
    again = bench(fit=FIT.model_copy(update={"gradient_checkpointing": True})).fit(VIEW)
    for name, weights in plain.weights.items():
        np.testing.assert_allclose(again.weights[name], weights, atol=1e-5)


def test_another_seed_draws_otherwise_and_charges_the_same_meter():
    lab = bench()
    other = lab.with_seed(5)
    assert other.rng.random() != lab.rng.random()
    other.fit(VIEW)
    assert lab.meter.total.tokens_backward > 0
    assert bench().rng.random() == bench().rng.random()


# -- extra losses --------------------------------------------------------------------------------------


def shrink(log_odds: Tensor, examples: np.ndarray) -> Tensor:
    return 5 * log_odds.square().sum()


def test_a_fit_with_an_extra_loss_is_never_taken_for_one_without(tmp_path: Path, fitted: list[int]):
    lab = bench(tmp_path)
    plain, pulled = lab.fit(VIEW), lab.fit(VIEW, extra_loss=(shrink,))
    again = lab.fit(VIEW, extra_loss=(shrink,))
    assert len(fitted) == 3
    assert plain.hash != pulled.hash == again.hash
    blend = [np.abs(lab.score(Blend.of(a), VIEW)).mean() for a in (plain, pulled)]
    assert blend[1] < blend[0]


def test_a_fit_with_an_extra_loss_does_not_go_on_from_the_checkpoint_of_one_without(tmp_path: Path):
    frequent = FIT.model_copy(update={"checkpoint_seconds": 1e-9})

    def killed(done: int, total: int, left: float) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(tmp_path, fit=frequent, progress=killed).fit(VIEW)
    assert [p.suffix for p in (tmp_path / "fits").iterdir()] == [".checkpoint"]
    here = bench(tmp_path, fit=frequent).fit(VIEW, extra_loss=(shrink,))
    assert here.hash == bench(fit=frequent).fit(VIEW, extra_loss=(shrink,)).hash
    assert bench(tmp_path, fit=frequent).fit(VIEW).hash == bench(fit=frequent).fit(VIEW).hash


# -- scores are kept -----------------------------------------------------------------------------------


def fresh_scores(lab: ModelLab, adapter: Adapter | None, view: Stream) -> np.ndarray:
    return ModelLab(workshop()).score_adapter(adapter, view)


def test_rows_are_scored_once_and_charged_each_time(scored: list[int]):
    lab = bench()
    adapter = wide(lab.workshop.base, 1, lab.workshop.adapter)
    early, late = VIEW.only(np.arange(20)), VIEW.only(np.arange(10, 45))
    first = lab.score_adapter(adapter, early)
    charged = lab.meter.reset()
    again = lab.score_adapter(adapter, early)
    assert (first == again).all()
    assert lab.meter.reset() == charged
    both = lab.score_adapter(adapter, late)
    assert scored == [20, 25]
    assert (both[:10] == first[10:]).all()
    assert lab.meter.total.tokens_forward > 0


def test_kept_scores_are_those_of_fresh_scoring_row_by_row():
    lab, rng = bench(), np.random.default_rng(0)
    for adapter in (None, wide(lab.workshop.base, 1, lab.workshop.adapter)):
        for _ in range(3):
            lab.score_adapter(adapter, VIEW.only(np.sort(rng.choice(len(VIEW), 15, replace=False))))
        np.testing.assert_allclose(lab.score_adapter(adapter, VIEW), fresh_scores(lab, adapter, VIEW), atol=1e-4)


def test_a_row_scored_in_a_short_view_is_not_scored_again_in_a_longer_one(scored: list[int]):
    lab = bench()
    before = lab.score_adapter(None, VIEW.until(3))
    after = lab.score_adapter(None, VIEW)
    assert scored == [len(VIEW.until(3)), len(VIEW) - len(VIEW.until(3))]
    assert (after[: len(before)] == before).all()


def test_scores_are_found_on_disk_by_a_later_run(tmp_path: Path, scored: list[int]):
    first, later = bench(tmp_path), bench(tmp_path)
    expected = first.score_adapter(None, VIEW)
    assert (later.score_adapter(None, VIEW) == expected).all()
    assert len(scored) == 1
    assert later.meter.total == first.meter.total
    assert sorted(p.stem for p in (tmp_path / "scores").iterdir()) == sorted(score_keys(first))


def test_an_ensemble_averages_probabilities_of_adapters_and_the_bare_base():
    lab = bench()
    adapter = wide(lab.workshop.base, 1, lab.workshop.adapter)
    parts = np.stack([lab.score_adapter(adapter, VIEW), lab.score_adapter(None, VIEW)])
    expected = average_probability(parts, np.array([0.75, 0.25]))
    assert (lab.score(Blend(((adapter, 3.0), (None, 1.0))), VIEW) == expected).all()
    assert (lab.score(Blend.of(None), VIEW) == parts[1]).all()
    assert lab.log_loss(Blend.of(None), VIEW) == log_loss(VIEW.labels, parts[1])
    assert np.abs(parts[0] - parts[1]).max() > 0.1


def test_a_view_without_examples_has_no_scores_and_costs_nothing(scored: list[int]):
    lab = bench()
    assert lab.score(Blend.of(None), VIEW.only(np.zeros(0, dtype=np.int64))).shape == (0,)
    assert (scored, lab.meter.total.tokens_forward) == ([], 0)


def test_kept_scores_survive_the_way_to_disk(tmp_path: Path):
    owners = np.stack([owner_of("a"), owner_of("b")])
    kept = KeptScores().with_rows(np.array([5, 1]), np.array([0.5, 0.1]), bench().meter.total, owners)
    kept.save(tmp_path / "scores.npz")
    again = KeptScores.load(tmp_path / "scores.npz")
    assert (again.rows.tolist(), again.scores.tolist(), again.costs) == ([1, 5], [0.1, 0.5], kept.costs)
    assert (again.owners == owners[::-1]).all()
    assert [p.name for p in tmp_path.iterdir()] == ["scores.npz"]


def test_a_row_costs_its_share_of_the_pass_it_was_scored_in_whatever_else_is_kept():
    owners = np.tile(owner_of("a"), (4, 1))
    first = KeptScores().with_rows(np.arange(4), np.zeros(4), Cost(tokens_forward=40, peak_memory=7), owners)
    both = first.with_rows(np.arange(4, 6), np.zeros(2), Cost(tokens_forward=100, peak_memory=9), owners[:2])
    for kept in (first, both):
        assert kept.cost(np.array([0, 3])) == Cost(tokens_forward=20, peak_memory=7)
    assert both.cost(np.array([1, 4, 5])) == Cost(tokens_forward=110, peak_memory=9)
    assert both.cost(np.zeros(0, dtype=np.int64)) == Cost()


def test_kept_scores_of_an_earlier_version_are_worked_out_again(tmp_path: Path):
    np.savez(tmp_path / "scores.npz", rows=np.arange(2), scores=np.zeros(2), passes=np.zeros(2, np.int32), costs="[{}]")
    assert len(KeptScores.load(tmp_path / "scores.npz").rows) == 0


def score_keys(lab: ModelLab) -> list[str]:
    """Names of the files in which scores of the bare base model are kept, one per period."""
    periods = np.unique(VIEW.period[VIEW.targets]).tolist()
    return [lab.workshop.key("score", VIEW.scored_under(p), None) for p in periods]


def test_two_labs_that_add_to_one_file_lose_rows_at_most_and_never_mix_them(tmp_path: Path):
    labs = [bench(tmp_path), bench(tmp_path)]
    early, late = VIEW.only(slice(0, 20)), VIEW.only(slice(20, None))
    expected = bench().score_adapter(None, VIEW)
    for lab, view in zip(labs, (early, late), strict=True):  # neither knows what the other has found
        for key in score_keys(lab):
            lab.workshop.kept_scores(key)
        lab.score_adapter(None, view)
    # Rows scored in other company: other products, other rounding.
    np.testing.assert_allclose(bench(tmp_path).score_adapter(None, VIEW), expected, atol=1e-4)
    found = np.concatenate([KeptScores.load(file).rows for file in (tmp_path / "scores").iterdir()])
    assert sorted(found.tolist()) == sorted(VIEW.ids.tolist())


# -- a log that grows ----------------------------------------------------------------------------------


def grown_log(days: int, cuts: Cuts | None = None) -> Stream:
    """A log of 20 rows a day that was as long as `days`; new users and items come to the end."""
    rng = np.random.default_rng(3)
    words = [
        f"u{rng.integers(3 + n // 20)}:i{rng.integers(4 + n // 10)}{'+' if n % 3 else '-'}@{4320 * n}"
        for n in range(160)
    ]
    log = tiny_log(" ".join(words))[: 20 * days]
    return build_stream(log, log.select("item_id"), "rating > 3", Periods(by="count", n=3, warm_up=0.3), cuts=cuts)


def test_fits_and_scores_kept_on_the_short_log_are_found_again_on_the_grown_log(
    tmp_path: Path, scored: list[int], fitted: list[int]
):
    short = grown_log(5)
    long = grown_log(8, short.frozen)
    assert long.n_periods > short.n_periods
    first = bench(tmp_path)
    adapter = first.fit(short.until(3))
    said = first.score_adapter(adapter, short.cases(3)), first.score_adapter(None, short.until(4))
    done = len(scored), len(fitted)
    later = bench(tmp_path)
    assert later.fit(long.until(3)).hash == adapter.hash
    again = later.score_adapter(adapter, long.cases(3)), later.score_adapter(None, long.until(4))
    assert (len(scored), len(fitted)) == done
    assert all((one == other).all() for one, other in zip(said, again, strict=True))
    for name in ("fit", "score"):
        keys = [first.workshop.key(name, s.until(3).fingerprint, s.scored_under(3), 0) for s in (short, long)]
        assert keys[0] == keys[1]
    later.score_adapter(None, long)  # and what is new is scored
    assert scored[done[0] :] == [len(long) - len(short)]


# -- merges --------------------------------------------------------------------------------------------


def test_a_merge_is_noted_with_its_error():
    lab = bench()
    parts = [(wide(lab.workshop.base, k, lab.workshop.adapter), 0.5) for k in (1, 2)]
    assert lab.merge(parts).shape.rank == 4
    assert lab.merge(parts, rank=2).shape.rank == 2
    assert lab.notes[0].startswith("merge exact: relative error ")
    assert float(lab.notes[0].split()[-1]) < 1e-6 < float(lab.notes[1].split()[-1])


@pytest.mark.parametrize("family", ["gemma3", "gpt2"])
def test_other_families_are_fitted_scored_and_merged_alike(tmp_path: Path, family: str):
    base = tiny_base(family)
    before = {n: p.detach().clone() for n, p in base.model.named_parameters()}
    shop = Workshop(base, encoder_for(base.tokenizer), AdapterOptions(rank=2, adapt=2), FIT, tmp_path)
    lab = ModelLab(shop)
    adapter = lab.fit(VIEW)
    other = lab.fit(VIEW, start=adapter)
    merged = lab.merge([(adapter, 1.5), (other, -0.5)])
    assert {f".{LAYERS - 2}." in m or f".{LAYERS - 1}." in m for m in merged.modules} == {True}
    scores = [lab.score(Blend.of(a), VIEW) for a in (None, adapter, other, merged)]
    assert len({s.tobytes() for s in scores}) == 4
    assert max(shop.blocks(VIEW).tokens.lengths) > 3 * WINDOW
    after = {n.replace("base_layer.", ""): p for n, p in base.model.named_parameters() if "lora_" not in n}
    assert all(torch.equal(before[n], after[n]) for n in before)
