"""What the benchmarks compare with: the same adapter trained by the Hugging Face Trainer."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from common import Taken, alternating, taken

from regraft.lm.base_model import BaseModel
from regraft.lm.graft import Grafts
from regraft.lm.options import AdapterOptions, FitOptions

BATCH = 32  # targets per forward


@dataclass
class Trained:
    """A base with its adapter, and how it got there."""

    base: BaseModel
    took: Taken
    steps: int


def trained_in_turn(
    sides: Mapping[str, Callable[[], Trained]], times: int, targets: int
) -> tuple[dict[str, Taken], dict[str, Trained]]:
    """Medians per target of trainings in alternating order, and the last training of each side."""
    last: dict[str, Trained] = {}

    def side(name: str) -> Taken:
        last[name] = sides[name]()
        print(f"  {name}: {last[name].took.wall:.1f} s", flush=True)
        return last[name].took.per(targets)

    return alternating({name: partial(side, name) for name in sides}, times), last


def train_peer(
    model: Any, tokenizer: Any, sequences: list[dict[str, list[int]]], answer_only: bool, *,
    step: int, rate: float, seed: int, batch: int = BATCH,
) -> Trained:  # fmt: skip
    """transformers.Trainer with PEFT on the same modules at the same rank as ours, one epoch.

    `sequences` are prompts with their answers, labels -100 before the answer. `step` targets per optimiser step,
    `batch` of them per forward.
    """
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    torch.manual_seed(seed)
    adapted = get_peft_model(copy.deepcopy(model), _lora(model, tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=step // batch,
            **_schedule(rate, seed),
            remove_unused_columns=False,
        )
        trainer = Trainer(
            model=adapted, args=settings, train_dataset=sequences, data_collator=_collator(tokenizer, answer_only)
        )
        took = taken(trainer.train)
    adapted.eval()
    return Trained(BaseModel.of(adapted.get_base_model(), tokenizer), took, int(trainer.state.global_step))


def train_trl(
    model: Any, tokenizer: Any, sequences: list[dict[str, list[int]]], *, blocks: int, rate: float, seed: int
) -> Trained:
    """TRL's SFTTrainer with PEFT on the same modules at the same rank as ours, one epoch; `blocks` rows per step.

    `sequences` are whole blocks, labels -100 wherever no verdict stands. Raises ImportError where TRL is not there.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=blocks,
            **_schedule(rate, seed),
            bf16=False,
            gradient_checkpointing=False,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        )
        trainer = SFTTrainer(
            model=copy.deepcopy(model), args=settings, train_dataset=Dataset.from_list(sequences),
            processing_class=tokenizer, peft_config=_lora(model, tokenizer),
        )  # fmt: skip
        took = taken(trainer.train)
    return Trained(BaseModel.of(trainer.model.get_base_model(), tokenizer), took, int(trainer.state.global_step))


def _lora(model: Any, tokenizer: Any) -> Any:
    """Rank, scale and modules of ours, in all layers."""
    from peft import LoraConfig

    options = AdapterOptions()
    modules = Grafts(BaseModel.of(copy.deepcopy(model), tokenizer)).linear
    return LoraConfig(r=options.rank, lora_alpha=options.alpha, target_modules=modules, task_type="CAUSAL_LM")


def _schedule(rate: float, seed: int) -> dict[str, Any]:
    """What both trainers are told: one epoch, our schedule, no logs and no files."""
    fit = FitOptions()
    return {
        "num_train_epochs": 1, "train_sampling_strategy": "group_by_length", "learning_rate": rate,
        "lr_scheduler_type": "cosine", "warmup_steps": fit.warm_up, "max_grad_norm": fit.clip,
        "weight_decay": fit.weight_decay, "seed": seed, "use_cpu": True, "report_to": "none", "save_strategy": "no",
        "logging_strategy": "no", "disable_tqdm": True,
    }  # fmt: skip


def _collator(tokenizer: Any, answer_only: bool) -> Callable[[list[dict[str, list[int]]]], dict[str, Any]]:
    """Pads to a multiple of 8, as published; `answer_only` pads on the left and asks for the last logits only."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (tokenizer.eos_token_id or 0)

    def collate(examples: list[dict[str, list[int]]]) -> dict[str, Any]:
        width = -(-max(len(e["input_ids"]) for e in examples) // 8) * 8
        ids = torch.full((len(examples), width), pad)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, example in enumerate(examples):
            n = len(example["input_ids"])
            place = slice(width - n, width) if answer_only else slice(0, n)
            ids[row, place], labels[row, place] = torch.tensor(example["input_ids"]), torch.tensor(example["labels"])
            mask[row, place] = 1
        batch: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        if answer_only:
            keep = 1 + max(sum(label != -100 for label in e["labels"]) for e in examples)
            batch |= {"logits_to_keep": keep, "labels": labels[:, -keep:]}
        return batch

    return collate
