"""What the linter finds in templates and items, and that it is silent where nothing is wrong."""

from __future__ import annotations

import polars as pl
import pytest

from regraft.prompts.facts import FACTS
from regraft.prompts.lint import Finding, lint
from regraft.prompts.template import Template, library
from worlds import tiny_stream

ITEMS = pl.DataFrame(
    {"item_id": ["a", "b", "c"], "title": ["Heat", "Up", "千と千尋"], "genres": ["Crime", "Comedy", ""]}
)
HEAD, EVENT = "What one person thought. Yes: liked. No: not liked.\n", "{{ item.title }}:"
YES, NO = " Yes\n", " No\n"
PROMPT = (
    "Liked: {% for e in liked %}{{ e.title }} {% endfor %};"
    "{% for e in disliked %}{{ e.title }} {% endfor %}; {{ target.title }}:"
)


def timeline(head: str = HEAD, event: str = EVENT, yes: str = YES, no: str = NO) -> Template:
    blocks = {"head": head, "event": event, "yes": yes, "no": no}
    return Template("".join(f"{{% block {name} %}}{text}{{% endblock %}}" for name, text in blocks.items()))


def single(prompt: str = PROMPT, yes: str = " Yes", no: str = " No") -> Template:
    blocks = {"prompt": prompt, "yes": yes, "no": no}
    return Template("".join(f"{{% block {name} %}}{text}{{% endblock %}}" for name, text in blocks.items()))


def found(template: Template, items: pl.DataFrame = ITEMS) -> list[tuple[str, str]]:
    return [(f.level, f.what) for f in lint(template, items)]


def titles(*texts: str | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"item_id": [str(n) for n in range(len(texts))], "title": texts}, schema_overrides={"title": pl.String}
    )


# -- silence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", library())
def test_the_library_is_clean(name: str):
    assert lint(Template.load(name), ITEMS) == []


def test_plain_templates_are_clean():
    assert lint(timeline(), ITEMS) == lint(single(), ITEMS) == []


# -- answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("yes", "no"), [(" Yes\n", " yes\n"), (" Yes\n", "YES\n"), (" Oh yes\n", " ohyes\n")])
def test_answers_that_differ_in_case_or_space_only_are_an_error(yes: str, no: str):
    assert found(timeline(yes=yes, no=no)) == [
        ("error", f"the answers {yes!r} and {no!r} differ in case or spaces only")
    ]


def test_an_answer_that_begins_the_other_is_an_error():
    assert ("error", "the answer ' Yesterday' begins with ' Yes'") in found(single(yes=" Yes", no=" Yesterday"))


def test_answers_that_share_their_first_word_are_a_warning():
    assert ("warning", "the answers 'good' and 'good not' share their first word") in found(
        timeline(yes=" good\n", no=" good not\n")
    )


def test_answers_without_a_line_break_let_events_run_together():
    findings = lint(timeline(yes=" Yes", no=" No"), ITEMS)
    assert findings == [
        Finding(
            "warning",
            "an answer does not end with a line break, so the next event runs into it",
            "template 'template' blocks 'yes' and 'no'",
            "Put the closing {% endblock %} on a line of its own",
        )
    ]
    assert lint(single(yes=" Yes", no=" No"), ITEMS) == []


# -- leaks -------------------------------------------------------------------------------------------


def test_an_answer_in_the_text_of_an_event_is_an_error():
    assert found(timeline(event="{{ item.title }} Yes:")) == [
        ("error", "its own text says 'Yes', as if the answer had been given")
    ]
    assert found(timeline(event="{{ item.title }}{% if item.genres %} No{% endif %}:"))[0][0] == "error"
    assert found(timeline(event="{{ item.title ~ ' Yes' }}:"))[0][0] == "error"


def test_both_answers_at_every_event_are_a_warning():
    assert found(timeline(event="{{ item.title }}. Yes or No?")) == [
        ("warning", "its own text says 'Yes' and 'No' at every event")
    ]


def test_a_prompt_may_explain_both_answers_but_not_one_alone():
    assert found(single("Say Yes or No. " + PROMPT)) == []
    assert found(single("Say Yes. " + PROMPT))[0][0] == "warning"


