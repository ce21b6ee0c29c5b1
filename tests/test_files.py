"""What is prepared beside its place, and what killed processes leave there."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from regraft.files import HERE, alone, put_in_place, remove_leftovers, staging_for, whole


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_processes_prepared_is_removed_and_what_is_being_prepared_stays(tmp_path: Path):
    target, gone = tmp_path / "fit", dead_process()
    (tmp_path / f"fit.{HERE}-{gone}.part").mkdir()
    (tmp_path / f"fit.{HERE}-{gone}.part" / "state").write_text("half")
    (tmp_path / f"fit.npz.{HERE}-{gone}.part").write_text("of another")
    (tmp_path / f"fit.{HERE}-{os.getppid()}.part").write_text("somebody writes this")
    (tmp_path / "fit.notes.part").write_text("of no process")
    remove_leftovers(target)
    assert {p.name for p in tmp_path.iterdir()} == {
        f"fit.npz.{HERE}-{gone}.part", f"fit.{HERE}-{os.getppid()}.part", "fit.notes.part"
    }  # fmt: skip


def test_what_another_machine_prepares_is_left_alone_for_a_day(tmp_path: Path):
    theirs = [tmp_path / f"fit.{'0' * 8}-{process}.part" for process in (dead_process(), 7)]
    for path in theirs:
        path.mkdir()
    yesterday = time.time() - 25 * 3600
    os.utime(theirs[1], (yesterday, yesterday))
    remove_leftovers(tmp_path / "fit")
    assert list(tmp_path.iterdir()) == theirs[:1]


def test_a_staging_place_is_beside_its_target_and_empty(tmp_path: Path):
    target = tmp_path / "a[b]*"
    first = staging_for(target)
    first.mkdir()
    (first / "half").write_text("x")
    assert staging_for(target) == first
    assert first.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_target_in_a_folder_that_does_not_exist_yet_is_no_error(tmp_path: Path):
    assert staging_for(tmp_path / "new" / "target").parent == tmp_path / "new"


# -- several processes ------------------------------------------------------------------------------


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_text(path.name)
    return path


def test_a_folder_that_another_process_put_in_its_place_first_stays(tmp_path: Path):
    target = folder(tmp_path / "theirs", "weights", "manifest")
    put_in_place(folder(tmp_path / "mine", "weights", "manifest"), target, "manifest")
    assert (target / "weights").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_whole_makes_room(tmp_path: Path):
    target = folder(tmp_path / "half", "weights", "junk")
    put_in_place(folder(tmp_path / "mine", "weights", "manifest"), target, "manifest")
    assert {p.name: p.read_text() for p in target.iterdir()} == {"weights": "mine", "manifest": "mine"}


def test_a_file_is_replaced_in_one_step(tmp_path: Path):
    target = tmp_path / "file"
    target.write_text("old")

    def write(part: Path) -> None:
        part.write_text("new")
        assert target.read_text() == "old"

    whole(target, write)
    assert (target.read_text(), list(tmp_path.iterdir())) == ("new", [target])


HOLD = """
import sys, time
from pathlib import Path
from regraft.files import alone
with alone(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_is_alone_and_a_killed_one_lets_go(tmp_path: Path):
    lock = tmp_path / "locks" / "fit"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "in\n"
    waiter = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    assert waiter.stdout and not select.select([waiter.stdout], [], [], 1.0)[0]
    holder.kill()
    assert waiter.stdout.readline() == "in\n"
    waiter.kill()
    with alone(lock), alone(tmp_path / "locks" / "another"):
        pass
    for process in (holder, waiter):
        process.communicate()
