"""A full disk: the message names the path and what to do, nothing half is left, and what was there stays."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.door import regraft
from cli.test_outputs import write_shop

COMMANDS = {
    "simulate": ("data", "simulate", "OUT/w", "--users", "300", "--items", "100"),
    "picture": ("data", "inspect", "x.interactions.csv", "--plot", "OUT/p.svg"),
    "export": ("export", "OUT/e.jsonl", "-c", "c.yaml"),
    "run": ("arena", "run", "-c", "c.yaml", "--out", "OUT/run"),
}


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Every write that makes a file larger fails half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop")


def put_into(what: str, out: Path) -> list[str]:
    return [word.replace("OUT", str(out)) for word in COMMANDS[what]]


@pytest.mark.parametrize("what", COMMANDS)
def test_a_write_that_fails_half_way_leaves_what_was_there(what: str, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert regraft(*put_into(what, out), at=shop).code == 0
    before = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    if what == "run":  # one cell is to be worked out again
        next(out.rglob("cost.json")).unlink()
    again = [*put_into(what, out), *(["--force"] if what == "export" else [])]
    with no_file_above(1000):
        heard = regraft(*again, at=shop)
    assert (heard.code, "Traceback" in heard.err) == (2, False)
    assert f"output '{out}/" in heard.err and "cannot be written: " in heard.err
    assert "Make room there" in heard.err
    assert not list(out.rglob("*.part"))
    kept = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert kept == before if what != "run" else kept.keys() < before.keys()
    assert regraft(*again, at=shop).code == 0
    assert {p.relative_to(out) for p in out.rglob("*") if p.is_file()} == before.keys()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 KiB with 20 KiB of room."""
    if os.geteuid():
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    (disk / "fill").write_bytes(b"x" * 280 * 1024)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_on_a_small_disk_every_command_says_how_much_is_free(small: Path, shop: Path) -> None:
    for what in ("simulate", "picture", "export"):
        heard = regraft(*put_into(what, small), at=shop)
        assert heard.code == 2, heard.out
        assert "the disk is full, 0.0 MiB are free in " in heard.err
        assert str(small) in heard.err
    assert [p.name for p in small.rglob("*") if p.is_file()] == ["fill"]
