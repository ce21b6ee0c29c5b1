"""What lint finds and why something could not be done, in the language of the page."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import regraft
from dashboard.conftest import Board
from regraft.dashboard.dashboard_words import JAPANESE, WORDS, DashboardWords
from regraft.dashboard.words import errors, findings, reasons
from regraft.errors import MissingExtraError, RegraftError
from regraft.lm.preflight import BUILD, EXPECTED
from regraft.prompts.confined import Confined
from regraft.prompts.lint import LEVELS
from regraft.prompts.template import NAMES, PLAIN
from regraft.release import worker
from regraft.said import Said, bare
from regraft.state import jobs, ledger, pilots, templates, versions
from regraft.state.database import transaction
from regraft.studio.shelf import save_text

SOURCE = Path(regraft.__file__).parent
# Where errors come from that a person at the dashboard can meet, by a page or by the job of an action.
WHOLE = ("state", "release", "pilot", "studio", "dashboard", "privacy")
FILES = (
    "errors.py", "disk_errors.py", "cli/net.py", "data/erased.py", "data/pseudonyms.py", "data/spool.py",
    "data/store.py", "lm/encode.py", "lm/fit.py", "lm/load.py", "lm/preflight.py", "lm/score.py", "lm/train_adapter.py",
    "lm/verbalizer.py", "prompts/confined.py", "prompts/confined_child.py", "prompts/lint.py", "prompts/template.py",
    "setup/lint.py", "setup/manifest.py", "setup/prompting.py", "setup/site.py", "setup/site_options.py",
)  # fmt: skip
COMMAND_ONLY = {
    "dashboard/demo.py", "pilot/estimate.py", "pilot/people.py", "pilot/power.py", "pilot/terms.py", "pilot/words.py",
    "privacy/objection.py", "release/anchor.py", "release/compact.py", "release/cost.py", "release/init.py",
    "release/runs.py", "state/keys.py",
}  # fmt: skip
# What is no sentence of the file that says it: a sentence of another, a name, or what a library says of a setting.
ELSEWHERE = {
    "NAMES.get(block, PLAIN)", "error.where", "extra", "first.advice", "found", "found.said", "found.state", "what",
    "where", "str(cause.name)", "expected", "str(path)", "*explained(error, 'regraft schema')", "target.state",
    "version.state", "EXPECTED", "BUILD", "p", "said", "advice", "error.found",
}  # fmt: skip
NO_TEXT = {  # facts of the ledger that are no text or stand elsewhere on the line
    "run", "findings", "batches", "plan", "gone", "people", "template", "before", "request", "objections", "evidence",
    "days", "job", "command", "from", "to", "begun", "ended", "alias",
}  # fmt: skip
STATES = {
    versions.GOOD, versions.DAMAGED, versions.DESTROYED, "rejected", templates.DRAFT, templates.APPROVED,
    templates.LIVE, templates.RETIRED, pilots.PLANNED, pilots.RUNNING, pilots.STOPPED, pilots.DECIDED,
}  # fmt: skip
BY_NAME = STATES | {EXPECTED, BUILD, PLAIN, *NAMES.values()}
HELPERS = ("Said", "_template", "_block", "_column")  # what they give is looked at where it is said
WRITERS = {"ledger.append", "versions.move", "versions.point", "_changed", "_note", "_write"}
PLACES = re.compile(r"{(\w+)}")


def trees() -> Iterator[ast.Module]:
    whole = [str(path.relative_to(SOURCE)) for folder in WHOLE for path in sorted((SOURCE / folder).rglob("*.py"))]
    for name in (*FILES, *(name for name in whole if name not in COMMAND_ONLY)):
        yield ast.parse((SOURCE / name).read_text(encoding="utf-8"))


def said(tree: ast.Module, node: ast.expr) -> Iterator[str | ast.expr]:
    """The texts that an argument may be; what is not written out there as it is."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (*said(tree, node.body), *said(tree, node.orelse))
    elif not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in HELPERS):
        yield node
        given = [one for one in ast.walk(tree) if isinstance(one, ast.Assign) and isinstance(one.value, ast.JoinedStr)]
        yield from (one.value for one in given if ast.unparse(one.targets[0]) == ast.unparse(node))


def sentences() -> Iterator[str | ast.expr]:
    known = {cls.__name__ for cls in (RegraftError, *RegraftError.__subclasses__())} | {"NobodyError"}
    for tree in trees():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", "")
            first = getattr(call.args[0], "value", "") if call.args else ""
            parts: list[ast.expr] = []
            if name == "Said":
                parts = call.args[:1]
            elif name in known or (ast.unparse(call.func) == "super().__init__" and len(call.args) == 4):
                parts = call.args
            elif name == "Finding" and (first in LEVELS or ast.unparse(call.args[0]) == "level"):
                parts = call.args[1:]
            for part in parts:
                yield from said(tree, part)


def test_every_error_that_the_dashboard_can_meet_and_every_finding_is_said_in_japanese() -> None:
    texts = {bare(one) for one in sentences() if isinstance(one, str) and one}
    assert texts - set(JAPANESE) == set()


def test_no_error_is_put_together_where_it_cannot_be_told_in_japanese() -> None:
    assert {ast.unparse(one) for one in sentences() if not isinstance(one, str)} - ELSEWHERE == set()


def test_every_sentence_by_a_name_is_said_in_japanese_and_no_translation_is_left_over() -> None:
    texts = {bare(one) for one in sentences() if isinstance(one, str) and one} | BY_NAME
    assert texts - {*reasons.JAPANESE} == {*findings.JAPANESE, *errors.JAPANESE}


