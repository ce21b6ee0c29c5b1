"""The page that says what each measure means, short and long term: made from docstrings, in two languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from regraft.metrics.measures import BY_NAME, MEASURES, Measure
from regraft.report.measure_words import DECLARED, JAPANESE, PAGE

Lang = Literal["en", "ja"]
TERMS = ("short", "long", "cost")


def title(name: str, lang: Lang) -> str:
    """What a measure is called; its name where it is not known."""
    return told(BY_NAME[name], lang)[0] if name in BY_NAME else name


def headings(lang: Lang) -> dict[str, str]:
    """What each term is called, in the order of the page."""
    words: dict[str, Any] = PAGE[lang]
    return {term: str(words[term][0]) for term in TERMS}


def term_of(name: str) -> str:
    """`short`, `long` or `cost`; `short` where the measure is not known."""
    return BY_NAME[name].term if name in BY_NAME else "short"


def measure_page(lang: Lang, made: str) -> str:
    """Markdown; `made` is the line that says that the page is generated."""
    words: dict[str, Any] = PAGE[lang]
    parts = [f"# {words['title']}\n", made, f"{words['intro']}\n"]
    parts.append(f"{words['declared']}\n\n```yaml\n{DECLARED}```\n")
    for term in TERMS:
        own = [measure for measure in MEASURES if measure.term == term]
        head, about = words[term]
        parts += [f"## {head}\n\n{about}\n", _row(words["table"]), "|---|---|---|---|"]
        for measure in own:
            name, unit, _ = told(measure, lang)
            parts.append(_row((name, f"`{measure.name}`", unit, words["better"][measure.better])))
        parts += ["", *_meanings(own, lang)]
    return "\n".join(parts)


def _meanings(measures: list[Measure], lang: Lang) -> Iterator[str]:
    """What each means; measures of one function are explained together, in English."""
    done: set[str] = set()
    for measure in measures:
        text = told(measure, lang)[2]
        if text in done:
            continue
        done.add(text)
        alike = [one for one in measures if told(one, lang)[2] == text]
        yield f"### {', '.join(told(one, lang)[0] for one in alike)}\n\n{text}\n"
        if measure.source:
            yield f"{PAGE[lang]['computed']} `{measure.source}`\n"


def told(measure: Measure, lang: str) -> tuple[str, str, str]:
    """Title, unit and meaning."""
    if lang == "ja":
        return JAPANESE[measure.name]
    return measure.title, measure.unit, _without_doctest(measure.meaning)


def _without_doctest(text: str) -> str:
    return text.split(">>>")[0].strip()


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
