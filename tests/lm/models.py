"""Tiny random models of every shape regraft must read, with a small tokenizer, and the prompts they are checked with.

Weights are drawn wide, so that log-odds differ from target to target by far more than rounding does.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.adapter import Adapter
from regraft.lm.base_model import BaseModel
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions
from regraft.lm.tokenize import opening_ids, token_ids
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.facts import fact_table, rendered
from regraft.prompts.pieces import FACT
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape, lay_out
from worlds import tiny_stream

torch.set_num_threads(1)  # on matrices this small, a second thread only waits for the first

FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "mistral", "gpt2")
REGIMES = tuple(Regime(name) for name in ("fresh", "delayed", "frozen", "paper"))
WINDOW = 12  # tokens a sliding layer sees: less than two events
LAYERS = 4
TIMELINE = Template(
    "{% block head %}Verdicts:\n{% endblock %}{% block event %}{{ item.title }}"
    "{% if item.genres %} ({{ item.genres }}){% endif %}:{% endblock %}"
    "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}",
    "tiny",
)
WORDS = (
    "Verdicts: Yes No Liked Not liked Further item drama comedy war heat up alien big night blue 0 5 50 100 +0 -5 2k"
)


def sizes(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": LAYERS,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 2048,
        "initializer_range": 0.25, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
    }  # fmt: skip


def config(family: str, vocabulary: int) -> Any:
    """Sliding windows are on wherever the family has them."""
    common = sizes(vocabulary)
    no_head_dim = {k: v for k, v in common.items() if k != "head_dim"}
    if family == "llama":
        return LlamaConfig(**common)
    if family == "qwen2":
        return Qwen2Config(**no_head_dim, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=2)
    if family == "qwen3":
        return Qwen3Config(**common)
    if family == "gemma2":
        return Gemma2Config(**common, sliding_window=WINDOW, query_pre_attn_scalar=8, final_logit_softcapping=5.0)
    if family == "gemma3":
        kinds = ["sliding_attention", "full_attention"] * (LAYERS // 2)
        return Gemma3TextConfig(**common, sliding_window=WINDOW, layer_types=kinds, query_pre_attn_scalar=8)
    if family == "mistral":
        return MistralConfig(**common, sliding_window=WINDOW)
    return GPT2Config(
        vocab_size=vocabulary, n_embd=32, n_layer=LAYERS, n_head=4, n_positions=2048, initializer_range=0.25,
        bos_token_id=0, eos_token_id=0, pad_token_id=0, resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.1,
    )  # fmt: skip


@lru_cache
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE with a few merges and one special token, which is also the text of a hostile title."""
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    fast.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fast.train_from_iterator([f" {WORDS}", WORDS] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=fast, eos_token="<|end|>", pad_token="<|end|>")


def tiny_model(family: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config(family, len(tokenizer())))


def tiny_base(family: str = "llama", seed: int = 0) -> BaseModel:
    return BaseModel.of(tiny_model(family, seed), tokenizer())


def saved_base(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """A Hugging Face directory of the tiny model."""
    tiny_model(family, seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def adapter_into(folder: Path, base: Path) -> Path:
    """A PEFT adapter that changes every logit, trained on `base`."""
    torch.manual_seed(3)
    options = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), options).save_pretrained(folder)
    return folder


