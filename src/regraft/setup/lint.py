"""A template looked at with everything that is at hand: its text, a log's items and examples, a base model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from regraft.errors import ConfigError, ModelError
from regraft.prompts.lint import LEVELS, Finding, lint
from regraft.prompts.template import Template
from regraft.said import Said
from regraft.setup.prompting import Desk, opened

if TYPE_CHECKING:
    from regraft.lm.token_view import Length


@dataclass(frozen=True)
class Linted:
    """Findings, errors first; lengths in tokens where a base model was given."""

    findings: tuple[Finding, ...]
    lengths: tuple[Length, ...] = ()


def lint_template(name: str, config: Path | None = None, base: Path | None = None) -> Linted:
    """Everything known about a template. `config`: a run or a site; `base` needs one, for its items."""
    if base and not config:
        raise ConfigError("--base", "is given without a log", "a configuration", "Add: --config FILE")
    if not config:
        template = opened(name)
        # Nothing is known of the items: those it speaks of have every field it asks for.
        fields = {key: ["x"] for key in ["item_id", "title", *template.fields]}
        return Linted(tuple(lint(template, pl.DataFrame(fields))))
    desk = Desk.at(config, name)
    return lint_at(desk, base or desk.base)


def lint_at(desk: Desk, base: Path | None = None) -> Linted:
    """Everything known about the template of a desk; with a base model, lengths in its tokens as well."""
    found = lint(desk.template, desk.stream.items, [desk.stream])
    lengths: list[Length] = []
    if base and not any(f.level == "error" for f in found):
        from regraft.lm.token_view import lengths as measure

        try:
            shop = desk.workshop(base)
            lengths = measure(shop.encoder, desk.stream)
            found += _too_long(desk.template, lengths, shop.base.longest, desk.config.item_tokens)
        except ModelError as error:  # answers that look alike, or a block that does not fit
            advice = error.next_step or Said("Expected {what}", what=error.expected)
            found.append(Finding("error", error.found, error.where, advice))
    return Linted(tuple(sorted(found, key=lambda f: LEVELS.index(f.level))), tuple(lengths))


def _too_long(template: Template, lengths: list[Length], positions: int | None, cap: int) -> list[Finding]:
    found = []
    where = Said("template '{name}'", name=template.name)
    for one in lengths:
        if one.part == "any block" and positions and one.longest > positions:
            what = Said(
                "a block of the longest events would take {longest:,} of {positions:,} positions",
                longest=one.longest, positions=positions,
            )  # fmt: skip
            advice = Said("Lower timeline.context, timeline.targets or item_tokens")
            found.append(Finding("warning", what, where, advice))
        if one.part.startswith("item.") and one.longest > cap:
            what = Said(
                "{part} takes up to {longest} tokens and is cut at item_tokens = {cap}: {example}",
                part=one.part, longest=one.longest, cap=cap, example=repr(one.example),
            )  # fmt: skip
            found.append(Finding("note", what, where, Said("Raise item_tokens where what is cut off matters")))
    return found
