"""The one training loop, for adapters and for base models built here.

It knows parameters, blocks and an objective; it does not know users, strategies or files of a run. It is
deterministic by seed, holds no more than one padded batch, and goes on from its last checkpoint after a
kill with the same result.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from regraft.cost import Cost, measured
from regraft.errors import ModelError
from regraft.files import remove, remove_leftovers, whole_folder
from regraft.lm.batches import TokenBatch
from regraft.lm.encode import Blocks
from regraft.lm.fast.side_by_side import side_by_side
from regraft.lm.fast.trim_heap import trim_heap
from regraft.lm.options import FitOptions

SETTLE = 8  # steps after which freed memory is given back


class Objective(Protocol):
    """What is minimised: the weighted sum of losses of a step, divided by the step's weights."""

    @property
    def blocks(self) -> Blocks: ...
    def step_weights(self, chosen: np.ndarray) -> np.ndarray: ...
    def read(
        self, steps: Sequence[np.ndarray], max_tokens: int
    ) -> Iterator[Iterable[TokenBatch]]: ...  # batches per step
    def loss(self, batch: TokenBatch, weights: np.ndarray) -> Tensor: ...


@dataclass
class FitResult:
    """`best` is the epoch whose weights were kept (1-based; the last one without a stop set)."""

    best: int
    losses: list[float]  # log-loss on the stop set after each epoch, empty without one
    train_loss: float
    cost: Cost


Progress = Callable[[int, int, float], None]  # steps done, steps in all, seconds left


