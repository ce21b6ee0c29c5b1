"""The objective of an adapter: weighted log-loss of verdicts, heavy users held back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lm.models import encoder_for, random_world, tiny_base, wide
from regraft.lm.batches import batches
from regraft.lm.encode import Blocks
from regraft.lm.graft import Grafts
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import ExtraLoss, Judge
from regraft.metrics.binary import log_loss

BASE = tiny_base()
SLOT = Grafts(BASE).put(wide(BASE))
ENCODER = encoder_for(BASE.tokenizer)
VIEW = random_world(1, events=24)
BLOCKS: Blocks = ENCODER.encode(VIEW)
ALL = np.arange(len(BLOCKS))


def judge(weights: np.ndarray | None = None, users: str = "full", extra: tuple[ExtraLoss, ...] = ()) -> Judge:
    given = np.ones(len(VIEW), np.float32) if weights is None else weights.astype(np.float32)
    return Judge(BASE, BLOCKS, ENCODER.answers, given, users, extra)


def total(objective: Judge, chosen: np.ndarray = ALL) -> Tensor:
    weights = objective.step_weights(chosen)
    found = [objective.loss(b, weights) for b in batches(BLOCKS, chosen, 400, BASE.device)]
    return torch.stack(found).sum()


def gradient(objective: Judge) -> Tensor:
    found = torch.autograd.grad(total(objective), list(SLOT.values()))
    return torch.cat([g.flatten() for g in found])


def test_the_loss_is_the_log_loss_of_the_scores():
    scores = score_blocks(BASE, ENCODER.answers, BLOCKS)
    assert float(total(judge()).detach()) / len(VIEW) == pytest.approx(log_loss(VIEW.labels, scores), rel=1e-4)


def test_weights_multiply_the_losses():
    weights = np.arange(len(VIEW)) % 3.0
    scores, sign = score_blocks(BASE, ENCODER.answers, BLOCKS), 2.0 * VIEW.labels - 1
    by_hand = float((weights * np.logaddexp(0, -sign * scores)).sum())
    assert float(total(judge(weights)).detach()) == pytest.approx(by_hand, rel=1e-4)


def test_a_user_with_m_targets_in_a_step_counts_like_the_root_of_m():
    weights = judge(users="sqrt").step_weights(ALL)
    users, counts = np.unique(VIEW.users, return_counts=True)
    assert [float(weights[VIEW.users == u].sum()) for u in users] == pytest.approx(np.sqrt(counts).tolist(), rel=1e-5)
    assert judge().step_weights(ALL).tolist() == [1.0] * len(VIEW)


def test_a_step_weighs_the_examples_of_its_blocks_only():
    weights = judge(users="sqrt").step_weights(ALL[:2])
    inside = np.isin(BLOCKS.block, [0, 1])
    assert (weights[~inside] == 0).all()
    assert (weights[inside] > 0).all()


@pytest.mark.parametrize("users", ["sqrt", "full"])
def test_examples_of_weight_zero_change_nothing(users: str):
    """Neither their own loss counts, nor do they make their user a heavier one."""
    weights = np.where(np.arange(len(VIEW)) % 4 == 0, 0.0, 1.0)
    objective = judge(weights, users)
    step = objective.step_weights(ALL)
    kept = np.flatnonzero(weights)
    of_kept = {u: int((VIEW.users[kept] == u).sum()) for u in np.unique(VIEW.users)}
    factor = [of_kept[u] ** -0.5 if users == "sqrt" else 1.0 for u in VIEW.users]
    expected = (weights * factor).tolist()
    assert step.tolist() == pytest.approx(expected, rel=1e-6)
    before = gradient(objective)
    other = replace(BLOCKS, label=np.where(weights == 0, 1 - BLOCKS.label, BLOCKS.label))
    wrong = replace(objective, blocks=other)
    assert torch.equal(gradient(wrong), before)
    assert float(before.abs().max()) > 0


def test_an_extra_loss_sees_log_odds_and_example_numbers_and_is_added():
    seen: list[int] = []

    def pull(log_odds: Tensor, examples: np.ndarray) -> Tensor:
        seen.extend(examples.tolist())
        assert log_odds.requires_grad
        return 0.5 * log_odds.square().sum()

    scores = score_blocks(BASE, ENCODER.answers, BLOCKS)
    with_extra = float(total(judge(extra=(pull,))).detach())
    assert sorted(seen) == list(range(len(VIEW)))
    assert with_extra - float(total(judge()).detach()) == pytest.approx(0.5 * float((scores**2).sum()), rel=1e-4)


def test_running_layers_again_gives_the_same_loss_and_gradients():
    calls = [0]
    hook = BASE.model.model.layers[1].mlp.register_forward_pre_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    plain, expected = float(total(judge()).detach()), gradient(judge())
    once, calls[0] = calls[0], 0
    with BASE.recomputing():
        again, found = float(total(judge()).detach()), gradient(judge())
    hook.remove()
    assert again == plain
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert calls[0] == once + once // 2
    assert not any("forward" in layer.__dict__ for layer in BASE.model.model.layers)


def test_running_layers_again_does_not_turn_dropout_on():
    base = tiny_base("gpt2")
    slot = Grafts(base).put(wide(base))
    blocks = ENCODER.encode(VIEW)
    objective = Judge(base, blocks, ENCODER.answers, np.ones(len(VIEW), np.float32))
    weights = objective.step_weights(ALL)

    def run() -> list[Tensor]:
        loss = torch.stack([objective.loss(b, weights) for b in batches(blocks, ALL, 400, base.device)]).sum()
        return [loss.detach(), *torch.autograd.grad(loss, list(slot.values()))]

    plain = run()
    with base.recomputing():
        again = run()
    for ours, expected in zip(again, plain, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
