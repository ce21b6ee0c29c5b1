"""`regraft dashboard --demo`: the command as somebody types it who has nothing yet."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from leash import leash

from browser.test_dashboard import LAPTOP, looked_at, violations
from cli.door import regraft
from regraft.dashboard.demo import BEFORE, PILOT, SITE
from regraft.dashboard.pages import PAGES
from regraft.data.pseudonyms import VARIABLE
from regraft.setup.site import Site
from regraft.state import ledger
from regraft.state.database import transaction

MENU = [page.path for page in PAGES if page.group]
MADE, STARTED = 1500.0, 200.0  # seconds that a very busy machine may take; an idle one takes a minute or two


@contextmanager
def demo(folder: Path, within: float) -> Iterator[str]:
    """The address of the demo in a folder, once it answers; what the command says is in said.txt beside it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {VARIABLE: str(folder.with_name("vault.key"))}
    with (folder.with_name("said.txt")).open("w") as said:
        command = [sys.executable, "-m", "regraft", "dashboard", "--demo", str(folder), "--port", str(port)]
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment, preexec_fn=leash)
    try:
        until = time.monotonic() + within
        while time.monotonic() < until:
            assert process.poll() is None, folder.with_name("said.txt").read_text()
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        else:
            raise AssertionError(f"not there after {within:.0f} s: {folder.with_name('said.txt').read_text()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def read(address: str) -> str:
    """A page that is whole, however long its numbers are worked out for."""
    for _ in range(60):
        with urllib.request.urlopen(address, timeout=60) as answer:
            text: str = answer.read().decode()
        if "data-refresh" not in text:
            return text
        time.sleep(1)
    raise AssertionError(f"{address} is never whole")


def accessible(browser, address: str, path: str) -> bool:
    """Whether a page has nothing against it in either theme; what it has is told."""
    for scheme in ("light", "dark"):
        page, said = looked_at(browser, address, path, LAPTOP, scheme)
        assert (violations(page), said) == ([], []), f"{path}, {scheme}"
        page.close()
    return True


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    heard = regraft("dashboard", "--demo", "mine", at=tmp_path)
    assert heard.code == 2
    assert heard.err.endswith(
        "folder 'mine': is there already and holds no demo\nExpected a new or empty folder\n"
        "Choose another one: regraft dashboard --demo mine-demo\n"
    )
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep me"


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_demo_is_made_once_and_every_page_of_it_can_be_read(tmp_path: Path, chromium) -> None:
    folder = tmp_path / "demo"
    with demo(folder, MADE) as address:
        pages = {path: read(f"{address}{path}?lang=en") for path in MENU}
        assert all(text.count("<h1") == 1 and 'class="notice error"' not in text for text in pages.values())
        assert all('<html lang="ja">' in read(f"{address}{path}?lang=ja") for path in MENU)
        assert all(accessible(chromium, address, f"{path}?lang=en&arm=each") for path in MENU)
        said = (tmp_path / "said.txt").read_text()
    assert len(re.findall(r"^Day \d+ of \d+: [\d,]+ lists, and an update$", said, re.MULTILINE)) == BEFORE + PILOT
    primary = pages["/pilot"].split('id="table-effects"')[1].split("<tr>")[2]
    assert 'class="light ' in pages["/pilot"] and "too few people" not in primary
    assert 'class="map"' in pages["/long-term"]
    site = Site.open(folder / SITE)
    with transaction(site.engine) as connection:
        kinds = [entry.kind for entry in ledger.entries(connection)]
    site.engine.dispose()
    assert "held" not in kinds  # a demo whose gate holds day after day would mislead
    made = (folder / SITE / "state.db").stat().st_ino
    with demo(folder, STARTED) as address:
        assert "Overview" in read(f"{address}/?lang=en")
    assert (folder / SITE / "state.db").stat().st_ino == made
    assert "Simulating" not in (tmp_path / "said.txt").read_text()