def train(
    objective: Objective,
    parameters: Mapping[str, nn.Parameter],
    options: FitOptions,
    *,
    lr: float,
    epochs: int,
    seed: int,
    stop: Callable[[], float] | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Trains `parameters` in place. `stop` gives a loss after each epoch; the best epoch's weights are kept."""
    state = _State(parameters, options, lr, checkpoint)
    blocks = objective.blocks
    plan = [_steps(blocks, options.targets_per_step, seed, epoch) for epoch in range(epochs)]
    total = sum(len(steps) for steps in plan)
    with measured() as cost:
        state.resume()
        began, first = time.monotonic(), state.step
        done = 0
        for epoch, steps in enumerate(plan):
            left = steps[max(0, state.step - done) :]
            done += len(steps) - len(left)
            for chosen, group in zip(left, objective.read(left, options.batch_tokens), strict=True):
                done += 1
                _one_step(objective, chosen, group, state, options, done / total)
                state.step = done
                state.save_if_due(options.checkpoint_seconds)
                if done % SETTLE == 0:
                    trim_heap()
                if progress:
                    progress(done, total, (time.monotonic() - began) / (done - first) * (total - done))
            if stop is not None and epoch == len(state.losses):
                state.judge(stop())
                if epoch + 1 - state.best >= options.patience and epoch + 1 < epochs:
                    break
        state.keep_best()
    state.forget_checkpoint()
    cost.tokens_forward, cost.tokens_backward = state.tokens, state.tokens
    cost.targets_trained = state.targets
    cost.cpu_seconds += state.cpu_seconds
    cost.wall_seconds += state.wall_seconds
    return FitResult(state.best or len(plan), state.losses, state.train_loss, cost)


def _steps(blocks: Blocks, targets: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Blocks in random order, cut where a step holds enough targets: a step mixes many users."""
    order = np.random.default_rng([seed, epoch]).permutation(len(blocks))
    per_block: np.ndarray = (
        np.bincount(blocks.block, minlength=len(blocks))[order] if len(blocks.block) else np.ones(len(blocks))
    )
    number = (np.cumsum(per_block) - per_block) // targets
    return np.split(order, np.flatnonzero(np.diff(number)) + 1) if len(order) else []


def _one_step(
    objective: Objective,
    chosen: np.ndarray,
    group: Iterable[TokenBatch],
    state: _State,
    options: FitOptions,
    done: float,
) -> None:
    weights = objective.step_weights(chosen)
    mass = float(weights.sum())
    if mass <= 0:
        return
    state.set_rate(done, options.warm_up)
    state.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    parameters = list(state.parameters.values())

    def gradients(batch: TokenBatch) -> tuple[TokenBatch, float, Sequence[Tensor | None]]:
        loss = objective.loss(batch, weights) / mass
        return batch, float(loss.detach()), torch.autograd.grad(loss, parameters, allow_unused=True)

    for batch, loss, found in side_by_side(gradients, group, parameters[0].device):
        total += loss
        state.tokens += batch.tokens
        state.targets += len(batch.examples)
        for parameter, gradient in zip(parameters, found, strict=True):  # in the order of the batches: the same bits
            if gradient is not None:
                parameter.grad = gradient.clone() if parameter.grad is None else parameter.grad + gradient
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, options.clip))
    if not (math.isfinite(total) and math.isfinite(norm)):
        raise ModelError(
            "training, step {step}", "the loss is {loss:.3g} and the length of its gradient {norm:.3g}",
            "finite numbers", "Lower the learning rate (now {rate:g}), or compute in fp32 (base.dtype)",
            step=state.step + 1, loss=total, norm=norm, rate=state.lr,
        )  # fmt: skip
    state.optimizer.step()
    state.train_loss = total if state.step == 0 else 0.98 * state.train_loss + 0.02 * total


class _State:
    """Everything a killed run needs to go on: weights, optimiser, best weights so far, counters."""

    COUNTERS = ("step", "best", "tokens", "targets", "train_loss", "losses", "cpu_seconds", "wall_seconds")

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], options: FitOptions, lr: float, folder: Path | None
    ) -> None:
        self.parameters, self.lr, self.folder = parameters, lr, folder
        self.optimizer = torch.optim.AdamW(parameters.values(), lr=lr, weight_decay=options.weight_decay)
        self.best_weights: dict[str, Tensor] = {}
        self.losses: list[float] = []
        self.step = self.best = self.tokens = self.targets = 0
        self.train_loss = 0.0
        self.cpu_seconds = self.wall_seconds = 0.0  # spent by earlier runs that were stopped
        self.began = time.process_time(), time.monotonic()
        self.saved_at = time.monotonic()

    def set_rate(self, done: float, warm_up: float) -> None:
        """Linear warm-up, then cosine decay to a tenth."""
        share = done / warm_up if done < warm_up else 0.55 + 0.45 * math.cos(math.pi * (done - warm_up) / (1 - warm_up))
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * share

    def judge(self, loss: float) -> None:
        self.losses.append(loss)
        if loss <= min(self.losses):
            self.best = len(self.losses)
            self.best_weights = {n: p.detach().clone() for n, p in self.parameters.items()}

    def keep_best(self) -> None:
        with torch.no_grad():
            for name, tensor in self.best_weights.items():
                self.parameters[name].copy_(tensor)

    # -- checkpoints: written whole into a new folder, then renamed over the old one ----------------

    def save_if_due(self, seconds: float) -> None:
        if self.folder is None or time.monotonic() - self.saved_at < seconds:
            return
        tensors = {f"weight/{n}": p.detach().clone() for n, p in self.parameters.items()}
        tensors |= {f"best/{n}": t for n, t in self.best_weights.items()}
        for name, parameter in self.parameters.items():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}/{name}"] = value.clone()
        counters = {n: getattr(self, n) for n in self.COUNTERS}
        counters["cpu_seconds"] += time.process_time() - self.began[0]
        counters["wall_seconds"] += time.monotonic() - self.began[1]
        with whole_folder(self.folder, old=_older(self.folder)) as staging:
            save_file({k: v.contiguous() for k, v in tensors.items()}, staging / "state.safetensors")
            (staging / "counters.json").write_text(json.dumps(counters))
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        """Goes on from the newest checkpoint that can be read; from the beginning where there is none."""
        for folder in (self.folder, _older(self.folder)) if self.folder else ():
            try:
                counters = json.loads((folder / "counters.json").read_text())
                tensors = load_file(folder / "state.safetensors")
            except (OSError, ValueError, SafetensorError):  # none there, or a damaged one
                continue
            self._take_up(counters, tensors)
            return

    def _take_up(self, counters: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, value in counters.items():
            setattr(self, name, value)
        with torch.no_grad():
            for key, tensor in tensors.items():
                kind, name = key.split("/", 1)
                if kind == "weight":
                    self.parameters[name].copy_(tensor)
                elif kind == "best":
                    self.best_weights[name] = tensor
                else:
                    self.optimizer.state[self.parameters[name]][kind.removeprefix("optimizer.")] = tensor

    def forget_checkpoint(self) -> None:
        if self.folder is None:
            return
        for folder in (_older(self.folder), self.folder):
            remove(folder / "counters.json")  # first: half a checkpoint must not look like one
            remove(folder)
        remove_leftovers(self.folder)


def _older(checkpoint: Path) -> Path:
    """Where the checkpoint stands while a newer one takes its place."""
    return checkpoint.with_name(f"{checkpoint.name}.old")


def progress_lines(what: str, every: float = 10.0) -> Progress:
    """A progress function that prints a line every `every` seconds, on stderr: stdout may be JSON."""
    last = [time.monotonic()]

    def show(done: int, total: int, left: float) -> None:
        if time.monotonic() - last[0] >= every or done == total:
            last[0] = time.monotonic()
            print(f"{what}: step {done:,} of {total:,}, {left:,.0f} s left", file=sys.stderr, flush=True)

    return show
