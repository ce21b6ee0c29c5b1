"""A first template from the columns that are there: it says what it shows, and nothing is wrong with it."""

from __future__ import annotations

import polars as pl
import pytest

from regraft.prompts.chips import JAPANESE, chips
from regraft.prompts.facts import FACTS
from regraft.prompts.lint import lint
from regraft.prompts.suggest import language, suggest, telling
from regraft.prompts.template import Template

SHOP = pl.DataFrame(
    {
        "item_id": [f"i{n}" for n in range(12)],
        "title": [f"Thing {n}" for n in range(12)],
        "brand": ["Aoi", "Bando", "Chiba"] * 4,
        "list price": ["cheap", "dear"] * 6,
        "rating": ["4", "5"] * 6,  # what people thought
        "url": [f"https://example.org/{n % 2}" for n in range(12)],
        "sku": [f"{n:08d}" for n in range(12)],  # tells items apart one by one
        "story": [
            "A long description of what it is and why one would want to have it " + str(n % 3) for n in range(12)
        ],
        "always": ["yes"] * 12,
        "rare": ["x", *[""] * 11],
    }
)


def test_columns_are_taken_that_are_short_filled_and_tell_items_apart_in_groups() -> None:
    assert telling(SHOP) == ["brand", "list price"]


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("label", ["rating > 3", 'event == "buy"', 'event != "skip"', "implicit"])
def test_nothing_is_wrong_with_a_suggestion(lang: str, label: str) -> None:
    template = Template(suggest(SHOP, label, lang))
    assert [finding for finding in lint(template, SHOP) if finding.level != "note"] == []
    assert template.fields == ["title", "brand", "list price"]


def test_the_answers_are_explained_by_the_rule() -> None:
    assert "Yes: buy. No: no buy." in suggest(SHOP, 'event == "buy"', "en")
    assert "Yes: no skip. No: skip." in suggest(SHOP, 'event != "skip"', "en")
    assert "はい：選んだ。いいえ：選ばなかった。" in suggest(SHOP, "implicit", "ja")


def test_titles_decide_the_language() -> None:
    assert language(SHOP) == "en"
    assert language(SHOP.with_columns(title=pl.lit("千と千尋の神隠し"))) == "ja"


def test_without_columns_titles_are_enough() -> None:
    template = Template(suggest(SHOP.select("item_id", "title")))
    assert template.fields == ["title"]


def test_chips_show_how_a_field_is_written_and_what_it_looks_like() -> None:
    found = {one.write: one for one in chips(SHOP)}
    assert found["{{ item.brand }}"].example == "Aoi"
    assert found['{{ item["list price"] }}'].filled == 1
    assert found["{{ item.rare }}"].filled == pytest.approx(1 / 12)
    assert found["{{ facts.item_rate }}"].kind == "fact"
    assert Template("{% block head %}x{% endblock %}{% block event %}" + "".join(found) + "{% endblock %}"
                    "{% block yes %} Y{% endblock %}{% block no %} N{% endblock %}").facts  # fmt: skip


def test_every_fact_is_explained_in_both_languages() -> None:
    assert set(JAPANESE) == set(FACTS)
    for english, japanese in zip(chips(SHOP), chips(SHOP, "ja"), strict=True):
        assert english.write == japanese.write and english.meaning != japanese.meaning
