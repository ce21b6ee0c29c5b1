"""The page of a template: what it shows comes from the studio, and each of its steps is a command."""

from __future__ import annotations

import time
from pathlib import Path

from fastapi.testclient import TestClient

from dashboard.conftest import HOST, Board
from regraft.dashboard.app import make_app
from regraft.studio import shelf
from regraft.studio.trial import trial
from studio.conftest import DRAFT, Studio


def board_of(studio: Studio) -> Board:
    return Board(studio.world, TestClient(make_app(studio.site), base_url=HOST, follow_redirects=False))


def shown(board: Board, path: str) -> str:
    """The page, once what it shows is there."""
    for _ in range(60):
        text = board.text(path)
        if "data-refresh" not in text:
            return text
        time.sleep(1)
    raise AssertionError("the preview never came")


def test_a_template_is_shown_with_a_person_its_cost_and_its_trial(studio: Studio, draft: Path) -> None:
    saved = shelf.save(studio.site, draft, "Mia")
    found = trial(studio.site, str(saved.id), examples=60)
    board = board_of(studio)
    board.sign_in(board.key("operate", name="Mia"))
    text = shown(board, f"/prompts/{saved.id}?lang=en")
    assert "What one person clicked, in order." in text and "per candidate" in text
    assert "◀ the answer is read here" in text
    assert "1,000 lists cost about" in text and "USD" in text
    assert f"{found.draft.template} / {found.against.template}" in text
    other = text.split(f"/prompts/{saved.id}/of/")[2].split("?")[0]
    of_other = shown(board, f"/prompts/{saved.id}/of/{other}?lang=en")
    assert f"Example of the person {other}" in of_other
    known = set(studio.world.rows["user_id"].to_list())
    assert not known & set(text.replace("<", " ").replace(">", " ").split())


def test_a_person_who_is_not_there_is_told(studio: Studio, draft: Path) -> None:
    saved = shelf.save(studio.site, draft, "Mia")
    board = board_of(studio)
    board.sign_in(board.key("operate", name="Mia"))
    assert "is not in the stream" in shown(board, f"/prompts/{saved.id}/of/nobody?lang=en")


def test_a_draft_is_written_on_the_page_by_whoever_holds_a_key(studio: Studio) -> None:
    board = board_of(studio)
    assert board.client.post("/prompts/save", data={"name": "mine", "source": DRAFT}).status_code == 303  # to the door
    assert shelf.shelf(studio.site) == []
    assert board.sign_in(board.key("operate", name="Mia")) == 303
    form = {"name": "mine", "source": DRAFT.replace("\n", "\r\n"), "token": board.token("/prompts")}
    assert board.client.post("/prompts/save", data=form).headers["location"].startswith("/prompts/1")
    (one,) = shelf.shelf(studio.site)
    assert (one.saved.author, one.saved.source) == ("Mia", DRAFT)


def test_a_text_that_never_ends_is_told_on_the_page_and_not_saved(studio: Studio) -> None:
    board = board_of(studio)
    board.sign_in(board.key("operate", name="Mia"))
    loop = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    form = {"name": "mine", "source": DRAFT.replace("{{ item.title }}", "{{ item.title }}" + loop)}
    answer = board.client.post("/prompts/save?lang=en", data=form | {"token": board.token("/prompts")})
    assert answer.status_code == 409 and "was stopped" in answer.text
    assert shelf.shelf(studio.site) == []