def mamba(folder: Path) -> Path:
    """A model of a family that LoRA cannot adapt."""
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "state_size": 4, "vocab_size": len(tokenizer())}
    MambaForCausalLM(MambaConfig(**shape)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def stories() -> Path:
    """A small language model trained by others, where it is at hand."""
    shared = os.environ.get("REGRAFT_MODELS") or Path(__file__).parents[2].parent / "shared" / "models"
    folder = Path(shared) / "stories260K"
    if not folder.is_dir():
        pytest.skip("the model stories260K is not here: set REGRAFT_MODELS to the folder that holds it")
    return folder


class Reaching(nn.Module):
    """A layer that uses what the first layer saw, past its own input: no cut carries that along."""

    def __init__(self, layer: nn.Module, first: nn.Module) -> None:
        super().__init__()
        self.layer, self.seen = layer, []
        first.register_forward_hook(lambda module, given, answer: self.seen.append(answer))

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.layer(*given, **named) + self.seen[-1]


def reaching_across(base: BaseModel) -> None:
    """Makes the last layer such a one: the model cannot be cut below it."""
    layers = base.model.model.layers
    layers[3] = Reaching(layers[3], layers[0])


def encoder_for(
    tokens: Any, template: Template = TIMELINE, regime: Regime = REGIMES[0], shape: Shape | None = None, **more: Any
) -> Encoder:
    answers = Verbalizer.of(tokens, template)
    return Encoder(tokens, template, answers, regime, shape or Shape(3, 4), **more)


def wide(base: BaseModel, seed: int = 0, options: AdapterOptions | None = None, size: float = 0.1) -> Adapter:
    """An adapter whose A and B are both random: it changes every score."""
    grafts = Grafts(base)
    fresh = grafts.fresh(grafts.shape(options or AdapterOptions(rank=4, alpha=8.0, adapt="all")), seed)
    rng = np.random.default_rng([seed, 99])
    drawn = {n: rng.normal(0, size, w.shape).astype(np.float32) for n, w in sorted(fresh.weights.items())}
    return Adapter(fresh.shape, drawn, {"base": base.hash, **fresh.lineage})


def random_log(seed: int, users: int = 3, events: int = 40, items: int = 6) -> str:
    """Rows over about six days: many at one instant, some a day apart, none of one user twice on an item at once."""
    rng = np.random.default_rng(seed)
    at, words = 0, []
    for row in range(events):
        at += int(rng.choice([0, 0, 1, 3600, 30_000]))
        sign = "+" if row == 0 or (row > 1 and rng.random() < 0.5) else "-"
        words.append(f"u{rng.integers(users)}:i{rng.integers(items)}{sign}@{at}")
    return " ".join(words)


TITLES = {
    "i0": "heat",
    "i1": "up",
    "i2": "alien night of the big blue war",
    "i3": "Yes",
    "i4": "夜 film",
    "i5": "No No",
}
GENRES = {"i0": "drama", "i2": "war, comedy", "i4": "drama"}


def random_world(seed: int = 0, events: int = 40, users: int = 3, **more: Any) -> Stream:
    return tiny_stream(random_log(seed, users, events), titles=TITLES, genres=GENRES, **more)


def candidates(each: int) -> Stream:
    """One user's six choices, each beside up to `each` sampled candidates of the same instant: a request."""
    known = " ".join(f"u{k}:i{k}+@{k}" for k in range(12))
    chosen = " ".join(f"ann:i{k}+@{100 + k}" for k in range(6))
    return tiny_stream(f"{known} {chosen}", titles=TITLES, label="implicit", negatives=each)


# -- what a target depends on ----------------------------------------------------------------------------


def seen(blocks: Blocks, number: int) -> tuple[list[int], list[int]]:
    """(tokens, positions) that the state of an example depends on, in order."""
    block, read = blocks.block[number], blocks.read[number]
    first = blocks.tokens.start[block]
    tokens, own = blocks.tokens[block], blocks.segment[first : first + blocks.tokens.lengths[block]]
    position, limit = (getattr(blocks, n)[first : first + len(tokens)] for n in ("position", "limit"))
    line = np.flatnonzero((own == 0) & (np.arange(len(own)) < limit[read]))
    copy = np.flatnonzero((own == own[read]) & (own > 0) & (np.arange(len(own)) <= read))
    places = np.concatenate([line, copy])
    return tokens[places].tolist(), position[places].tolist()


# -- the same targets, each with a prompt of its own -------------------------------------------------------


def separate_prompts(view: Stream, encoder: Encoder) -> list[list[int]]:
    """Token ids of one plain prompt per example, written the long way: no block, no mask, no shared prefix."""
    p, facts = lay_out(view, encoder.regime, encoder.shape), fact_texts(view, encoder)
    prompts = []
    for example, row in enumerate(p.rows):
        first = view.order.start[p.user[example]]
        past = view.order.rows[first + p.start[example] : first + p.known[example]]
        ids = opening_ids(encoder.tokenizer, encoder.template.head)
        for earlier in past:
            answer = encoder.template.yes if view.label[earlier] else encoder.template.no
            ids = [*ids, *event_ids(view, int(earlier), encoder, facts), *token_ids(encoder.tokenizer, answer)]
        prompts.append([*ids, *event_ids(view, int(row), encoder, facts), *encoder.answers.shared])
    return prompts


def fact_texts(view: Stream, encoder: Encoder) -> list[dict[str, str]]:
    """Per row of the stream: the facts its event shows."""
    names = encoder.template.facts
    return rendered(fact_table(view, encoder.regime, encoder.refresh), names).to_dicts() if names else []


def event_ids(view: Stream, row: int, encoder: Encoder, facts: list[dict[str, str]]) -> list[int]:
    item = view.items.row(int(view.item[row]), named=True)
    ids: list[int] = []
    for piece in encoder.template.skeleton([f for f in encoder.template.fields if item.get(f)]):
        if isinstance(piece, str):
            ids += token_ids(encoder.tokenizer, piece)
        else:
            text = facts[row][piece.field] if piece.item == FACT else item[piece.field]
            found = token_ids(encoder.tokenizer, (" " if piece.space else "") + text)
            ids += found if piece.item == FACT else found[: encoder.item_tokens]
    return ids


def plain_log_odds(model: nn.Module, prompts: list[list[int]], yes: int, no: int) -> np.ndarray:
    """logit(yes) - logit(no) after each prompt: the model's own forward and logits, without padding or mask."""
    found, lengths = np.zeros(len(prompts)), np.array([len(ids) for ids in prompts])
    with torch.inference_mode():
        for length in np.unique(lengths):
            alike = np.flatnonzero(lengths == length)
            logits = model(input_ids=torch.tensor([prompts[n] for n in alike]), use_cache=False).logits[:, -1].float()
            found[alike] = (logits[:, yes] - logits[:, no]).numpy()
    return found
