"""Exported lines: readable by other tools, one per example, and no line knows the future."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import ConfigError, DataError, OutputError
from regraft.prompts import export as module
from regraft.prompts.export import FORMATS, export
from regraft.prompts.preview import Prompts
from regraft.prompts.template import Template, library
from regraft.prompts.timeline import Shape
from worlds import logs, tiny_stream

FRESH = Regime()
LOG = "ann:heat+@1 ann:up-@2 bob:heat+@2 bob:up+@3 ann:it-@4"
TITLES = {"heat": 'Heat "1995"', "it": "千と千尋の神隠し"}
REGIMES = [Regime("fresh"), Regime.parse("delayed 6h"), Regime("frozen"), Regime("paper")]


def written(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def save(path: Path, format: str, name: str = "judge-timeline", view: Stream | None = None) -> int:
    view = tiny_stream(LOG, titles=TITLES) if view is None else view
    return export(view, Template.load(name), FRESH, Shape(), format, path)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", library())
def test_every_example_is_one_line_that_parses(tmp_path: Path, format: str, name: str):
    path = tmp_path / "train.jsonl"
    assert save(path, format, name) == 5
    assert len(written(path)) == 5
    assert path.read_bytes().endswith(b"\n")


def test_trl_lines_are_the_previewed_text_and_the_right_answer(tmp_path: Path):
    path = tmp_path / "train.jsonl"
    save(path, "trl")
    view, template = tiny_stream(LOG, titles=TITLES), Template.load("judge-timeline")
    prompts = Prompts(view, template, FRESH, Shape())
    assert written(path) == [
        {"prompt": prompts.preview(i).text, "completion": template.yes if label else template.no}
        for i, label in enumerate(view.labels)
    ]


@pytest.mark.parametrize("name", library())
def test_alpaca_lines_joined_by_a_line_break_are_the_prompt(tmp_path: Path, name: str):
    save(tmp_path / "a.jsonl", "alpaca", name)
    save(tmp_path / "t.jsonl", "trl", name)
    for alpaca, trl in zip(written(tmp_path / "a.jsonl"), written(tmp_path / "t.jsonl"), strict=True):
        assert alpaca["instruction"] + "\n" + alpaca["input"] == trl["prompt"]
        assert alpaca["output"] == trl["completion"]


@pytest.mark.parametrize("name", library())
def test_sharegpt_is_a_conversation_of_prompt_and_answer(tmp_path: Path, name: str):
    save(tmp_path / "s.jsonl", "sharegpt", name)
    save(tmp_path / "t.jsonl", "trl", name)
    for conversation, trl in zip(written(tmp_path / "s.jsonl"), written(tmp_path / "t.jsonl"), strict=True):
        human, gpt = conversation["conversations"]
        assert human == {"from": "human", "value": trl["prompt"]}
        assert gpt == {"from": "gpt", "value": trl["completion"]}
    assert json.loads((tmp_path / "dataset_info.json").read_text(encoding="utf-8")) == {
        "s": {"file_name": "s.jsonl", "formatting": "sharegpt", "columns": {"messages": "conversations"}}
    }


def test_the_instruction_is_the_head_and_the_input_begins_with_the_first_event(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    save(path, "alpaca")
    assert written(path)[1] == {
        "instruction": Template.load("judge-timeline").head.removesuffix("\n"),
        "input": 'Heat "1995": Yes\nup:',
        "output": " No\n",
    }


def test_a_prompt_without_a_line_break_has_no_instruction(tmp_path: Path):
    template = Template(
        "{% block prompt %}Like {{ target.title }}?{% endblock %}"
        "{% block yes %} Yes{% endblock %}{% block no %} No{% endblock %}"
    )
    path = tmp_path / "a.jsonl"
    export(tiny_stream(LOG), template, FRESH, Shape(), "alpaca", path)
    assert written(path)[0] == {"instruction": "", "input": "Like heat?", "output": " Yes"}


def test_llama_factory_finds_every_data_set_of_the_folder(tmp_path: Path):
    save(tmp_path / "train.jsonl", "alpaca")
    save(tmp_path / "test.jsonl", "alpaca")
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    assert json.loads((tmp_path / "dataset_info.json").read_text(encoding="utf-8")) == {
        "train": {"file_name": "train.jsonl", "formatting": "alpaca", "columns": columns},
        "test": {"file_name": "test.jsonl", "formatting": "alpaca", "columns": columns},
    }


def test_trl_needs_no_description_beside_the_file(tmp_path: Path):
    save(tmp_path / "train.jsonl", "trl")
    assert [p.name for p in tmp_path.iterdir()] == ["train.jsonl"]


def test_japanese_is_written_as_it_is(tmp_path: Path):
    save(tmp_path / "train.jsonl", "trl", "judge-timeline-ja")
    raw = (tmp_path / "train.jsonl").read_text(encoding="utf-8")
    assert "千と千尋の神隠し" in raw
    assert " いいえ" in raw
    assert "\\u" not in raw


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    logs(most=25), st.sampled_from(sorted(library())), st.sampled_from(REGIMES), st.sampled_from([Shape(), Shape(2, 3)])
)
def test_no_prompt_holds_an_event_that_was_not_known(tmp_path: Path, log: str, name: str, regime: Regime, shape: Shape):
    # Every row gets an item of its own, so that a title names the row.
    words = [re.sub(r":\w+", f":row{n}x", word) for n, word in enumerate(log.split())]
    view = tiny_stream(" ".join(words), Periods(by="time", n=2))
    template, path = Template.load(name), tmp_path / "all.jsonl"
    assert export(view, template, regime, shape, "trl", path) == len(view)
    known = regime.known(view)
    for row, line in zip(view.targets, written(path), strict=True):
        rows = [int(n) for n in re.findall(r"row(\d+)x", line["prompt"])]
        assert rows[-1] == row
        assert all(r < known[row] and view.user[r] == view.user[row] for r in rows[:-1])
        assert line["completion"] == (template.yes if view.label[row] else template.no)


def test_a_view_without_examples_gives_an_empty_file(tmp_path: Path):
    path = tmp_path / "none.jsonl"
    view = tiny_stream(LOG)
    assert save(path, "trl", view=view.only(view.labels > 1)) == 0
    assert path.read_bytes() == b""


def test_missing_folders_are_made(tmp_path: Path):
    assert save(tmp_path / "a" / "b" / "train.jsonl", "alpaca") == 5


def test_a_failed_export_leaves_the_older_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "train.jsonl"
    save(path, "trl")
    before = path.read_bytes()
    whole = Prompts.preview

    def breaks(self: Prompts, example: int):
        if example == 3:
            raise KeyboardInterrupt
        return whole(self, example)

    monkeypatch.setattr(module.Prompts, "preview", breaks)
    with pytest.raises(KeyboardInterrupt):
        save(path, "trl")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["train.jsonl"]


def test_an_unknown_format_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        save(tmp_path / "train.jsonl", "csv")
    assert str(caught.value) == "format 'csv': is unknown\nExpected one of trl, alpaca, sharegpt"


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save(tmp_path / "file" / "train.jsonl", "trl")


@pytest.mark.parametrize(("text", "found"), [("{", "cannot be read"), ("[]", "holds a list")])
def test_a_damaged_description_is_refused_before_anything_is_written(tmp_path: Path, text: str, found: str):
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(DataError, match=found):
        save(tmp_path / "train.jsonl", "alpaca")
    assert not (tmp_path / "train.jsonl").exists()
