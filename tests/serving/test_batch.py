"""Lists for many people: the same as those of the server, whatever the format, and whole after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from cli.door import regraft
from regraft.errors import ConfigError, DataError
from regraft.serving.batch import parts_of, recommend_all, suffix_of
from regraft.serving.service import Service
from regraft.serving.user_files import users_in
from site_world import SiteWorld

KILLED = """
import os, signal, sys
from pathlib import Path
from regraft.serving.batch import recommend_all
from regraft.setup.site import Site

folder, users, out, now, left = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), [5]

def watch(event, arguments):
    if event == "os.rename":
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

site = Site.open(folder)
sys.addaudithook(watch)
recommend_all(site, users, out, 3, now, at_once=10)
"""


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """35 people, two of them strangers."""
    path = tmp_path / "users.txt"
    path.write_text("\n".join([*(f"u{k:03d}" for k in range(1, 34)), "new one", "another, new"]) + "\n")
    return path


def test_a_killed_run_goes_on_and_its_file_is_that_of_an_unbroken_one(world: SiteWorld, users: Path) -> None:
    site, now = world.site, Service(world.site).live.now + 1
    whole, broken = users.with_name("whole.csv"), users.with_name("broken.csv")
    recommend_all(site, users, whole, 3, now, at_once=10)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, site.folder, users, broken, str(now)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(list(parts_of(broken).glob("*.csv"))) == 2 and not broken.exists()
    service = Service(site)  # what happens meanwhile does not count: the lists are as of the beginning
    service.take([{"user_id": "u030", "item_id": "i01", "event": "click", "time": now - 1}])
    service.stop()
    done = recommend_all(site, users, broken, 3, now + 10**6, at_once=10)
    assert (done.people, done.resumed) == (35, 20)
    assert broken.read_bytes() == whole.read_bytes()
    assert not parts_of(broken).exists()


def test_lists_are_those_of_the_server_in_every_format(world: SiteWorld, users: Path) -> None:
    site, service = world.site, Service(world.site)
    now = service.live.now + 1
    found = []
    for suffix, read in ((".parquet", pl.read_parquet), (".csv", pl.read_csv), (".jsonl", pl.read_ndjson)):
        out = users.with_name(f"lists{suffix}")
        recommend_all(site, users, out, 4, now, at_once=15)
        found.append(read(out))
    assert found[0].equals(found[1].cast(found[0].schema)) and found[0].equals(found[2].cast(found[0].schema))
    for user in ("u001", "u033", "another, new"):
        mine = found[0].filter(user_id=user)
        assert mine["rank"].to_list() == [1, 2, 3, 4]
        assert mine["item_id"].to_list() == [one.item for one in service.recommend(user, 4, now).items]
    service.stop()


def test_other_users_or_another_length_begin_anew(world: SiteWorld, users: Path) -> None:
    out = users.with_name("lists.csv")
    recommend_all(world.site, users, out, 3, 1, at_once=10)
    first = out.read_bytes()
    parts_of(out).mkdir()
    (parts_of(out) / "progress.json").write_text(
        # as an older regraft wrote it
        '{"users": "x", "n": 3, "version": "v", "epoch": 1, "now": 1, "closed": [], "at_once": 10}'
    )
    (parts_of(out) / "0000000.csv").write_text("of another question\n")
    assert recommend_all(world.site, users, out, 3, 1, at_once=10).resumed == 0
    assert out.read_bytes() == first


def test_the_command(world: SiteWorld, users: Path) -> None:
    heard = regraft("recommend", "shop", "--users", users, "--out", "lists.jsonl", "--n", 2, at=world.folder)
    assert (heard.code, len((world.folder / "lists.jsonl").read_text().splitlines())) == (0, 70)
    assert "Lists of 35 people by shop-v000001" in heard.out
    again = regraft("recommend", "shop", "--users", users, "--out", "lists.jsonl", at=world.folder)
    assert again.code == 2 and "is there already" in again.err
    assert regraft("recommend", "shop", "--users", users, "--out", "x.xlsx", at=world.folder).code == 2


def test_ids_are_read_from_columns_and_lines(tmp_path: Path) -> None:
    ids = ["a", "b, c", "d"]
    frame = pl.DataFrame({"more": [1, 2, 3], "user_id": ids})
    frame.write_csv(tmp_path / "u.csv")
    frame.write_csv(tmp_path / "u.tsv", separator="\t")
    frame.write_parquet(tmp_path / "u.parquet")
    (tmp_path / "u.txt").write_text("\ufeffa\n\n  b, c\nd")
    for path in tmp_path.iterdir():
        assert list(users_in(path)) == ids
    frame.select("more").write_csv(tmp_path / "none.csv")
    with pytest.raises(DataError, match="user_id"):
        list(users_in(tmp_path / "none.csv"))
    with pytest.raises(ConfigError, match="parquet"):
        suffix_of(tmp_path / "lists.xlsx")