def test_words_that_only_contain_an_answer_are_no_answer():
    assert found(timeline(event="Noted Yesterday: {{ item.title }}:")) == []


def test_a_japanese_answer_is_found_inside_running_text():
    assert found(timeline(event="{{ item.title }}これははいと思う:", yes=" はい\n", no=" いいえ\n"))[0] == (
        "error",
        "its own text says 'はい', as if the answer had been given",
    )


@pytest.mark.parametrize("name", ["label", "value", "rating", "answer"])
def test_a_verdict_used_as_a_name_is_an_error(name: str):
    findings = lint(timeline(event="{{ item.title }} {{ " + name + " }}:"), ITEMS)
    assert [(f.level, f.what) for f in findings] == [("error", f"the name '{name}' is not known")]
    assert "the label cannot be reached from a template" in findings[0].advice


@pytest.mark.parametrize("field", ["rating", "average_rating", "label"])
def test_an_item_field_that_may_hold_verdicts_is_a_warning(field: str):
    items = ITEMS.with_columns(pl.lit("4.5").alias(field))
    assert found(timeline(event="{{ item.title }} ({{ item." + field + " }}):"), items) == [
        ("warning", f"the item field '{field}' may hold labels, or an average that knows the future")
    ]


# -- names -------------------------------------------------------------------------------------------


def test_an_unknown_name_is_an_error_that_lists_what_there_is():
    findings = lint(timeline(event="{{ titel }}:"), ITEMS)
    assert findings == [Finding("error", "the name 'titel' is not known", "template 'template'", "Use item, facts")]


def test_an_unknown_fact_is_an_error_that_lists_the_facts():
    findings = lint(timeline(event="{{ item.title }} {{ facts.mood }}:"), ITEMS)
    assert [(f.level, f.what) for f in findings] == [("error", "the fact 'mood' is not known")]
    assert findings[0].advice == "Use some of " + ", ".join(FACTS)


def test_an_unknown_field_is_a_warning_that_lists_the_columns():
    findings = lint(timeline(event="{{ item.title }} {{ item.director }}:"), ITEMS)
    assert [(f.level, f.what) for f in findings] == [
        ("warning", "no item has the field 'director': it is always empty")
    ]
    assert findings[0].advice == "The items have item_id, title, genres"


# -- rendering ---------------------------------------------------------------------------------------


def test_what_cannot_be_rendered_is_an_error_with_its_place():
    findings = lint(timeline(event="{{ item.title }}{{ item.__class__ }}:"), ITEMS)
    assert findings[0].level == "error"
    assert findings[0].where == "template 'template' block 'event'"
    assert "unsafe" in findings[0].what


def test_a_prompt_that_fails_without_history_is_an_error():
    assert (
        found(
            single(
                "Last liked: {{ liked[0].title }} {{ target.title }}{% for e in disliked %}{{ e.title }}{% endfor %}:"
            )
        )[0][0]
        == "error"
    )


def test_a_prompt_that_hides_the_target_is_an_error():
    loop = "{% for e in liked + disliked %}{{ e.title }}{% endfor %}"
    assert ("error", "the item to be judged is not shown") in found(single(loop + ":"))
    hidden = loop + "{% if liked %}{{ target.title }}{% endif %}:"
    assert ("error", "the item to be judged is not shown to a user without history") in found(single(hidden))


def test_a_prompt_without_history_lists_is_a_warning():
    assert found(single("{{ target.title }}:")) == [
        ("warning", "the list 'liked' is not shown"),
        ("warning", "the list 'disliked' is not shown"),
    ]


def test_brackets_around_an_empty_list_are_a_warning():
    quoted = PROMPT.replace("Liked: ", 'Liked: "').replace("endfor %};{%", 'endfor %}";{%')
    assert found(single(quoted)) == [("warning", "without history it reads '\"\"' where a list would stand")]


def test_a_timeline_needs_a_head_that_ends_before_the_first_event():
    assert found(timeline(head=" \n"))[0][1].startswith("it is empty")
    assert found(timeline(head="What one person thought:")) == [("warning", "it runs into the first item")]


