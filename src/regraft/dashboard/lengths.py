"""How long the prompts of a template are, as pages show it: a histogram with its table."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.report.histogram import histogram
from regraft.state.aggregates import HIDE
from regraft.studio.prompt_lengths import Bar, PromptLengths


@dataclass(frozen=True)
class Lengths:
    """`bars`: with None in the place of counts that fewer than ten people stand behind."""

    found: PromptLengths
    svg: Markup
    bars: tuple[tuple[Bar, int | None], ...]


def shown(found: PromptLengths | None, words: DashboardWords) -> Lengths | None:
    """None where there was no base model to count tokens with."""
    if found is None:
        return None
    bars = tuple((bar, None if 0 < bar.people < HIDE else bar.prompts) for bar in found.bars)
    drawn = histogram(
        tuple(bar.low for bar in found.bars), found.bars[0].high - found.bars[0].low + 1,
        tuple(prompts or 0 for _, prompts in bars), "prompt-lengths", words("lengths title"), words("lengths axis"),
    )  # fmt: skip
    return Lengths(found, drawn, bars)