def test_no_sentence_has_two_translations() -> None:
    every = [reasons.JAPANESE, findings.JAPANESE, errors.JAPANESE]
    assert sum(map(len, every)) == len(JAPANESE)


@pytest.mark.parametrize("english", [*findings.JAPANESE, *errors.JAPANESE])
def test_both_languages_have_the_same_places(english: str) -> None:
    assert set(PLACES.findall(english)) == set(PLACES.findall(JAPANESE[english]))


# -- the ledger ------------------------------------------------------------------------------------


def test_every_fact_of_the_ledger_has_a_name() -> None:
    written = {"date", "pilot", "reason", "champion", "state", "share", "decision", "hash", "by", "signature", "as_of"}
    for path in sorted(SOURCE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in WRITERS:
                given = [one for part in call.args for one in ast.walk(part) if isinstance(one, ast.Dict)]
                written |= {str(key.value) for one in given for key in one.keys if isinstance(key, ast.Constant)}
    assert {key for key in written - NO_TEXT if f"about {key}" not in WORDS} == set()


def test_what_an_entry_of_the_ledger_is_about_stands_in_the_language_of_the_page(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        ledger.append(connection, "pilot stopped", {"pilot": "new", "state": "stopped", "reason": "holiday"}, 1)
    assert "<td>試験：new、理由：holiday、状態：終了</td>" in board.text("/versions?lang=ja")
    assert "<td>pilot new, reason holiday, state stopped</td>" in board.text("/versions?lang=en")
    assert "<td>公開中: – → shop-v000001</td>" in board.text("/versions?lang=ja")


# -- errors ----------------------------------------------------------------------------------------


def test_an_error_is_made_again_from_its_parts() -> None:
    error = RegraftError("pilot '{name}'", "is {state}", "one {x}", "", name="{a}", state=Said("running"), x=1)
    again = RegraftError.of(json.loads(json.dumps(error.parts)))
    assert (
        (str(again), again.parts)
        == (str(error), error.parts)
        == ("pilot '{a}': is running\nExpected one 1", error.parts)
    )
    assert RegraftError.of(["here", "is {broken}", "", ""]).found == "is {broken}"
    assert MissingExtraError("what {is}", "lm", "torch").where == "what {is}"


@pytest.mark.parametrize("template", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>99999999}", "{{a}}", "{"])
def test_a_template_from_elsewhere_has_bare_places_alone(template: str) -> None:
    with pytest.raises(ValueError, match="bare places"):
        Said.of([template, {"a": "x"}])


def test_an_error_of_a_template_arrives_from_its_process_with_its_parts() -> None:
    with pytest.raises(RegraftError) as caught:
        Confined("{% block head %}{{ ''.__class__ }}{% endblock %}", "mine")
    assert DashboardWords("ja").sentence(caught.value.where) == "テンプレート「mine」"
    assert DashboardWords("ja").sentence(caught.value.found) == "あるブロックは head です"
    assert str(caught.value).startswith("template 'mine': has the blocks head\nExpected head, event, yes, no for")


def test_an_error_with_its_cause_and_what_to_do_stands_in_japanese(board: Board) -> None:
    text = board.text("/versions/nothing?lang=ja", 409)
    assert "原因：バージョン「nothing」：ありません" in text
    assert "必要なもの：次のようなバージョン：shop-v000001" in text and "does not exist" not in text
    assert "Cause: version &#39;nothing&#39;: does not exist" in board.text("/versions/nothing?lang=en", 409)


def test_why_a_job_could_not_be_done_stands_in_japanese_above_its_output(board: Board) -> None:
    site = board.world.site
    with transaction(site.engine) as connection:
        job = jobs.ask(connection, "rollback", ("rollback", str(site.folder)), "owner", 1)
    assert worker.work(site, job.id) == 2
    text = board.text(f"/jobs/{job.id}?lang=ja")
    assert f"原因：サイト「{site.folder}」：戻せる以前のバージョンがありません" in text
    assert f"一覧は次のコマンドで見られます：regraft versions {site.folder}" in text
    assert board.text(f"/jobs/{job.id}?lang=en").count("there is no earlier version to go back to") == 1


def test_a_job_of_an_earlier_version_shows_its_output_alone(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        job = jobs.ask(connection, "update", ("update", "shop"), "owner", 1)
        jobs.put(connection, job.id, jobs.FAILED, {"lines": ["site 'shop': is away"], "code": 2})
    text = board.text(f"/jobs/{job.id}?lang=ja")
    assert "原因" not in text and "site &#39;shop&#39;: is away" in text


# -- findings --------------------------------------------------------------------------------------

LEAKY = (
    "{% block head %}Judge. {% endblock %}{% block event %}Yes? {{ item.title }}{% endblock %}"
    "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}"
)


def test_findings_stand_in_the_language_of_the_page(board: Board) -> None:
    save_text(board.world.site, LEAKY, "somebody", "leaky")

    def shown(lang: str) -> str:
        for _ in range(100):  # they are made in the background
            text = board.text(f"/prompts/1?lang={lang}")
            if '<ul class="findings">' in text:
                return text
            time.sleep(0.1)
        raise AssertionError("no findings within ten seconds")

    japanese = (
        '<b>エラー</b> <span lang="ja">テンプレート「leaky-0001」のブロック event：本文に &#39;Yes&#39; とあり、'
        "すでに答えが出たように読めます。答えは両方とも書くか、"
    )
    assert japanese in shown("ja") and "its own text" not in shown("ja")
    english = (
        "template &#39;leaky-0001&#39; block &#39;event&#39;: its own text says &#39;Yes&#39;, "
        "as if the answer had been given. Name both answers or none"
    )
    assert f'<b>error</b> <span lang="en">{english}' in shown("en")