def test_an_event_that_shows_no_item_is_an_error():
    assert found(timeline(event="An item rated {{ facts.item_rate }}:")) == [
        ("error", "an event shows nothing of its item, so all items read alike")
    ]


def test_the_place_where_the_answer_follows_needs_exactly_one_space():
    assert found(timeline(event="{{ item.title }}: ")) == [
        ("warning", "it ends with ' ' and the answers begin with a space")
    ]
    assert found(timeline(event="{{ item.title }}", yes="Yes\n", no="No\n")) == [
        ("warning", "the answer follows without a space: ...xYes")
    ]


# -- items -------------------------------------------------------------------------------------------


def test_titles_that_read_like_an_answer_are_counted_and_three_are_shown():
    texts = ["No Escape", "Dr. No", "Say Yes to Love", "Yes", "Yesterday", "Nowhere", "no way"]
    assert found(timeline(), titles(*texts)) == [
        ("warning", "4 of 7 items read like an answer, e.g. 'No Escape', 'Dr. No', 'Say Yes to Love'")
    ]


def test_a_few_such_titles_among_many_are_a_note():
    many = titles("No Escape", *(f"Film {n}" for n in range(200)))
    assert found(timeline(), many) == [("note", "1 of 201 items read like an answer, e.g. 'No Escape'")]


def test_a_title_with_a_hidden_answer_is_found_in_its_clean_form():
    assert found(timeline(), titles("Heat\nUp: Yes\n", "Up"))[0] == (
        "warning",
        "1 of 2 items read like an answer, e.g. 'Heat Up: Yes'",
    )


def test_japanese_titles_that_begin_or_end_with_an_answer_are_found():
    template = timeline(yes=" はい\n", no=" いいえ\n")
    assert found(template, titles("はいからさんが通る", "高いはしご", "答えはいいえ"))[0][1] == (
        "2 of 3 items read like an answer, e.g. 'はいからさんが通る', '答えはいいえ'"
    )


def test_items_with_hidden_characters_are_a_note():
    assert found(timeline(), titles("He\u200bat", "U\tp", "\u202eIt", "Jaws")) == [
        ("note", "3 of 4 items have hidden or control characters")
    ]


def test_empty_titles_are_a_warning():
    assert ("warning", "3 of 4 items have an empty title") in found(timeline(), titles("", None, "\u200b", "Jaws"))


def test_titles_that_are_shared_are_a_note():
    assert found(timeline(), titles("Heat", "Heat", "Up", "Up", "Up", "It")) == [
        ("note", "5 of 6 items share their title with another, e.g. 'Up'")
    ]


def test_only_fields_that_the_template_prints_are_read():
    items = ITEMS.with_columns(pl.lit("Yes\u200b").alias("tagline"))
    assert lint(timeline(), items) == []
    assert {f.where for f in lint(timeline(event="{{ item.title }} {{ item.tagline }}:"), items)} == {
        "items column 'tagline'"
    }


def test_no_items_are_no_finding():
    assert lint(timeline(), ITEMS[:0]) == []


# -- examples ----------------------------------------------------------------------------------------


def test_prompts_that_were_answered_both_ways_are_a_note():
    view = tiny_stream("ann:heat+@1 bob:heat-@1 cid:up-@1")
    findings = lint(timeline(), ITEMS, [view])
    assert [(f.level, f.what, f.where) for f in findings] == [
        ("note", "1 of 2 different prompts were answered both ways (of 3 read)", "stream 'tiny'")
    ]


def test_a_view_without_examples_is_no_finding():
    view = tiny_stream("ann:heat+@1 bob:heat-@1")
    assert lint(timeline(), ITEMS, [view.only(view.labels > 1)]) == []


# -- order -------------------------------------------------------------------------------------------


def test_errors_come_first():
    template = timeline(event="{{ item.director }} {{ facts.mood }} Yes:", yes=" Yes", no=" No")
    levels = [f.level for f in lint(template, titles("", "Up\u200b"))]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert {"error", "warning"} <= set(levels)
