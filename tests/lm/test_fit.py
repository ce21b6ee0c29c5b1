"""The training loop: the same by seed, the best epoch kept, and after an interruption as if there had been none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lm.models import encoder_for, tiny_base
from regraft.errors import ModelError
from regraft.files import HERE
from regraft.lm.adapter import Adapter
from regraft.lm.batches import TokenBatch, batches
from regraft.lm.encode import Blocks
from regraft.lm.fit import FitResult, progress_lines, train
from regraft.lm.graft import Grafts, take
from regraft.lm.options import AdapterOptions, FitOptions
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import ExtraLoss, Judge
from regraft.metrics.binary import auc
from worlds import tiny_stream

# A world to learn: everybody likes i0 to i2 and nobody i3 to i5, whatever they are called.
ROWS = [(user, (user * 5 + 2 * k) % 6, 3 * user + 7 * k) for user in range(10) for k in range(6)]
LOG = " ".join(f"u{user}:i{item}{'+' if item < 3 else '-'}@{at}" for user, item, at in ROWS)
VIEW = tiny_stream(LOG, titles={"i0": "heat", "i1": "big", "i2": "blue", "i3": "war", "i4": "night", "i5": "alien"})
BASE = tiny_base()
GRAFTS = Grafts(BASE)
ENCODER = encoder_for(BASE.tokenizer)
BLOCKS: Blocks = ENCODER.encode(VIEW)
SHAPE = GRAFTS.shape(AdapterOptions(rank=2, alpha=4.0, adapt="all"))
OPTIONS = FitOptions(targets_per_step=16, batch_tokens=600, checkpoint_seconds=1e-9)


def fit(
    seed: int = 0,
    options: FitOptions = OPTIONS,
    epochs: int = 2,
    lr: float = 5e-3,
    weights: np.ndarray | None = None,
    extra: tuple[ExtraLoss, ...] = (),
    **more: Any,
) -> tuple[Adapter, FitResult]:
    slot = GRAFTS.put(GRAFTS.fresh(SHAPE, seed))
    given = np.ones(len(VIEW), np.float32) if weights is None else weights.astype(np.float32)
    judge = Judge(BASE, BLOCKS, ENCODER.answers, given, options.heavy_users, extra)
    result = train(judge, slot, options, lr=lr, epochs=epochs, seed=seed, **more)
    return Adapter(SHAPE, take(slot)), result


def scores(adapter: Adapter) -> np.ndarray:
    GRAFTS.put(adapter)
    return score_blocks(BASE, ENCODER.answers, BLOCKS)


# -- learning ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another():
    first, again, other = fit(0)[0], fit(0)[0], fit(1)[0]
    assert first.hash == again.hash != other.hash


def test_the_seed_alone_changes_the_order_of_steps():
    start = GRAFTS.fresh(SHAPE, 0)
    found = set()
    for seed in (0, 1):
        slot = GRAFTS.put(start)
        judge = Judge(BASE, BLOCKS, ENCODER.answers, np.ones(len(VIEW), np.float32))
        train(judge, slot, OPTIONS, lr=5e-3, epochs=1, seed=seed)
        found.add(Adapter(SHAPE, take(slot)).hash)
    assert len(found) == 2


def test_an_adapter_learns_what_the_base_does_not_know():
    with GRAFTS.bare():
        before = auc(VIEW.labels, score_blocks(BASE, ENCODER.answers, BLOCKS))
    adapter, _ = fit(epochs=6, lr=2e-2)
    assert before < 0.7
    assert auc(VIEW.labels, scores(adapter)) > 0.95


def test_the_training_loss_falls():
    trained = [fit(epochs=epochs, lr=1e-2)[1].train_loss for epochs in (1, 8)]
    assert trained[1] < 0.7 * trained[0]


def test_the_base_model_is_left_as_it_was():
    def bare_weights() -> dict[str, Tensor]:
        return {n: p.detach().clone() for n, p in BASE.model.named_parameters() if "lora_" not in n}

    before = bare_weights()
    fit()
    assert all(torch.equal(before[n], p) for n, p in bare_weights().items())
    assert BASE.hash == tiny_base().hash


def test_batches_of_any_size_give_the_same_fit():
    small, _ = fit(options=OPTIONS.model_copy(update={"batch_tokens": 16}), lr=1e-3)
    large, _ = fit(options=OPTIONS.model_copy(update={"batch_tokens": 10**6}), lr=1e-3)
    assert small.hash != large.hash
    np.testing.assert_allclose(scores(small), scores(large), atol=1e-4)


def test_weights_and_heavy_users_and_extra_losses_change_the_fit():
    plain = fit()[0].hash
    weights = 1.0 + np.arange(len(VIEW)) % 2
    full = OPTIONS.model_copy(update={"heavy_users": "full"})
    other = [
        fit(weights=weights)[0].hash,
        fit(options=full)[0].hash,
        fit(extra=(lambda s, _: s.square().sum(),))[0].hash,
    ]
    assert len({plain, *other}) == 4
    assert fit(weights=np.full(len(VIEW), 1.0))[0].hash == plain


def test_a_step_without_weight_moves_nothing():
    adapter, result = fit(weights=np.zeros(len(VIEW)))
    assert adapter.hash == GRAFTS.fresh(SHAPE, 0).hash
    assert (result.cost.tokens_backward, result.cost.targets_trained) == (0, 0)


def test_the_cost_counts_every_token_and_target_of_every_epoch():
    cost = fit(epochs=3)[1].cost
    assert cost.tokens_forward == cost.tokens_backward == 3 * len(BLOCKS.tokens.data)
    assert cost.targets_trained == 3 * len(VIEW)
    assert cost.cpu_seconds > 0
    assert cost.peak_memory > 10**7


def test_progress_counts_every_step_once():
    seen: list[tuple[int, int]] = []
    fit(epochs=2, progress=lambda done, total, left: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}
    assert len(seen) >= 2 * len(VIEW) // (16 + 6)


# -- what the loop is made of --------------------------------------------------------------------------


@dataclass
class Toy:
    """An objective over one parameter: what it was asked is written down."""

    parameter: nn.Parameter
    blocks: Blocks
    rule: Callable[[nn.Parameter], Tensor]
    steps: list[np.ndarray]

    def step_weights(self, chosen: np.ndarray) -> np.ndarray:
        self.steps.append(chosen)
        return np.ones(1, np.float32)

    def read(self, steps: Sequence[np.ndarray], max_tokens: int) -> Iterator[Iterator[TokenBatch]]:
        return (batches(self.blocks, chosen, max_tokens, BASE.device) for chosen in steps)

    def loss(self, batch: TokenBatch, weights: np.ndarray) -> Tensor:
        return self.rule(self.parameter)


def toy(rule: Callable[[nn.Parameter], Tensor]) -> Toy:
    return Toy(nn.Parameter(torch.ones(3)), BLOCKS, rule, [])


def test_every_epoch_takes_every_block_once_in_a_new_order_with_many_users_a_step():
    world = toy(lambda p: p.sum())
    train(world, {"p": world.parameter}, OPTIONS, lr=1e-3, epochs=2, seed=3)
    half = len(world.steps) // 2
    epochs = [np.concatenate(world.steps[:half]), np.concatenate(world.steps[half:])]
    assert all(sorted(order) == list(range(len(BLOCKS))) for order in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()
    sizes = [int(np.isin(BLOCKS.block, chosen).sum()) for chosen in world.steps]
    assert max(sizes) < 16 + np.bincount(BLOCKS.block).max()


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (lambda p: p.sum() * torch.nan, "the loss is nan and the length of its gradient nan"),
        (lambda p: (p - p).sqrt().sum(), "the loss is 0 and the length of its gradient nan"),
        (lambda p: p.sum() * torch.inf, "the loss is inf and the length of its gradient inf"),
    ],
)
def test_a_loss_or_gradient_that_is_no_number_is_an_error_and_moves_nothing(
    rule: Callable[[nn.Parameter], Tensor], found: str
):
    world = toy(rule)
    with pytest.raises(ModelError) as error:
        train(world, {"p": world.parameter}, OPTIONS, lr=1e-3, epochs=2, seed=3)
    assert str(error.value) == (
        f"training, step 1: {found}\nExpected finite numbers\n"
        "Lower the learning rate (now 0.001), or compute in fp32 (base.dtype)"
    )
    assert torch.equal(world.parameter, torch.ones(3))


def test_the_rate_warms_up_and_then_falls_to_a_tenth():
    """AdamW's first steps under a constant gradient are as long as the rate."""
    world, places = toy(lambda p: p.sum()), [1.0]
    options = OPTIONS.model_copy(update={"warm_up": 0.25, "targets_per_step": 1, "clip": 1e9})
    train(
        world, {"p": world.parameter}, options, lr=1e-2, epochs=4, seed=0,
        progress=lambda *_: places.append(float(world.parameter.detach()[0])),
    )  # fmt: skip
    moved = -np.diff(places) / 1e-2
    peak = int(moved.argmax())
    assert peak + 1 == len(moved) // 4
    np.testing.assert_allclose(moved[:peak], (np.arange(peak) + 1) / (peak + 1), rtol=0.02)
    assert moved[peak] == pytest.approx(1.0, rel=0.02)
    assert (np.diff(moved[peak:]) < 1e-4).all()
    assert moved[-1] == pytest.approx(0.1, rel=0.05)


