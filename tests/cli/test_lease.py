"""Whatever changes a site takes its lease: while another process holds it a command changes nothing and says who."""

from __future__ import annotations

import os
import platform

import pytest

from cli.door import regraft
from regraft.release.blocked import ask_to_forget, due_job
from regraft.state import erasures, lease, ledger
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

COMMANDS = (
    "init shop --from log/interactions.csv", "ingest shop day/interactions.csv", "compact shop", "update shop",
    "update shop --accept 7", "update shop --skip 7", "promote shop shop-v000001", "rollback shop shop-v000001 --batch",
    "forget shop u003", "retention apply shop", "pilot stop shop",
)  # fmt: skip


@pytest.fixture
def held(world: SiteWorld, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who holds the lease: a process that runs and is not this one."""
    site, other = world.site, os.getppid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: other)
        lease.take(site.engine, site.lease_name)
    return f"{platform.node()}:{other}"


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_that_changes_a_site_says_who_works_on_it(world: SiteWorld, held: str, words: str) -> None:
    site = world.site
    world.write("day", world.of(world.days[FIRST]))
    with transaction(site.engine) as connection:
        before = len(ledger.entries(connection))
    heard = regraft(*words.split(), at=world.folder)
    assert heard.code == 2, heard.out + heard.err
    assert f"is held by {held}" in heard.err and "run the same command again" in heard.err
    with transaction(site.engine) as connection:
        assert len(ledger.entries(connection)) == before


def test_who_is_to_be_forgotten_is_refused_although_another_process_is_at_work(world: SiteWorld, held: str) -> None:
    heard = regraft("forget", "shop", "u003", at=world.folder)
    assert "u003 is refused from now on" in heard.err and f"is held by {held}" in heard.err
    with transaction(world.site.engine) as connection:
        assert [one.step for one in erasures.open_ones(connection)] == ["blocked"]


def test_an_update_waits_for_another_process_as_long_as_it_was_told(world: SiteWorld, held: str) -> None:
    heard = regraft("update", "shop", "--wait", "1s", at=world.folder)
    assert heard.code == 2
    assert f"The site is held by {held}: waiting for at most 1 s" in heard.err and "is held by" in heard.err


@pytest.mark.slow
def test_an_update_does_erasures_that_wait_before_anything_else(world: SiteWorld) -> None:
    site = world.site
    ask_to_forget(site, "u003", "dpo")
    world.ingest(world.of(world.days[FIRST]))
    heard = regraft("update", "shop", "--json", at=world.folder)
    assert heard.code == 0 and heard.out.lstrip().startswith("{"), heard.err
    assert "Erased; the proof is" in heard.err
    with transaction(site.engine) as connection:
        assert erasures.open_ones(connection) == [] and len(erasures.erased(connection)) == 1
    assert due_job(site) is None
