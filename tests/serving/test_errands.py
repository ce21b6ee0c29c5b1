"""Erasures that were asked for are begun by a server, once nobody else works on the site."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regraft.data.pseudonyms import load_key
from regraft.privacy.certificate import VARIABLE, check
from regraft.privacy.scan import scan
from regraft.release.blocked import ask_to_forget, block, commitment, due_job
from regraft.release.worker import work
from regraft.serving.errands import AGAIN, Errands
from regraft.setup.site import Site
from regraft.state import erasures, jobs, lease, vault, versions
from regraft.state.database import transaction
from regraft.state.jobs import Job
from served import serving
from site_world import SiteWorld

USER = "u003"


def uid_of(site: Site, user: str) -> str:
    key = load_key(site.folder)
    with transaction(site.engine) as connection:
        return next(iter(vault.uids(connection, key.pseudonyms([user]), key.id).values()))


def newest(site: Site) -> Job:
    with transaction(site.engine) as connection:
        return jobs.listed(connection)[0]


def until(fact: Callable[[], Any], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_job_is_due_once_somebody_asks_and_nobody_works_on_the_site(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = world.site
    assert due_job(site) is None
    _, asked = ask_to_forget(site, USER, "dpo")
    assert due_job(site) == asked
    held = lease.take(site.engine, site.lease_name)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: os.getppid())  # as another process that runs would ask
        assert due_job(site) is None
    lease.give_back(site.engine, held)
    assert due_job(site) == asked


def test_a_job_is_begun_once_and_again_where_its_process_is_gone(world: SiteWorld) -> None:
    site = world.site
    _, asked = ask_to_forget(site, USER, "dpo")
    with transaction(site.engine) as connection:
        assert jobs.claim(connection, asked.id, {"pid": os.getppid(), "lines": []})
    assert due_job(site) is None  # another process has begun it
    assert work(site, asked.id) == 0 and newest(site).state == "running"
    with transaction(site.engine) as connection:
        jobs.put(connection, asked.id, jobs.RUNNING, {"pid": 2**22 + 1, "lines": []})
    again = due_job(site)
    assert again is not None and (again.id, again.asked_by) == (asked.id + 1, "server")
    assert due_job(site) == again


def test_an_erasure_that_nobody_asked_a_server_for_gets_a_job_too(world: SiteWorld) -> None:
    block(world.site, USER)  # `regraft forget` was killed behind its first step
    due = due_job(world.site)
    assert due is not None and due.arguments == ("forget", str(world.site.folder))


@pytest.mark.slow
def test_an_erasure_asked_for_over_http_behind_an_update_is_done_with_nobodys_help(
    world: SiteWorld, tmp_path: Path
) -> None:
    site = world.site
    uid = uid_of(site, USER)
    with serving(site.folder, tmp_path / "serve.log") as server:
        ask = server.client()
        with lease.holding(site.engine, site.lease_name):  # by this process, which is not the server's
            answer = ask("DELETE", f"/users/{USER}")
            assert answer.status == 202 and ask("GET", f"/recommend/{USER}").status == 410
            time.sleep(5)
            assert newest(site).state == "waiting"
        until(lambda: newest(site).ended)
        until(lambda: bool(server.told("erasing ended", code=0)))
        with transaction(site.engine) as connection:
            champion = versions.alias(connection, "champion")
            assert erasures.open_ones(connection) == [] and erasures.erased(connection) == {uid}
        assert champion is not None
        until(lambda: server.client()("GET", "/readyz").json()["version"] == champion.version)
        assert server.client()("GET", f"/recommend/{USER}").status == 200  # a stranger now
    proof = check(next(site.reports.glob("erasure-*.json")))
    salt = answer.json()["salt"]
    assert proof["person"] == commitment(USER, salt) and salt not in str(newest(site).progress)
    assert {name: n for name, n in scan(site, [uid]).items() if name != "state" and n} == {}


@pytest.mark.slow
def test_an_erasure_that_fails_is_begun_again_later_and_goes_on(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, said, now = world.site, [], [0.0]

    def tell(step: str, /, **facts: Any) -> None:
        said.append((step, facts.get("code")))

    monkeypatch.setenv(VARIABLE, str(site.folder / "signing.key"))  # refused: it lies inside of the site
    ask_to_forget(site, USER, "dpo")
    errands = Errands(site, tell, lambda: now[0])
    errands.look()
    until(lambda: newest(site).ended)
    until(lambda: errands.look() or len(said) == 2)
    assert said == [("erasing", None), ("erasing ended", 2)]
    assert newest(site).state == "failed" and "lies inside the site" in str(newest(site).progress)
    errands.look()
    assert len(said) == 2
    monkeypatch.delenv(VARIABLE)
    now[0] += AGAIN
    errands.look()
    until(lambda: errands.look() or len(said) == 4)
    assert said[2:] == [("erasing", None), ("erasing ended", 0)]
    with transaction(site.engine) as connection:
        assert len(erasures.erased(connection)) == 1
