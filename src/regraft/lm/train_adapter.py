"""An adapter trained on one view: the objective, which epoch is kept, what it took, and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np

from regraft import __version__
from regraft.cost import Cost, measured
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.adapter import Adapter
from regraft.lm.charge import Lower, flops, tokens_scored
from regraft.lm.encode import Blocks
from regraft.lm.fit import train
from regraft.lm.graft import take
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import ExtraLoss, Judge
from regraft.lm.workshop import Workshop
from regraft.metrics.binary import log_loss

ENOUGH_TO_DIFFER = 4  # held-out examples with different prompts of which a trained model never says the very same


def train_adapter(
    shop: Workshop, key: str, view: Stream, start: Adapter | None, stop: Stream, *, lr: float, epochs: int, seed: int,
    weights: np.ndarray, extra_loss: Sequence[ExtraLoss] = (),
) -> tuple[Adapter, Cost]:  # fmt: skip
    """The adapter and what it took, as if nothing had been kept for it by others.

    `key` names the fit: under it a killed one is taken up. `stop` (may be empty) decides by log-loss which epoch is
    kept; `weights` are per example of the view. Raises ModelError where training has diverged.
    """
    with measured() as cost:
        shape = shop.grafts.shape(shop.adapter)
        adapter = start or shop.grafts.fresh(shape, seed)
        blocks = shop.blocks(view)
        trunk = shop.trunk_of(adapter)
        judge = Judge(shop.base, blocks, shop.answers, weights, shop.fit.heavy_users, extra_loss, trunk)
        held = shop.blocks(stop) if len(stop) else None
        held_tokens = tokens_scored(held, shop.base, trunk) if held is not None else 0
        watched, lower = [0], Lower(trunk)
        differ = held is not None and _prompts_differ(held)
        alike: list[bool] = []  # per epoch watched: do all held-out examples get one score?

        def watch() -> float:
            assert held is not None
            watched[0] += held_tokens
            scores = score_blocks(shop.base, shop.answers, held, trunk=trunk)
            alike.append(differ and bool(np.ptp(scores) == 0))
            return log_loss(held.label, scores)

        again = shop.base.recomputing() if shop.fit.gradient_checkpointing else nullcontext()
        with shop.grafts.training(adapter) as slot:
            if trunk:
                trunk.fill(blocks)
            # The key does not know extra losses, so what was begun under one must not be taken up under another.
            kept = None if extra_loss or not shop.folder else shop.folder / "fits" / f"{key}.checkpoint"
            with again:
                result = train(
                    judge, slot, shop.fit, lr=lr, epochs=epochs, seed=seed,
                    stop=watch if held is not None else None, progress=shop.progress, checkpoint=kept,
                )  # fmt: skip
            if any(alike[len(alike) - 1 - len(result.losses) + result.best :][:1]):
                raise _diverged(held, lr)
            weights_now = take(slot)
    cost.tokens_forward, cost.tokens_backward = result.cost.tokens_forward + watched[0], result.cost.tokens_backward
    cost.targets_trained = result.cost.targets_trained
    lower.charge(cost, len(blocks.tokens.data) + held_tokens)
    cost.flops = flops(shop, cost)
    lineage = _lineage(shop, view, stop, start, lr, epochs, seed, result.losses)
    done = Adapter(
        adapter.shape, weights_now, {**lineage, "fan_in_fan_out": bool(adapter.lineage.get("fan_in_fan_out"))}
    )
    cost.adapter_bytes = done.bytes
    return done, cost


def _lineage(
    shop: Workshop, view: Stream, stop: Stream, start: Adapter | None, lr: float, epochs: int, seed: int,
    losses: list[float],
) -> dict[str, object]:  # fmt: skip
    import peft
    import torch
    import transformers

    period = view.period[view.targets]
    return {
        "base": shop.base.hash,
        "template": shop.encoder.template.hash,
        "tokenizer": shop.base.hash,
        "data": view.fingerprint,
        "stop": stop.fingerprint,
        "periods": [int(period.min()), int(period.max())],
        "before": int(view.time[-1]) + 1,
        "users": len(np.unique(view.users)),
        "examples": len(view),
        "parents": [start.hash] if start else [],
        "regime": str(shop.encoder.regime),
        "lr": lr,
        "epochs": epochs,
        "stop_losses": losses,
        "fit": shop.fit.model_dump(),
        "seed": seed,
        "versions": {
            "regraft": __version__, "torch": torch.__version__, "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
    }  # fmt: skip


def _prompts_differ(held: Blocks) -> bool:
    """Whether enough of the held-out examples are read behind texts of their own."""
    own = {(held.tokens[block].tobytes(), int(read)) for block, read in zip(held.block, held.read, strict=True)}
    return len(own) >= ENOUGH_TO_DIFFER


def _diverged(held: Blocks | None, lr: float) -> ModelError:
    return ModelError(
        "training", "has diverged: all {n} held-out examples get the same score",
        "scores that differ from example to example",
        "Lower the learning rate (now {rate:g}), or compute in fp32 (base.dtype)",
        n=len(held.label) if held else 0, rate=lr,
    )  # fmt: skip