# -- when to stop --------------------------------------------------------------------------------------


def scripted(losses: list[float], kept: list[dict[str, np.ndarray]] | None = None) -> Callable[[], float]:
    """A stop set that answers as told and remembers the weights it was asked about."""
    left = iter(losses)

    def stop() -> float:
        if kept is not None:
            assert BASE.slots is not None and BASE.slots.default is not None
            kept.append(take(BASE.slots.default.weights))
        return next(left)

    return stop


@pytest.mark.parametrize(
    ("losses", "patience", "best", "asked"),
    [
        ([0.6, 0.5, 0.4], 1, 3, 3),
        ([0.6, 0.5, 0.7, 0.1], 1, 2, 3),
        ([0.6, 0.7, 0.5, 0.4], 1, 1, 2),
        ([0.6, 0.7, 0.5, 0.8], 2, 3, 4),
        ([0.6, 0.6, 0.7], 1, 2, 3),
    ],
)
def test_the_best_epoch_is_kept_and_patience_says_when_to_give_up(
    losses: list[float], patience: int, best: int, asked: int
):
    weights: list[dict[str, np.ndarray]] = []
    options = OPTIONS.model_copy(update={"patience": patience})
    adapter, result = fit(options=options, epochs=len(losses), stop=scripted(losses, weights))
    assert (result.best, result.losses) == (best, losses[:asked])
    assert adapter.hash == Adapter(SHAPE, weights[best - 1]).hash


