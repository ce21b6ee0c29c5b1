"""Tokens per event and tokens per second of a run, measured before the run."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from regraft.arena.compare import Arena
from regraft.prompts.template import Template
from regraft.setup.base import encoder_of
from regraft.setup.build import nano_options, nano_place

if TYPE_CHECKING:
    from regraft.lm.encode import Encoder
    from regraft.lm.options import NanoOptions
    from regraft.lm.probe import Speed

ROWS = 5_000  # events whose tokens are counted
USERS = 100  # whose blocks are what speed is measured on
TOKENIZER_ROWS = 10_000  # warm-up events from which a tokenizer is learnt where none is there


@dataclass(frozen=True)
class Throughput:
    """What reading costs. `nano` is the base that must be built first, None where one is there."""

    tokens_per_event: float  # its answer included
    counted: str
    speed: Speed
    nano: NanoOptions | None
    tokenizer_seconds: float
    notes: tuple[str, ...] = ()  # what there is to know of the base model


def measure(arena: Arena, template: Template) -> Throughput:
    """Encodes a sample of events and measures the base model, or one of its size where it is not built yet."""
    config = arena.config
    place, built = nano_place(arena.folder, config, arena.stream, arena.template)
    path = config.base.path or (str(place) if built else None)
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
    encoder = encoder_of(tokenizer, base.longest, config, template, arena.regime)
    cases = arena.stream.cases(arena.first + 1)
    blocks = encoder.encode(cases.of_users(np.unique(cases.users)[:USERS]))
    measured = speed(
        base, encoder.answers, blocks, config.adapter, nano.objective if nano else "", config.cache.gib > 0
    )
    tokens = _tokens_per_event(arena, encoder, blocks.tokens.lengths)
    return Throughput(tokens, counted, measured, nano, seconds, tuple(base.notes))


def _tokenizer(arena: Arena, nano: NanoOptions) -> tuple[Any, float]:
    """A tokenizer like the one that will be built, and the seconds the whole one will take."""
    from regraft.lm.nano import train_tokenizer

    warm_up = arena.stream.warm_up()
    part = warm_up.only(slice(-TOKENIZER_ROWS, None))
    began = perf_counter()
    learnt = train_tokenizer(
        part, arena.template, nano.vocabulary, arena.regime, arena.config.refresh, arena.config.similarity
    )
    return learnt, (perf_counter() - began) * len(warm_up) / max(1, len(part))


def _tokens_per_event(arena: Arena, encoder: Encoder, lengths: np.ndarray) -> float:
    """Tokens of an event with its answer, and its part of the head that opens every block of these lengths."""
    stream = arena.stream
    some = np.unique(np.linspace(0, len(stream) - 1, min(ROWS, len(stream))).astype(np.int64))
    rows = stream.targets[some]
    if encoder.template.kind == "single":
        history = np.minimum(stream.order.index[rows], encoder.shape.context) + 1
        return float(lengths.mean() / history.mean())
    from regraft.lm.tokenize import opening_ids

    answer = np.mean([len(spoken) for spoken in encoder.answers.spoken])
    event = float(encoder.events(stream, rows).lengths.mean() + answer)
    head = len(opening_ids(encoder.tokenizer, encoder.template.head))
    return event * float(lengths.mean() / max(1.0, lengths.mean() - head))
