"""Tokens per event and tokens per second of a run, measured before the run."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from regraft.arena.build import built_beside, nano_options
from regraft.arena.compare import Arena

if TYPE_CHECKING:
    from regraft.lm.nano import NanoOptions
    from regraft.lm.probe import Speed

ROWS = 5_000  # events whose tokens are counted
TOKENIZER_ROWS = 20_000  # warm-up events from which a tokenizer is learnt where none is there


@dataclass(frozen=True)
class Reading:
    """What reading costs. `nano` is the base that must be built first, None where one is there."""

    tokens_per_event: float  # its answer included
    counted: str
    speed: Speed
    nano: NanoOptions | None
    tokenizer_seconds: float


def measure(arena: Arena) -> Reading:
    """Encodes a sample of events and measures the base model, or one of its size where it is not built yet."""
    config = arena.config
    path = config.base.path or built_beside(arena.folder, config, arena.stream, arena.template)
    nano = None if path else nano_options(config)
    from regraft.lm.base_model import BaseModel
    from regraft.lm.probe import speed, unbuilt

    seconds = 0.0
    if nano is None:
        options = config.base
        base = BaseModel.load(str(path), options.dtype, options.device, options.trust_remote_code)
        tokenizer, counted = base.tokenizer, f"counted with the tokenizer of {base.path}"
    else:
        base = unbuilt(nano)
        tokenizer, seconds = _tokenizer(arena, nano)
        counted = "counted with a tokenizer learnt from a part of the warm-up"
    tokens = _tokens_per_event(arena, tokenizer)
    events = config.timeline.context + config.timeline.targets // 2
    length = max(16, round(tokens * events))
    measured = speed(base, config.adapter, length, nano.objective if nano else "")
    return Reading(tokens, counted, measured, nano, seconds)


def _tokenizer(arena: Arena, nano: NanoOptions) -> tuple[Any, float]:
    """A tokenizer like the one that will be built, and the seconds the whole one will take."""
    from regraft.lm.nano import train_tokenizer

    warm_up = arena.stream.warm_up()
    part = warm_up.only(slice(-TOKENIZER_ROWS, None))
    began = perf_counter()
    learnt = train_tokenizer(part, arena.template, nano.vocabulary, arena.regime, arena.config.refresh)
    return learnt, (perf_counter() - began) * len(warm_up) / max(1, len(part))


def _tokens_per_event(arena: Arena, tokenizer: Any) -> float:
    from regraft.lm.answers import Answers
    from regraft.lm.encode import Encoder

    config, template, stream = arena.config, arena.template, arena.stream
    answers = Answers.of(tokenizer, template)
    encoder = Encoder(
        tokenizer, template, answers, arena.regime, config.timeline.shape, config.refresh, config.item_tokens
    )
    some = np.unique(np.linspace(0, len(stream) - 1, min(ROWS, len(stream))).astype(np.int64))
    if template.kind == "timeline":
        events = encoder.events(stream, stream.targets[some]).lengths
        return float(events.mean()) + float(np.mean([len(spoken) for spoken in answers.spoken]))
    blocks = encoder.encode(stream.only(some[:: max(1, len(some) // 500)]))
    history = np.minimum(stream.order.index[stream.targets[some]], config.timeline.context) + 1
    return float(blocks.tokens.lengths.mean() / history.mean())