def test_without_a_stop_set_the_last_epoch_is_kept():
    _, result = fit(epochs=3)
    assert (result.best, result.losses) == (3, [])


# -- interruptions -------------------------------------------------------------------------------------


class Killed(BaseException):
    pass


def killed_at(step: int) -> Callable[[int, int, float], None]:
    def progress(done: int, total: int, left: float) -> None:
        if done == step:
            raise Killed

    return progress


EPOCHS, LOSSES = 3, [0.5, 0.6, 0.55]
PATIENT = OPTIONS.model_copy(update={"patience": 3})


@cache
def unbroken_fit() -> tuple[Adapter, FitResult]:
    return fit(options=PATIENT, epochs=EPOCHS, stop=scripted(LOSSES))


@pytest.mark.parametrize("step", [1, 3, 4, 5, 8, 11])
def test_a_fit_killed_at_any_step_ends_as_an_unbroken_one(tmp_path: Path, step: int):
    place = tmp_path / "fit.checkpoint"
    unbroken, whole = unbroken_fit()
    heard = scripted(LOSSES)
    with pytest.raises(Killed):
        fit(options=PATIENT, epochs=EPOCHS, stop=heard, checkpoint=place, progress=killed_at(step))
    again, result = fit(options=PATIENT, epochs=EPOCHS, stop=heard, checkpoint=place)
    assert again.hash == unbroken.hash
    assert (result.best, result.losses, result.train_loss) == (whole.best, whole.losses, whole.train_loss)
    assert result.cost.targets_trained == whole.cost.targets_trained
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A checkpoint left by a fit that was killed after its sixth step."""
    with pytest.raises(Killed):
        fit(checkpoint=tmp_path / "fit.checkpoint", progress=killed_at(6))
    return tmp_path / "fit.checkpoint"


@cache
def one_fit() -> tuple[str, int]:
    """(hash of an unbroken fit, its number of steps)."""
    seen: list[int] = []
    adapter, _ = fit(progress=lambda done, total, left: seen.append(done))
    return adapter.hash, len(seen)


def steps_saved(place: Path) -> int:
    """How many steps a rerun did not have to take; it ends as an unbroken fit and leaves nothing behind."""
    seen: list[int] = []
    adapter, _ = fit(checkpoint=place, progress=lambda done, total, left: seen.append(done))
    assert adapter.hash == one_fit()[0]
    assert list(place.parent.iterdir()) == []
    return one_fit()[1] - len(seen)


def test_a_fit_goes_on_from_its_checkpoint(interrupted: Path):
    assert steps_saved(interrupted) == 6


def test_a_checkpoint_caught_between_two_renames_is_found(interrupted: Path):
    interrupted.rename(interrupted.with_name("fit.checkpoint.old"))
    assert steps_saved(interrupted) == 6


def test_a_checkpoint_that_was_being_removed_is_not_taken_for_one(interrupted: Path):
    (interrupted / "counters.json").unlink()
    assert steps_saved(interrupted) == 0


def test_a_checkpoint_that_was_being_written_is_swept_away(interrupted: Path):
    shutil.copytree(interrupted, interrupted.with_name(f"fit.checkpoint.{HERE}-999999999.part"))
    assert steps_saved(interrupted) == 6


def test_checkpoints_are_written_no_more_often_than_asked(tmp_path: Path):
    rare = OPTIONS.model_copy(update={"checkpoint_seconds": 1e6})
    with pytest.raises(Killed):
        fit(options=rare, checkpoint=tmp_path / "fit.checkpoint", progress=killed_at(6))
    assert list(tmp_path.iterdir()) == []


def test_the_counters_of_a_checkpoint_are_plain_json(interrupted: Path):
    assert json.loads((interrupted / "counters.json").read_text())["step"] == 6


def test_progress_is_told_on_stderr_as_stdout_may_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    progress_lines("building the base model")(3, 3, 0.0)
    told = capsys.readouterr()
    assert told.out == "" and told.err == "building the base model: step 3 of 3, 0 s left\n"
