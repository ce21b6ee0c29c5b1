"""Templates: their two kinds, what they refuse, and that item text never passes through them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regraft.data.regimes import Regime
from regraft.errors import TemplateError
from regraft.prompts.pieces import FACT, Slot
from regraft.prompts.preview import prompt_text
from regraft.prompts.template import Template, library
from regraft.prompts.timeline import Shape
from worlds import tiny_stream

ANSWERS = "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}"
SINGLE = """{% block prompt %}
Liked: {% for e in liked %}{{ e.title }}, {% endfor %}
Not: {% for e in disliked %}{{ e.title }}, {% endfor %}
Next: {{ target.title }} {{ target.genres }}
{% endblock %}{% block yes %}Yes{% endblock %}{% block no %}No{% endblock %}"""


def timeline(event: str, head: str = "Verdicts:\n") -> Template:
    return Template("{% block head %}" + head + "{% endblock %}{% block event %}" + event + "{% endblock %}" + ANSWERS)


def message(source: str) -> str:
    with pytest.raises(TemplateError) as caught:
        Template(source)
    return str(caught.value)


# -- kinds, names and hashes -------------------------------------------------------------------------


def test_a_timeline_template_has_head_event_and_answers():
    template = timeline("{{ item.title }} {{ facts.item_rate }}:")
    assert (template.kind, template.head, template.yes, template.no) == ("timeline", "Verdicts:\n", " Yes\n", " No\n")
    assert (template.fields, template.facts) == (["title"], ["item_rate"])


def test_a_single_template_has_one_prompt_and_answers():
    template = Template(SINGLE)
    assert (template.kind, template.head, template.yes) == ("single", "", "Yes")
    assert template.fields == ["title", "genres"]


def test_fields_are_found_however_the_item_is_called():
    for event in ("{% set x = item %}{{ x.title }}", "{{ item['title'] }}", "{{ [item]|map(attribute='title')|join }}"):
        template = timeline(event)
        assert template.fields == ["title"]
        assert template.event(template.fields, {}) == [Slot(0, "title")]


def test_the_hash_covers_the_whole_text_and_nothing_else():
    assert Template(SINGLE, "a").hash == Template(SINGLE, "b").hash
    assert Template(SINGLE).hash != Template(SINGLE + " ").hash
    assert len(Template(SINGLE).hash) == 32


def test_the_library_lists_every_template_with_its_summary():
    found = library()
    assert {"judge-timeline", "judge-timeline-facts", "judge-timeline-ja", "judge-tallrec"} <= set(found)
    for name, summary in found.items():
        assert Template.load(name).kind in ("timeline", "single")
        assert len(summary) > 20


def test_a_template_is_loaded_from_a_file_too(tmp_path: Path):
    path = tmp_path / "mine.jinja"
    path.write_text(SINGLE, encoding="utf-8")
    assert Template.load(path).hash == Template(SINGLE).hash
    assert Template.load(path).name == "mine"


def test_an_unknown_name_lists_the_library():
    with pytest.raises(TemplateError) as caught:
        Template.load("judge-nothing")
    assert str(caught.value) == "template 'judge-nothing': is not in the library and not a file\nExpected one of " + (
        ", ".join(library())
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    path = tmp_path / "mine.jinja"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TemplateError, match="cannot be read"):
        Template.load(path)


# -- what is refused, in words -----------------------------------------------------------------------


def test_a_missing_block_is_named():
    assert message("{% block head %}x{% endblock %}" + ANSWERS) == (
        "template 'template': has the blocks head, no, yes\n"
        "Expected head, event, yes, no for a timeline, or prompt, yes, no for a single prompt"
    )


def test_an_empty_file_has_no_blocks():
    assert "has the blocks (none)" in message("")


def test_a_forgotten_bracket_is_found_by_its_line():
    assert message("{% block prompt %}\n{{ target.title }\n{% endblock %}").startswith("template 'template' line 2: ")


@pytest.mark.parametrize("no", [" Yes ", "", "  \n"])
def test_answers_must_be_two_different_words(no: str):
    source = "{% block prompt %}{{ target.title }}{% endblock %}{% block yes %}Yes{% endblock %}{% block no %}"
    assert "Expected two different, non-empty answers" in message(source + no + "{% endblock %}")


@pytest.mark.parametrize("block", ["head", "yes", "no"])
def test_fixed_blocks_cannot_use_an_item(block: str):
    blocks = {"head": "Verdicts", "event": "{{ item.title }}", "yes": "Yes", "no": "No"}
    blocks[block] = "{{ item.title }}"
    text = message("".join(f"{{% block {b} %}}{t}{{% endblock %}}" for b, t in blocks.items()))
    assert text.startswith(f"template 'template' block '{block}': cannot be rendered: 'item' is undefined")
    assert text.endswith("Expected plain text without variables")


def test_a_label_cannot_be_reached():
    with pytest.raises(TemplateError) as caught:
        timeline("{{ item.title }} {{ label }}").event(["title"], {})
    assert str(caught.value) == (
        "template 'template' block 'event': cannot be rendered: 'label' is undefined (unknown names: label)\n"
        "Expected only item.<field> and facts.<name>"
    )


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ("{{ item.title|upper }}", "applies the filter 'upper' to item.title"),
        ("{% if item.genres is defined %}x{% endif %}", "applies the test 'defined' to item.genres"),
        ("{% if item.genres == 'Horror' %}x{% endif %}", "compares item.genres"),
        ("{% if 'Horror' in item.genres %}x{% endif %}", "compares item.genres"),
    ],
)
def test_logic_on_item_text_is_refused_because_it_would_have_no_effect(event: str, found: str):
    with pytest.raises(TemplateError, match="would have no effect") as caught:
        timeline(event)
    assert caught.value.found == found


@pytest.mark.parametrize(
    "event",
    [
        "{{ facts.item_rate|int }}",
        "{% if facts.item_rate > 50 %}x{% endif %}",
        "{{ facts }}",
        "{{ facts['item_rate'] }}",
    ],
)
def test_facts_may_be_printed_and_nothing_else(event: str):
    with pytest.raises(TemplateError, match="Expected facts to be printed as they are"):
        timeline(event)


@pytest.mark.parametrize("event", ["{{ item }}", "{{ [item] }}", "{{ [item.title] }}", "{{ item.title[0] }}"])
def test_an_item_is_printed_field_by_field(event: str):
    template = timeline(event)
    with pytest.raises(TemplateError):
        template.event(["title"], {})


# -- the sandbox -------------------------------------------------------------------------------------

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ (1).__class__ }}",
    "{{ item.__class__ }}",
    "{{ item.__init__.__globals__ }}",
    "{{ item['__class__'] }}",
    "{{ item|attr('__class__') }}",
    "{{ ()|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{% set x = item.__class__ %}{{ x }}",
    "{% set ns = namespace() %}{% set ns.x = item.__dict__ %}{{ ns.x }}",
    "{{ facts.__class__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ range.__globals__ }}",
    "{{ dict.__mro__ }}",
    "{{ config.items() }}",
    "{{ request.application.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(item) }}",
    "{{ '%(x)s' % {'x': item} }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os.environ }}",
    "{% from 'os' import system %}{{ system('id') }}",
    "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "{{ self.event() }}",
    "{{ '\\ue0000.secret\\ue001' }}",
    "{{ item.title.upper() }}",
    "{{ facts.items() }}",
    "{{ super.__self__ }}",
]
ENDLESS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{{ 'a' * 1000000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ [1]|batch(1000000000, 1)|list }}",
    "{{ lipsum(1000000) }}",
]


@pytest.mark.parametrize("event", ESCAPES)
def test_a_way_out_of_the_sandbox_is_refused(event: str):
    with pytest.raises(TemplateError):
        timeline(event).event(["title"], {})


@pytest.mark.parametrize("event", ENDLESS)
def test_work_without_end_is_refused_at_once(event: str):
    start = time.perf_counter()
    with pytest.raises(TemplateError):
        timeline(event).event(["title"], {})
    assert time.perf_counter() - start < 1


def test_chance_has_no_place_in_a_prompt():
    with pytest.raises(TemplateError, match="No filter named 'random'"):
        timeline("{{ ['a', 'b']|random }}")


def test_an_unknown_attribute_is_empty_and_reads_nothing():
    assert timeline("a{{ item.label }}b").event(["title"], {}) == ["ab"]


def test_a_space_before_a_slot_belongs_to_the_slot():
    template = timeline("A {{ item.title }}, {{ item.genres }}{{ facts.kin }}!")
    assert template.skeleton(["title", "genres"]) == [
        "A",
        Slot(0, "title", space=True),
        ",",
        Slot(0, "genres", space=True),
        Slot(FACT, "kin"),
        "!",
    ]


def test_an_absent_field_is_no_slot_and_can_be_asked_for():
    template = timeline("{{ item.title }}{% if item.genres %} ({{ item.genres }}){% endif %}")
    assert template.event(["title"], {}) == [Slot(0, "title")]
    assert template.event(["title", "genres"], {}) == [Slot(0, "title"), " (", Slot(0, "genres"), ")"]


def test_an_event_with_its_facts_reads_as_its_skeleton_filled_in():
    template = timeline("{{ item.title }} {{ facts.item_rate }} of {{ facts.item_count }}:")
    assert template.event(["title"], {"item_rate": "55", "item_count": "1k"}) == [Slot(0, "title"), " 55 of 1k:"]
    texts = [p if isinstance(p, str) else f"{' ' * p.space}<{p.field}>" for p in template.skeleton(["title"])]
    assert "".join(texts) == "<title> <item_rate> of <item_count>:"


def test_a_single_prompt_numbers_the_items_it_was_given():
    pieces = Template(SINGLE).prompt([(3, ["title"])], [], (7, ["title", "genres"]), {})
    slots = [(p.item, p.field) for p in pieces if isinstance(p, Slot)]
    assert slots == [(3, "title"), (7, "title"), (7, "genres")]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80), st.text(max_size=80))
def test_no_item_text_can_change_the_pieces_around_it(title: str, genres: str):
    """Titles with Jinja, slot marks, answers or line breaks in them end up inside their own slot."""
    template = Template.load("judge-timeline-facts")
    harmless = tiny_stream("ann:heat+@1 ann:up-@2", titles={"heat": "Heat", "up": "Up"})
    hostile = tiny_stream("ann:heat+@1 ann:up-@2", titles={"heat": "x" + title, "up": "y" + genres})
    calm, read = (prompt_text(s, template, Regime(), Shape(), example=1) for s in (harmless, hostile))
    assert [p.source for p in read.pieces] == [p.source for p in calm.pieces]
    assert [p.text for p in read.pieces if p.source != "item"] == [p.text for p in calm.pieces if p.source != "item"]
    assert read.text.count("\n") == calm.text.count("\n")


@pytest.mark.parametrize("name", sorted(library()))
def test_rendering_twice_gives_the_same_pieces(name: str):
    template = Template.load(name)
    if template.kind == "timeline":
        first, again = (template.skeleton(["title", "genres"]) for _ in range(2))
    else:
        first, again = (template.prompt([(0, ["title"])], [], (1, ["title"]), {}) for _ in range(2))
    assert first == again
