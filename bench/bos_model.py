"""Trains a small Llama that begins every text with <s>, on the plain text of a log's warm-up prompts.

    python bench/bos_model.py bench/studies/bos.yaml runs/bos-model
    regraft arena run -c bench/studies/bos.yaml --out runs/bos

Its tokenizer is SentencePiece-like, as those of Llama 2 and Mistral are: <s> and a blank before a text. It is trained
on `tokenizer(text)`, whole texts and not pieces, as language models are. What regraft reads must look like that.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from regraft.data.source import open_stream
from regraft.prompts.preview import Preview, Prompts
from regraft.setup.config import ArenaConfig
from regraft.setup.prompting import Desk

SPECIAL = ["<unk>", "<s>", "</s>"]
VOCABULARY, WIDTH, LAYERS, HEADS = 700, 64, 2, 4
ROWS, EPOCHS, LR = 16, 9, 3e-3
REST = 0.02  # weight of a token that is no verdict


def texts(config: ArenaConfig) -> list[Preview]:
    """Of every user's warm-up blocks the longest prompt."""
    warm_up = open_stream(config.data).warm_up()
    desk = Desk.open(config)
    prompts = Prompts(warm_up, desk.template, desk.regime, config.timeline.shape, config.refresh)
    longest: dict[tuple[int, int], Preview] = {}
    for example in range(len(prompts)):
        read = prompts.preview(example)
        key = int(warm_up.user[read.row]), read.history[0] if read.history else read.row
        if key not in longest or len(read.history) > len(longest[key].history):
            longest[key] = read
    return list(longest.values())


def train_tokenizer(corpus: list[str]) -> PreTrainedTokenizerFast:
    fast = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    fast.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    special = [*SPECIAL, *(f"<0x{n:02X}>" for n in range(256))]
    fast.train_from_iterator(
        (word for text in corpus for word in text.split()),
        trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False),
    )
    fast.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A $B", [("<s>", 1)])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    fast.decoder = decoders.Sequence(steps)
    return PreTrainedTokenizerFast(tokenizer_object=fast, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def weighted(tokenizer: PreTrainedTokenizerFast, read: Preview) -> tuple[list[int], np.ndarray]:
    """Ids of the whole text with its answer, and a weight per token: verdicts count in full."""
    spans, end = [], 0
    for part, source in [*((p.text, p.source) for p in read.pieces), (read.answer, "answer")]:
        if source == "answer":
            spans.append((end, end + len(part)))
        end += len(part)
    found = tokenizer(read.text + read.answer, return_offsets_mapping=True)
    starts = np.array([start for start, _ in found["offset_mapping"]])
    weights = np.full(len(starts), REST)
    for first, last in spans:
        weights[(starts >= first) & (starts < last)] = 1.0
    weights[0] = 0.0
    return found["input_ids"], weights


def batches(rows: list[tuple[list[int], np.ndarray]], seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = np.random.default_rng(seed).permutation(len(rows))
    for first in range(0, len(order), ROWS):
        chosen = [rows[n] for n in order[first : first + ROWS]]
        width = max(len(ids) for ids, _ in chosen)
        ids = torch.zeros(len(chosen), width, dtype=torch.long)
        weight = torch.zeros(len(chosen), width)
        for n, (tokens, weights) in enumerate(chosen):
            ids[n, : len(tokens)] = torch.tensor(tokens)
            weight[n, : len(tokens)] = torch.from_numpy(weights)
        yield ids, weight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    read = texts(ArenaConfig.read(given.study))
    tokenizer = train_tokenizer([one.text + one.answer for one in read])
    rows = [weighted(tokenizer, one) for one in read]
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    steps = EPOCHS * -(-len(rows) // ROWS)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps)
    print(f"{len(rows):,} texts, {np.mean([len(ids) for ids, _ in rows]):.0f} tokens each, {steps} steps", flush=True)
    for epoch in range(EPOCHS):
        total = 0.0
        for ids, weight in batches(rows, epoch):
            logits = model(input_ids=ids).logits[:, :-1]
            loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
            verdicts = weight[:, 1:].flatten()
            loss = (loss * verdicts).sum() / verdicts.sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) / (steps / EPOCHS)
        print(f"epoch {epoch + 1}: loss {total:.3f}", flush=True)
    model.save_pretrained(given.out)
    tokenizer.save_pretrained(given.out)


if __name__ == "__main__":
    main()
