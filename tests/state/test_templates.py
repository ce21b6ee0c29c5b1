"""Templates of a site: the texts never change, states do in one order, and the ledger says who did it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from regraft.errors import StateError
from regraft.state import ledger, templates
from regraft.state.database import open_database, transaction


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with transaction(open_database(f"sqlite:///{tmp_path / 'state.db'}")) as opened:
        yield opened


def saved(connection: Connection, name: str = "shop", source: str = "text") -> templates.Saved:
    return templates.save(connection, name, f"hash of {source}", source, "Mia", 1)


def test_a_saved_template_is_a_draft_with_its_author_in_the_ledger(connection: Connection) -> None:
    made = saved(connection)
    assert (made.id, made.state, made.author, made.file) == (1, "draft", "Mia", "templates/shop-0001.jinja")
    (entry,) = ledger.entries(connection)
    assert (entry.kind, entry.details) == (
        "template saved", {"template": 1, "name": "shop", "hash": "hash of text", "by": "Mia"}
    )  # fmt: skip


def test_the_same_text_twice_is_one_draft(connection: Connection) -> None:
    assert saved(connection) == saved(connection)
    assert saved(connection, source="other").id == 2
    assert len(ledger.entries(connection)) == 2


def test_one_template_is_live_and_the_one_before_it_is_retired(connection: Connection) -> None:
    for source in ("one", "two"):
        made = saved(connection, source=source)
        templates.approve(connection, made.id, "Bo", 2)
        templates.put_live(connection, made.id, "Bo", 3)
    assert [one.state for one in templates.listed(connection)] == ["retired", "live"]
    assert templates.live(connection) == templates.template(connection, 2)
    last = templates.history(connection)[2][-1]
    assert (last.kind, last.details["by"], last.details["before"]) == ("template live", "Bo", 1)


def test_a_retired_template_may_go_live_again(connection: Connection) -> None:
    for source in ("one", "two"):
        templates.approve(connection, saved(connection, source=source).id, "Bo", 2)
    for number in (1, 2, 1):
        templates.put_live(connection, number, "Bo", 3)
    assert [one.state for one in templates.listed(connection)] == ["live", "retired"]


def test_a_draft_does_not_go_live(connection: Connection) -> None:
    saved(connection)
    with pytest.raises(StateError) as caught:
        templates.put_live(connection, 1, "Bo", 2)
    assert str(caught.value) == (
        "template 1 'shop': is a draft\nExpected an approved template\n"
        "Approve it with: regraft prompt approve SITE 1"
    )  # fmt: skip


def test_only_drafts_are_approved(connection: Connection) -> None:
    saved(connection)
    templates.approve(connection, 1, "Bo", 2)
    with pytest.raises(StateError, match="is approved\nExpected a draft"):
        templates.approve(connection, 1, "Bo", 3)


def test_a_number_that_is_not_there_is_told_with_those_that_are(connection: Connection) -> None:
    with pytest.raises(StateError, match="one saved with: regraft prompt save SITE FILE"):
        templates.template(connection, 7)
    saved(connection)
    with pytest.raises(StateError, match="template 7: is not known\nExpected one of 1"):
        templates.template(connection, 7)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-rf", "x" * 64])
def test_a_name_that_would_leave_the_folder_is_refused(connection: Connection, name: str) -> None:
    with pytest.raises(StateError, match="has no usable name"):
        saved(connection, name=name)


def test_a_file_leads_to_its_template_and_to_no_other(connection: Connection) -> None:
    made = saved(connection, name="会員向け")
    assert templates.in_file(connection, made.file) == made
    assert templates.in_file(connection, "templates/shop-0001.jinja") is None
    assert templates.in_file(connection, "judge-brief") is None
