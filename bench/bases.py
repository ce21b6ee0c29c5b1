"""The base models of benchmarks: one from a folder, or a nano model with random weights and a tokenizer fair to all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.data.text import clean
from regraft.prompts.facts import fact_table, rendered
from regraft.prompts.template import Template


def open_base(
    path: Path | None, stream: Stream, templates: Sequence[Template], dtype: str = "fp32"
) -> tuple[Any, Any]:  # fmt: skip
    """(model, tokenizer) from a folder; without one a nano model with random weights: speed does not depend on them."""
    import torch
    from transformers import LlamaForCausalLM

    from regraft.lm import nano
    from regraft.lm.options import NanoOptions

    if path is not None:
        return load_base(path, dtype)
    if any(template.facts for template in templates):
        fact_table(stream, Regime())  # the longest table serves all views
    options = NanoOptions()
    tokenizer = fair_tokenizer(stream.warm_up(), templates, options.vocabulary)
    torch.manual_seed(options.seed)
    return LlamaForCausalLM(nano._config(options, len(tokenizer))).eval(), tokenizer


def load_base(path: Path, dtype: str) -> tuple[Any, Any]:
    """(model, tokenizer) from a folder, in fp32 or bf16."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from regraft.lm.dtypes import DTYPES

    model = AutoModelForCausalLM.from_pretrained(path, dtype=DTYPES[dtype], use_safetensors=True)
    return model.eval(), AutoTokenizer.from_pretrained(path)


def fair_tokenizer(warm_up: Stream, templates: Sequence[Template], vocabulary: int) -> Any:
    """The tokenizer of nano, learnt anew from the texts of all templates alike.

    Its merges cross spaces. Learnt from our template alone it would make our instruction short and spell out the
    others'; here every template's fixed text counts as often as the most frequent title.
    """
    from regraft.lm.nano import train_tokenizer

    few = warm_up.only(np.arange(min(len(warm_up), 100)))
    blank = Template("{% block head %}{% endblock %}{% block event %}{{ item.title }}{% endblock %}"
                     "{% block yes %} Yes{% endblock %}{% block no %} No{% endblock %}")  # fmt: skip
    seed = train_tokenizer(few, blank, 300, Regime(), "event")
    texts = _texts(warm_up, templates)
    return seed.train_new_from_iterator(
        ([text] for text in texts), vocabulary, max_token_length=48, show_progress=False
    )


def _texts(warm_up: Stream, templates: Sequence[Template]) -> Iterator[str]:
    counts = np.bincount(warm_up.item[warm_up.targets], minlength=len(warm_up.items))
    often = int(counts.max()) + 1
    for text in dict.fromkeys(text for template in templates for text in fixed_texts(template)):
        yield from [text] * often
    for name in dict.fromkeys(name for template in templates for name in template.facts):
        column = rendered(fact_table(warm_up, Regime())[warm_up.targets], [name])[name]
        for text in column.unique():
            yield from [f" {text}"] * often
    for name in dict.fromkeys(name for template in templates for name in template.fields):
        for text, count in zip(warm_up.items[name], counts, strict=True):
            yield from [clean(text)] * int(count)


def fixed_texts(template: Template) -> list[str]:
    """Every piece of the template that is neither an item's text nor a fact."""
    if template.kind == "timeline":
        pieces = [template.head, *template.skeleton(template.fields)]
    else:
        names, facts = template.fields, dict.fromkeys(template.facts, "0")
        pieces = template.prompt([(0, names), (1, names)], [(2, names), (3, names)], (4, names), facts)
    return [piece for piece in (*pieces, template.yes, template.no) if isinstance(piece, str) and piece]
