"""`nano`: a small base model built from the log's own warm-up periods, saved as a Hugging Face directory.

About 1.5 million parameters (Llama-shaped: 4 layers, width 128) with a byte-level BPE of its own whose
merges may cross spaces (as in SuperBPE, arXiv 2503.13423), so that a popular title becomes one or two
tokens. It is the embedded default: regraft needs no download.

Two objectives. `labels` learns the labels themselves: the strongest small recommender, on which `never`
is hard to beat. `text` learns to predict titles, facts and sequences and never sees a label: a stand-in
for a general language model, on which adapters must teach the task.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from regraft.cost import Cost
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.data.text import clean
from regraft.data.user_order import ranges
from regraft.errors import DataError
from regraft.files import remove, whole_folder
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.fit import Progress, train
from regraft.lm.nano_identity import LINEAGE, identity, made_of
from regraft.lm.options import FitOptions, NanoOptions
from regraft.lm.score import score_blocks
from regraft.lm.tasks.judge import Judge
from regraft.lm.tasks.text import Text
from regraft.lm.verbalizer import Verbalizer
from regraft.metrics.binary import log_loss
from regraft.prompts.facts import fact_table, rendered, wanted
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

END = "<|end|>"
NUMBERS = r" [+-]?\d+[kdy]?(?=\s|$)"  # a fact is a token of its own, whatever stands beside it


def build_nano(
    folder: Path,
    warm_up: Stream,
    template: Template,
    options: NanoOptions,
    *,
    regime: Regime | None = None,
    shape: Shape | None = None,
    refresh: str = "event",
    similarity: str = "tfidf",
    more_history: str = "",
    progress: Progress | None = None,
) -> Cost:
    """Builds and saves the base from `warm_up` (Stream.warm_up()), which ends before the first period.

    Where that is too short, the error says `more_history`: which setting makes it longer.

    The folder appears whole or not at all; a killed build goes on from its checkpoint beside it. The last
    2 % of the examples decide which epoch is kept.
    """
    if len(warm_up) < 50:
        raise DataError(
            "base build",
            f"the stream has {len(warm_up)} warm-up rows",
            "a log with warm-up rows to learn from (at least 50)",
            more_history,
        )
    regime, shape = regime or Regime(), shape or Shape()
    made = made_of(warm_up, template, options, regime, shape, refresh, similarity)
    tokenizer = train_tokenizer(warm_up, template, options.vocabulary, regime, refresh, similarity)
    torch.manual_seed(options.seed)
    model = LlamaForCausalLM(_config(options, len(tokenizer)))
    base = BaseModel.of(model, tokenizer, "nano")
    encoder = Encoder(
        tokenizer, template, Verbalizer.of(tokenizer, template), regime, shape, refresh, longest=options.positions,
        similarity=similarity,
    )  # fmt: skip
    model.requires_grad_(True)
    fit = FitOptions(
        lr=options.lr, epochs=options.epochs, patience=options.epochs, targets_per_step=options.targets_per_step
    )
    objective: Judge | Text
    stop: Callable[[], float] | None = None
    if options.objective == "labels":
        objective, stop = _judged(base, encoder, warm_up, fit)
    else:
        objective = Text(base, _texts(encoder, warm_up))
        fit = fit.model_copy(update={"targets_per_step": 16})
    result = train(
        objective, dict(model.named_parameters()), fit, lr=options.lr, epochs=options.epochs, seed=options.seed,
        # Taken up by the same build only, not by one with other settings into the same folder.
        checkpoint=folder.with_name(f".{folder.name}.{identity(made)}.checkpoint"),
        stop=stop, progress=progress,
    )  # fmt: skip
    _save(folder, model, tokenizer, warm_up, made, result.losses, result.cost)
    return result.cost


def _judged(base: BaseModel, encoder: Encoder, warm_up: Stream, fit: FitOptions) -> tuple[Judge, Callable[[], float]]:
    """The labels of all examples but the last 2 %, and the log-loss on those."""
    held = max(1, len(warm_up) // 50)
    rest = warm_up.only(np.arange(len(warm_up) - held))
    judge = Judge(base, encoder.encode(rest), encoder.answers, np.ones(len(rest), np.float32), fit.heavy_users)
    last = encoder.encode(warm_up.only(np.arange(len(warm_up) - held, len(warm_up))))
    return judge, lambda: log_loss(last.label, score_blocks(base, encoder.answers, last))


def train_tokenizer(
    warm_up: Stream, template: Template, vocabulary: int, regime: Regime, refresh: str, similarity: str = "tfidf"
) -> PreTrainedTokenizerFast:
    """A byte-level BPE learnt from the texts a prompt is made of, popular items first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(NUMBERS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=48,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(warm_up, template, regime, refresh, similarity), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


def _corpus(
    warm_up: Stream, template: Template, regime: Regime, refresh: str, similarity: str
) -> Iterator[str]:  # fmt: skip
    """Every text piece a prompt can hold, repeated by how often it occurs (answers and facts first)."""
    counts = np.bincount(warm_up.item[warm_up.targets], minlength=len(warm_up.items))
    often = int(counts.max()) + 1
    for answer in (template.yes, template.no):
        yield from [answer] * often
    if template.facts:
        table = fact_table(warm_up, regime, refresh, similarity=wanted(template.facts, similarity))
        facts = rendered(table[warm_up.targets], template.facts)
        for text in np.unique(np.concatenate([facts[n].unique().to_numpy().astype(str) for n in facts.columns])):
            yield from [f" {text}"] * often
    for piece in template.skeleton(template.fields) if template.kind == "timeline" else []:
        if isinstance(piece, str):
            yield from [piece] * often
    yield template.head
    for field in template.fields:
        if field in warm_up.items.columns:
            for text, count in zip(warm_up.items[field], counts, strict=True):
                yield from [clean(text)] * int(count)


def _texts(encoder: Encoder, warm_up: Stream) -> Blocks:
    """Each user's events in time order without any label, H + W events a block."""
    order, size = warm_up.order, encoder.shape.context + encoder.shape.targets
    rows = order.rows
    user = warm_up.user[rows]
    number = order.index[rows]
    events = encoder.events(warm_up, rows)
    new_block = np.flatnonzero((np.diff(user, prepend=-1) != 0) | (number % size == 0))
    tokens = events.grouped(np.diff(np.append(new_block, len(rows))))
    lengths = tokens.lengths
    position = ranges(np.zeros_like(lengths), lengths)
    none = np.zeros(0, dtype=np.int64)
    segment = np.zeros(len(position), np.int32)
    return Blocks(tokens, position, position + 1, segment, user[new_block], np.arange(len(new_block)), none, none, none)


def _config(options: NanoOptions, size: int) -> LlamaConfig:
    inner = -(-8 * options.width // 3 // 32) * 32
    return LlamaConfig(
        vocab_size=size,
        hidden_size=options.width,
        intermediate_size=inner,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.heads,
        max_position_embeddings=options.positions,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )


def _save(
    folder: Path,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    warm_up: Stream,
    made: dict[str, Any],
    losses: list[float],
    cost: Cost,
) -> None:
    lineage = {
        "built": "nano",
        **made,
        "examples": len(warm_up),
        "ends_before": warm_up.cuts[0],
        "stop_losses": losses,
        "cost": cost.as_dict(),
    }
    with whole_folder(folder) as staging:
        model.save_pretrained(staging)
        tokenizer.save_pretrained(staging)
        (staging / LINEAGE).write_text(json.dumps(lineage, indent=2))
    for abandoned in folder.parent.glob(f".{glob.escape(folder.name)}.{'[0-9a-f]' * 12}.checkpoint*"):
        remove(abandoned)
