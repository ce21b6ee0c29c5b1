"""What the gate says, in the language of the page."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import regraft
from dashboard.conftest import Board
from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.words.reasons import JAPANESE
from regraft.metrics.groups import USER_GROUPS
from regraft.release.checks.worst_group import GROUPS
from regraft.release.evidence import Finding
from regraft.release.runs import Outcome, finish
from regraft.said import Said, bare
from regraft.state.database import transaction
from regraft.state.tables import runs

SOURCE = Path(regraft.__file__).parent
FEW = Said("{n} earlier days are too few to compare with", n=3)


def calls() -> Iterator[tuple[ast.Module, str, ast.Call]]:
    """Every call in the code of the gate, with its file and the name of what is called."""
    for path in sorted((SOURCE / "release").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        raised = {part for node in ast.walk(tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node not in raised:  # errors: test_sentences.py
                yield tree, getattr(node.func, "id", getattr(node.func, "attr", "")), node


def written(tree: ast.Module, node: ast.expr) -> list[str]:
    """What an argument says: a text, or all texts that a file gives to its name."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    assigned = [one for one in ast.walk(tree) if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)]
    return [one.value.value for one in assigned if ast.unparse(one.targets[0]) == ast.unparse(node)]  # type: ignore[attr-defined]


def templates() -> list[list[str]]:
    """Every sentence that a shipped check can say, by the place where it is said."""
    places = {"Said": 0, "above": 3}  # ShareLimits.above fills a sentence for its checks
    return [written(tree, node.args[places[name]]) for tree, name, node in calls() if name in places]


def test_every_sentence_of_the_gate_is_said_in_japanese_and_no_other() -> None:
    found = templates()
    assert found.count([]) == 1, "a sentence is not written out in the file that says it; ShareLimits.above may do so"
    assert {bare(said) for place in found for said in place} == set(JAPANESE)


def test_no_check_says_a_sentence_that_cannot_be_told_in_japanese() -> None:
    reasons = [node.args[2] for _, name, node in calls() if name == "Finding" and len(node.args) > 2]
    reasons += [k.value for _, name, node in calls() if name == "replace" for k in node.keywords if k.arg == "reason"]
    assert reasons
    assert not [ast.unparse(one) for one in reasons if isinstance(one, ast.Constant | ast.JoinedStr | ast.BinOp)]


@pytest.mark.parametrize("english", JAPANESE)
def test_both_languages_have_the_same_places(english: str) -> None:
    places = re.compile(r"{(\w+)}")
    assert sorted(places.findall(english)) == sorted(places.findall(JAPANESE[english]))


def test_every_group_of_users_has_a_name() -> None:
    assert set(GROUPS) == set(USER_GROUPS)


def test_a_sentence_in_a_sentence_is_told_in_japanese_too() -> None:
    said = Said("{n:,} rows; {why}", n=1204, why=FEW)
    assert DashboardWords("ja").sentence(said) == "1,204 行。比較できる過去の日が 3 日分しかありません"
    assert DashboardWords("en").sentence(said) == "1,204 rows; 3 earlier days are too few to compare with"


def test_what_another_check_says_is_told_as_it_is_and_so_is_what_stands_beside_it() -> None:
    words = DashboardWords("ja")
    assert (
        words.sentence("the moon is full")
        == words.sentence(Said("the {what} is full", what="moon"))
        == "the moon is full"
    )
    said = Said("beside the days approved, {first} to {last}: {said}", first="a", last="b", said="the moon is full")
    assert words.sentence(said) == "承認済みの日（a から b）との比較：the moon is full"


def ended(board: Board, state: str, *findings: Finding) -> None:
    """The newest run of the site has ended like this."""
    with transaction(board.world.site.engine) as connection:
        row = connection.execute(runs.select().order_by(runs.c.id.desc())).first()
        assert row is not None
        finish(connection, replace(Outcome(row.id, row.date, state, findings), versions=("shop-v000001",)))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["kept", "held"])
def test_why_a_version_was_kept_or_a_day_held_stands_in_japanese_on_every_page(board: Board, state: str) -> None:
    ended(board, state, Finding("volume", "hold" if state == "held" else "keep", FEW))
    told = '<b>volume</b>: <span lang="ja">比較できる過去の日が 3 日分しかありません</span>'
    for path in ("/updates", "/versions/shop-v000001"):
        text = board.text(f"{path}?lang=ja")
        assert told in text and "too few to compare" not in text, path
    if state == "kept":
        assert "公開されませんでした：volume: 比較できる過去の日が 3 日分しかありません" in board.text("/?lang=ja")
    assert f'<b>volume</b>: <span lang="en">{FEW}</span>' in board.text("/updates?lang=en")


def test_a_run_of_an_earlier_version_is_told_in_english(board: Board) -> None:
    ended(board, "held", Finding("volume", "hold", FEW))
    with transaction(board.world.site.engine) as connection:
        row = connection.execute(runs.select().where(runs.c.state == "held")).one()
        details = json.loads(row.details)
        del details["findings"][0]["said"]
        connection.execute(runs.update().where(runs.c.id == row.id).values(details=json.dumps(details)))
    assert f'<b>volume</b>: <span lang="en">{FEW}</span>' in board.text("/updates?lang=ja")
