"""The page of measures: every measure that is written has a name and a meaning in both languages."""

import re

import pytest
import yaml

from regraft.metrics.measures import BY_NAME, MEASURES
from regraft.release import long_term, short_term
from regraft.report.measure_page import measure_page, title
from regraft.report.measure_words import DECLARED, JAPANESE
from regraft.setup.site_options import SiteOptions


def test_every_measure_has_japanese_words_and_no_words_are_left_over() -> None:
    assert set(JAPANESE) == set(BY_NAME)
    assert len(BY_NAME) == len(MEASURES)


def test_measures_that_are_written_are_explained() -> None:
    import inspect

    source = inspect.getsource(short_term) + inspect.getsource(long_term)
    named = set(re.findall(r'(?:row|count)\(\s*day, "(\w+)"', source))
    assert {"ctr", "lists", "latency_p95", "repeat_rate", "lifetime_value"} <= named
    assert named | {long_term.STAYING, long_term.COHORTS} | set(short_term.FORESEEN) | set(
        short_term.RETAINED.values()
    ) <= set(BY_NAME)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_names_every_measure_under_its_term(lang: str) -> None:
    page = measure_page(lang, "<!-- made -->")
    short, long, cost = page.split("\n## ")[1:]
    for measure in MEASURES:
        assert f"| {title(measure.name, lang)} | `{measure.name}` |" in {"short": short, "long": long}.get(
            measure.term, cost
        )
    assert ">>>" not in page


def test_the_meaning_of_a_measure_is_its_docstring() -> None:
    assert "Clicked items / shown items" in measure_page("en", "")
    assert title("ctr", "en") == "Click-through rate" and title("unknown", "ja") == "unknown"


def test_the_declarations_that_the_page_shows_can_be_read() -> None:
    shown = yaml.safe_load(DECLARED)
    options = SiteOptions.model_validate(shown)
    assert options.measures.worth == {"purchase": "value"} and options.prices.currency == "JPY"
    assert DECLARED in measure_page("ja", "")
