"""What is wrong with a template for these items, before anything is trained on it. Text only.

Findings come in three levels: an `error` spoils training or cannot be rendered, a `warning` costs quality,
a `note` is worth knowing. Lengths in tokens are not looked at here: characters are not tokens.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.data.text import clean
from regraft.errors import TemplateError
from regraft.prompts.facts import FACTS
from regraft.prompts.pieces import Piece, Slot
from regraft.prompts.preview import Prompts
from regraft.prompts.template import GIVEN, Template
from regraft.prompts.timeline import Shape
from regraft.said import Said

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
LABEL_NAMES = {"label", "labels", "value", "rating", "ratings", "answer", "verdict"}
SAMPLED = 200  # examples read per view
MANY = 0.01  # share of items from which a note becomes a warning


@dataclass(frozen=True)
class Finding:
    """`what` was found `where`, and what to do about it."""

    level: Level
    what: str
    where: str
    advice: str


def lint(template: Template, items: pl.DataFrame, views: Sequence[Stream] = ()) -> list[Finding]:
    """Findings, errors first. `items` has `item_id, title` and attributes; examples of `views` are read too."""
    found = [*_answers(template), *_leaks(template), *_names(template, items)]
    if not any(f.level == "error" for f in found):
        found += _rendering(template)
    found += _texts(template, items)
    if not any(f.level == "error" for f in found):
        for view in views:
            found += _samples(template, view)
    return sorted(found, key=lambda f: LEVELS.index(f.level))


# -- the template ----------------------------------------------------------------------------------


def _answers(template: Template) -> Iterator[Finding]:
    where = Said("template '{name}' blocks 'yes' and 'no'", name=template.name)
    yes, no = template.yes.strip(), template.no.strip()
    shorter, longer = sorted((template.yes, template.no), key=len)
    if "".join(yes.split()).casefold() == "".join(no.split()).casefold():
        what = Said(
            "the answers {yes} and {no} differ in case or spaces only", yes=repr(template.yes), no=repr(template.no)
        )
        yield Finding("error", what, where, Said("Use two different words"))
    elif longer.startswith(shorter):
        what = Said("the answer {longer} begins with {shorter}", longer=repr(longer), shorter=repr(shorter))
        yield Finding("error", what, where, Said("Use two answers of which neither begins the other"))
    elif yes.startswith(no) or no.startswith(yes):
        what = Said("the answers {yes} and {no} share their first word", yes=repr(yes), no=repr(no))
        yield Finding("warning", what, where, Said("Use answers that differ from the first word on"))
    if template.kind == "timeline" and not (template.yes.endswith("\n") and template.no.endswith("\n")):
        what = Said("an answer does not end with a line break, so the next event runs into it")
        advice = Said("Put the closing {code} on a line of its own", code="{% endblock %}")
        yield Finding("warning", what, where, advice)


def _leaks(template: Template) -> Iterator[Finding]:
    """Verbalizer among the literal text that stands before the place where the answer is read."""
    name = "event" if template.kind == "timeline" else "prompt"
    where = _block(template, name)
    written = [answer for answer in (template.yes, template.no) if _word(answer).search(template.written)]
    if len(written) == 1:
        answer = repr(written[0].strip())
        what = Said("its own text says {answer}, as if the answer had been given", answer=answer)
        level: Level = "error" if name == "event" else "warning"  # a prompt may explain one answer in words
        advice = Said("Name both answers or none, and both in 'head' where there is one")
        yield Finding(level, what, where, advice)
    elif written and name == "event":
        yes, no = (repr(answer.strip()) for answer in written)
        what = Said("its own text says {yes} and {no} at every event", yes=yes, no=no)
        yield Finding("warning", what, where, Said("Say once, in 'head', what the answers are"))


def _names(template: Template, items: pl.DataFrame) -> Iterator[Finding]:
    where = _template(template)
    for name in template.unknown_names:
        advice = Said("Use {names}", names=", ".join(GIVEN[template.kind]))
        if name in LABEL_NAMES:
            advice = Said("Leave it out: the label cannot be reached from a template; the answer follows by itself")
        yield Finding("error", Said("the name '{name}' is not known", name=name), where, advice)
    for fact in template.facts:
        if fact not in FACTS:
            advice = Said("Use some of {names}", names=", ".join(FACTS))
            yield Finding("error", Said("the fact '{fact}' is not known", fact=fact), where, advice)
    for field in template.fields:
        if field not in items.columns:
            what = Said("no item has the field '{field}': it is always empty", field=field)
            yield Finding("warning", what, where, Said("The items have {names}", names=", ".join(items.columns)))
        if LABEL_NAMES & set(field.lower().split("_")):
            what = Said("the item field '{field}' may hold labels, or an average that knows the future", field=field)
            advice = Said("Use a fact, e.g. {code}: it is as of the event", code="{{ facts.item_rate }}")
            yield Finding("warning", what, where, advice)


def _rendering(template: Template) -> Iterator[Finding]:
    fields = template.fields
    try:
        if template.kind == "timeline":
            yield from _head(template)
            pieces = template.skeleton(fields)
            template.skeleton([])
        else:
            facts = dict.fromkeys(template.facts, "0")
            pieces = template.prompt([(0, fields)], [(1, fields)], (2, fields), facts)
            yield from _lists(template, pieces, template.prompt([], [], (0, fields), facts))
    except TemplateError as error:
        yield Finding("error", error.found, error.where, Said("Use {names}", names=error.expected))
        return
    if template.kind == "timeline" and not any(isinstance(p, Slot) and p.item == 0 for p in pieces):
        what = Said("an event shows nothing of its item, so all items read alike")
        advice = Said("Print a field: {code}", code="{{ item.title }}")
        yield Finding("error", what, _block(template, "event"), advice)
    yield from _seam(template, pieces)


def _head(template: Template) -> Iterator[Finding]:
    where = _block(template, "head")
    if not template.head.strip():
        what = Said("it is empty: a first event stands alone, with nothing that says what is asked")
        yield Finding("warning", what, where, Said("Say in a line what the list is and what the answers mean"))
    elif not template.head[-1].isspace():
        yield Finding("warning", Said("it runs into the first item"), where, Said("End it with a line break"))


def _lists(template: Template, full: list[Piece], empty: list[Piece]) -> Iterator[Finding]:
    """A single prompt with one liked, one disliked item and a target (items 0, 1, 2), and without history."""
    where = _block(template, "prompt")
    shown = {p.item for p in full if isinstance(p, Slot)}
    if 2 not in shown or not any(isinstance(p, Slot) for p in empty):
        what = Said("the item to be judged is not shown")
        if 2 in shown:
            what = Said("the item to be judged is not shown to a user without history")
        advice = Said("Print it outside the lists: {code}", code="{{ target.title }}")
        yield Finding("error", what, where, advice)
    for number, name in enumerate(("liked", "disliked")):
        if number not in shown:
            what = Said("the list '{name}' is not shown", name=name)
            yield Finding("warning", what, where, Said("Loop over it: {code}", code=f"{{% for e in {name} %}}"))
    text = "".join(p if isinstance(p, str) else "x" for p in empty)
    if hollow := re.search(r"\"\"|''|\(\s*\)|\[\s*\]|「」|『』|“”", text):
        what = Said("without history it reads {text} where a list would stand", text=repr(hollow[0]))
        advice = Said("Put brackets and quotes inside the loop or inside {code}", code="{% if liked %}")
        yield Finding("warning", what, where, advice)


def _seam(template: Template, pieces: list[Piece]) -> Iterator[Finding]:
    """The place where the answer follows."""
    where = _block(template, "event" if template.kind == "timeline" else "prompt")
    text = "".join(p if isinstance(p, str) else " x" if p.space else "x" for p in pieces)
    if not text.strip():
        yield Finding("error", Said("it is empty"), where, Said("Say what is asked, and print the item"))
    elif text[-1].isspace() and template.yes[0] == " ":
        what = Said("it ends with {text} and the answers begin with a space", text=repr(text[-1]))
        advice = Said("Leave the space to the answers: most tokenizers join it to the word")
        yield Finding("warning", what, where, advice)
    elif text[-1].isalnum() and template.yes[0].isalnum():
        what = Said("the answer follows without a space: ...{text}", text=text[-10:] + template.yes.strip())
        yield Finding("warning", what, where, Said("Begin both answers with a space"))


# -- the items -------------------------------------------------------------------------------------


def _texts(template: Template, items: pl.DataFrame) -> Iterator[Finding]:
    for field in template.fields:
        if field in items.columns:
            raw = items[field].cast(pl.String, strict=False).fill_null("")
            texts = [clean(text) for text in raw]
            yield from _imitations(template, field, texts)
            if hidden := int(raw.str.contains(r"\p{C}").sum()):
                what = Said("{n:,} of {all:,} items have hidden or control characters", n=hidden, all=len(raw))
                yield Finding("note", what, _column(field), Said("They are replaced by spaces; nothing to do"))
            if field == "title":
                yield from _titles(texts)


def _titles(texts: list[str]) -> Iterator[Finding]:
    where = _column("title")
    if empty := texts.count(""):
        what = Said("{n:,} of {all:,} items have an empty title", n=empty, all=len(texts))
        yield Finding("warning", what, where, Said("Give them a title: a prompt shows nothing in its place"))
    shared = {text: n for text, n in Counter(filter(None, texts)).items() if n > 1}
    if shared:
        often = max(shared, key=lambda text: shared[text])
        n, example = sum(shared.values()), repr(often)
        what = Said(
            "{n:,} of {all:,} items share their title with another, e.g. {example}",
            n=n,
            all=len(texts),
            example=example,
        )
        advice = Said("A model cannot tell them apart unless the template prints another field")
        yield Finding("note", what, where, advice)


def _imitations(template: Template, field: str, texts: list[str]) -> Iterator[Finding]:
    """Texts in which an answer could be read: at either end, or as it is written after an event."""
    patterns = [_as_read(answer) for answer in (template.yes, template.no)]
    alike = [text for text in texts if any(p.search(text) for p in patterns)]
    if alike:
        examples = ", ".join(map(repr, alike[:3]))
        what = Said(
            "{n:,} of {all:,} items read like an answer, e.g. {examples}",
            n=len(alike), all=len(texts), examples=examples,
        )  # fmt: skip
        level: Level = "warning" if len(alike) > MANY * len(texts) else "note"
        advice = Said("Item text is tokenised apart and cannot move the answer; rarer answers would still be clearer")
        yield Finding(level, what, _column(field), advice)


def _word(answer: str) -> re.Pattern[str]:
    """The answer as a word of its own; in scripts without spaces, anywhere."""
    word = answer.strip()
    left, right = (r"\b" if c.isascii() and c.isalnum() else "" for c in (word[0], word[-1]))
    return re.compile(f"{left}{re.escape(word)}{right}")


def _as_read(answer: str) -> re.Pattern[str]:
    word, lead = _word(answer).pattern, r"\s" if answer[0].isspace() else ""
    return re.compile(f"^{word}|{word}$|{lead}{word}")


# -- examples --------------------------------------------------------------------------------------


def _samples(template: Template, view: Stream) -> Iterator[Finding]:
    """Reads up to SAMPLED examples spread over a view."""
    prompts = Prompts(view, template, Regime(), Shape())
    answered: dict[str, set[int]] = {}
    chosen = sorted({int(e) for e in np.linspace(0, len(view) - 1, min(SAMPLED, len(view)))})
    for example in chosen:
        read = prompts.preview(example)
        answered.setdefault(read.text, set()).add(read.label)
    torn = sum(len(labels) > 1 for labels in answered.values())
    if torn:
        what = Said(
            "{n:,} of {all:,} different prompts were answered both ways (of {read:,} read)",
            n=torn, all=len(answered), read=len(chosen),
        )  # fmt: skip
        advice = Said("Nothing in them tells the cases apart: print facts or further fields")
        yield Finding("note", what, Said("stream '{name}'", name=view.name), advice)


# -- places ----------------------------------------------------------------------------------------


def _template(template: Template) -> Said:
    return Said("template '{name}'", name=template.name)


def _block(template: Template, block: str) -> Said:
    return Said("template '{name}' block '{block}'", name=template.name, block=block)


def _column(field: str) -> Said:
    return Said("items column '{field}'", field=field)
