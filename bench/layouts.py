"""The same information told in two ways, our timeline and the published layout, tokenised for both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.lm.encode import Blocks, Encoder
from regraft.lm.verbalizer import Verbalizer
from regraft.prompts.template import Template
from regraft.prompts.timeline import Shape

TOKENS_TARGET, WALL_TARGET = 7.0, 8.0
FACTS = ("item_rate", "item_count", "user_lean", "recent", "kin")


@dataclass(frozen=True)
class Layout:
    """The same information told in two ways; the peer's history is as long as the context W of `shape`."""

    name: str
    timeline: Template
    published: Template
    shape: Shape
    targets: tuple[float | None, float | None] = (None, None)  # ratios aimed at: tokens, wall

    @property
    def words(self) -> str:
        return f"{self.name}, W={self.shape.context} H={self.shape.targets}"


def layouts() -> list[Layout]:
    """Title only in three shapes, then more about each item."""
    genres, tallrec = Template.load("judge-timeline"), Template.load("judge-tallrec")
    named = "{% if item.genres %} ({{ item.genres }}){% endif %}:"
    title = _edited(genres, "bench-title", {named: ":"})
    quoted, with_genres = '"{{ WHO.title }}"', '"{{ WHO.title }}"{% if WHO.genres %} ({{ WHO.genres }}){% endif %}'
    entries = {quoted.replace("WHO", who): with_genres.replace("WHO", who) for who in ("entry", "target")}
    tallrec_genres = _edited(tallrec, "bench-tallrec-genres", entries)
    shown = " ".join(f"{{{{ facts.{name} }}}}" for name in FACTS)
    facts = _edited(genres, "bench-facts", {named: f"{named[:-1]} {shown}:"})
    reply = "\n### Reply"
    tallrec_facts = _edited(tallrec_genres, "bench-tallrec-facts", {reply: f"About it: {shown}\n{reply}"})
    return [
        Layout("title", title, tallrec, Shape(10, 10), (TOKENS_TARGET, WALL_TARGET)),
        Layout("title", title, tallrec, Shape(10, 20)),
        Layout("title", title, tallrec, Shape(30, 30), (TOKENS_TARGET, WALL_TARGET)),
        Layout("title and genres", genres, tallrec_genres, Shape(10, 10)),
        Layout("title, genres and facts", facts, tallrec_facts, Shape(10, 10)),
    ]


def _edited(template: Template, name: str, changes: dict[str, str]) -> Template:
    text = template.source
    for old, new in changes.items():
        if old not in text:
            raise SystemExit(
                f"template '{template.name}' has no {old!r} any more: bring the layouts of this script up to date"
            )
        text = text.replace(old, new)
    return Template(text, name)


@dataclass(frozen=True)
class Material:
    """One layout on one view, tokenised for both sides."""

    answers: tuple[Verbalizer, Verbalizer]  # ours, theirs
    ours: Blocks
    theirs: Blocks  # one prompt per target, without its answer
    item_tokens: tuple[int, int]  # of all tokens, those of titles and genres
    item_texts: tuple[int, int]  # how many titles and genres were read

    @property
    def sequences(self) -> list[dict[str, list[int]]]:
        """Prompt and answer with labels that are -100 before the answer."""
        found = []
        for i, label in enumerate(self.theirs.label):
            prompt, answer = self.theirs.tokens[i].tolist(), list(self.answers[1].spoken[label])
            found.append({"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer})
        return found

    @property
    def tokens(self) -> tuple[int, int]:
        """Without padding: of our blocks, and of the peer's prompts with their answers."""
        spoken = sum(len(self.answers[1].spoken[label]) for label in self.theirs.label)
        return len(self.ours.tokens.data), len(self.theirs.tokens.data) + spoken


def tokenised(layout: Layout, view: Stream, tokenizer: Any, longest: int | None) -> Material:
    def encoder(template: Template, item_tokens: int = 24) -> Encoder:
        answers = Verbalizer.of(tokenizer, template)
        return Encoder(tokenizer, template, answers, Regime(), layout.shape, item_tokens=item_tokens, longest=longest)

    encoders = encoder(layout.timeline), encoder(layout.published)
    ours, theirs = (e.encode(view) for e in encoders)
    # With a cap of 0 an item text takes no token, with a cap of 1 exactly one.
    bare, single = (
        [len(encoder(t, cap).encode(view).tokens.data) for t in (layout.timeline, layout.published)] for cap in (0, 1)
    )
    items = len(ours.tokens.data) - bare[0], len(theirs.tokens.data) - bare[1]
    texts = single[0] - bare[0], single[1] - bare[1]
    return Material((encoders[0].answers, encoders[1].answers), ours, theirs, items, texts)
