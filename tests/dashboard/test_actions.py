"""Actions: who may, from where, and what becomes of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboard.conftest import Board
from regraft.dashboard.actions import ACTIONS
from regraft.errors import ConfigError
from regraft.release import worker
from regraft.state import jobs, keys, ledger, templates, vault, versions
from regraft.state.database import transaction
from regraft.studio.shelf import save_text
from site_world import FIRST


def job_of(board: Board) -> jobs.Job:
    with transaction(board.world.site.engine) as connection:
        return jobs.listed(connection)[0]


def test_without_a_key_an_action_leads_to_the_door(board: Board) -> None:
    answer = board.client.get("/act/update")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?lang=en&to=%2Fact%2Fupdate")
    assert board.client.post("/act/update", data={"token": ""}).status_code == 303
    with transaction(board.world.site.engine) as connection:
        assert jobs.listed(connection) == []


def test_the_process_of_a_job_that_dies_leaves_nothing_that_looks_as_if_it_ran(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    def start(*_: object) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-c", "pass"]))
        return begun[-1]

    monkeypatch.setattr(worker, "start", start)
    assert board.sign_in(board.key("operate")) == 303
    token = board.token("/act/update")
    assert board.client.post("/act/update", data={"token": token}).status_code == 303
    until = time.monotonic() + 30
    while Path(f"/proc/{begun[0].pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{begun[0].pid}").exists()


def test_a_wrong_key_opens_nothing(board: Board) -> None:
    assert board.sign_in("rg_nonsense") == 403
    assert board.client.get("/act/update").status_code == 303


def test_a_key_without_the_scope_is_refused(board: Board) -> None:
    assert board.sign_in(board.key("recommend")) == 303
    assert board.client.get("/act/update").status_code == 403


def test_a_revoked_key_is_refused_at_once(board: Board) -> None:
    board.sign_in(board.key("operate"))
    assert board.client.get("/act/update").status_code == 200
    with transaction(board.world.site.engine) as connection:
        keys.revoke(connection, "owner")
    assert board.client.get("/act/update").status_code == 303


def test_a_cookie_that_was_changed_is_nobodys(board: Board) -> None:
    board.sign_in(board.key("operate"))
    said, _, signature = board.client.cookies["regraft"].rpartition(".")
    for forged in (f"{said}x.{signature}", f"{said}.{signature[:-1]}0", "a.b.c.d", "", "...."):
        board.client.cookies.clear()
        board.client.cookies.set("regraft", forged, domain="127.0.0.1")
        assert board.client.get("/act/update").status_code == 303, forged


def test_a_form_from_elsewhere_is_refused(board: Board) -> None:
    board.sign_in(board.key("operate"))
    token = board.token("/act/update")
    assert board.client.post("/act/update", data={}).status_code == 403
    assert board.client.post("/act/update", data={"token": "0" * 64}).status_code == 403
    elsewhere = {"origin": "http://evil.example"}
    assert board.client.post("/act/update", data={"token": token}, headers=elsewhere).status_code == 403


def test_after_signing_in_nobody_is_sent_to_another_site(board: Board) -> None:
    key = board.key("operate")
    for to in ("//evil.example", "https://evil.example", "/\\evil.example"):
        form = {"token": board.token("/sign-in"), "key": key, "to": to}
        assert board.client.post("/sign-in", data=form).headers["location"] == "/"


@pytest.mark.parametrize("value", ["--accept", "-x", "", "a b", "x;y", "../../x", "x\n"])
def test_no_value_is_ever_read_as_an_option(board: Board, value: str) -> None:
    with pytest.raises(ConfigError):
        ACTIONS["promote"].command(board.world.site.folder, {"version": value})


def test_the_confirmation_states_effect_risk_and_command(board: Board) -> None:
    board.sign_in(board.key("operate"))
    text = board.text("/act/rollback?version=shop-v000001")
    assert "What it does" in text and "What is at risk" in text
    assert f"regraft rollback {board.world.site.folder} shop-v000001" in text


def test_an_update_asked_for_on_the_page_is_run_and_stands_in_the_ledger(board: Board) -> None:
    world, day = board.world, board.world.days[FIRST]
    world.ingest(world.of(day))
    board.sign_in(board.key("operate"))
    answer = board.client.post("/act/update", data={"token": board.token("/act/update")})
    number = int(answer.headers["location"].split("/jobs/")[1].split("?")[0])
    until = time.monotonic() + 60
    while not (job := job_of(board)).ended and time.monotonic() < until:
        board.text(f"/jobs/{number}")
        time.sleep(0.3)
    assert (job.id, job.state, job.asked_by) == (number, "done", "owner")
    with transaction(world.site.engine) as connection:
        asked = next(e for e in ledger.entries(connection) if e.kind == "asked")
        champion = versions.alias(connection, "champion")
    assert asked.details == {"job": number, "by": "owner", "command": ["regraft", "update", str(world.site.folder)]}
    assert champion and champion.version == "shop-v000002"
    assert "promoted, the champion is shop-v000002" in board.text(f"/jobs/{number}")


def test_a_job_that_cannot_be_done_says_why(board: Board) -> None:
    site = board.world.site
    with transaction(site.engine) as connection:
        job = jobs.ask(connection, "rollback", ("rollback", str(site.folder), "shop-v000009"), "owner", 1)
    assert worker.work(site, job.id) == 2
    text = board.text(f"/jobs/{job.id}")
    assert "✕</span> failed" in text and "does not exist" in text and "Exit code 2" in text


def test_a_job_whose_process_is_gone_is_told_so(board: Board) -> None:
    with transaction(board.world.site.engine) as connection:
        job = jobs.ask(connection, "update", ("update", "shop"), "owner", 1)
        jobs.put(connection, job.id, jobs.RUNNING, {"pid": 2**22 + 1, "lines": ["half done"]})
    text = board.text(f"/jobs/{job.id}")
    assert "ended without a word" in text and "half done" in text


TEXT = (
    "{% block head %}Judge <b>items</b>.\n{% endblock %}{% block event %}{{ item.title }}{% endblock %}"
    "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}"
)


def test_a_text_written_on_the_page_is_a_draft_of_whoever_is_signed_in(board: Board) -> None:
    board.sign_in(board.key("operate"))
    form = {
        "token": board.token("/prompts"),
        "name": "mine",
        "source": TEXT.replace("\n", "\r\n"),
        "by": "somebody else",
    }
    answer = board.client.post("/prompts/save", data=form)
    assert answer.headers["location"].startswith("/prompts/1?")
    with transaction(board.world.site.engine) as connection:
        saved = templates.template(connection, 1)
    assert (saved.source, saved.state, saved.author) == (TEXT, "draft", "owner")
    page = board.text("/prompts/1")
    assert "Judge &lt;b&gt;items&lt;/b&gt;." in page and "<b>items</b>" not in page
    assert f"regraft prompt approve {board.world.site.folder} 1 --by=owner" in board.text(
        "/act/approve?template=1&by=x"
    )


def test_what_a_person_did_is_shown_to_who_may_write_templates_and_a_made_up_one_to_others(board: Board) -> None:
    save_text(board.world.site, TEXT, "somebody", "mine")
    with transaction(board.world.site.engine) as connection:
        uids = set(vault.everybody(connection).values())

    def shown(path: str) -> str:
        for _ in range(100):  # the preview is made in the background
            text = board.text(path)
            if "preview is being made" not in text:
                return text
            time.sleep(0.1)
        raise AssertionError("no preview within ten seconds")

    person = sorted(uids)[0]
    for scope in (None, "read"):
        if scope:
            board.sign_in(board.key(scope, name=scope))
        for path in ("/prompts/1", f"/prompts/1/of/{person}"):
            text = shown(path)
            assert "A made-up person" in text and '<pre class="prompt"' in text
            assert not [uid for uid in uids if uid[:8] in text.replace(person, "")]
    board.sign_in(board.key("operate", name="writer"))
    text = shown("/prompts/1")
    assert "A made-up person" not in text and [uid for uid in uids if uid in text]


def test_a_text_that_cannot_be_rendered_is_refused_with_its_cause(board: Board) -> None:
    board.sign_in(board.key("operate"))
    form = {"token": board.token("/prompts"), "name": "mine", "source": "{% block head %}{{ ''.__class__ }}"}
    answer = board.client.post("/prompts/save", data=form)
    assert answer.status_code == 409 and "Cause" in answer.text
    with transaction(board.world.site.engine) as connection:
        assert templates.listed(connection) == []


def test_a_text_from_elsewhere_is_refused(board: Board) -> None:
    assert board.client.post("/prompts/save", data={"name": "x", "source": TEXT}).status_code == 303
    board.sign_in(board.key("operate"))
    assert board.client.post("/prompts/save", data={"name": "x", "source": TEXT}).status_code == 403
