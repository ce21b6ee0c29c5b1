"""What is prepared beside its place, and what killed processes leave there."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from regraft.disk_errors import told
from regraft.errors import OutputError
from regraft.files import HERE, alone, put_in_place, remove_leftovers, staging_for, whole, whole_folder, write_text
from regraft.output_paths import output


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


# -- errors on the way ------------------------------------------------------------------------------


def fails(part: Path) -> None:
    part.write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_after_an_error_the_old_file_stands_and_nothing_lies_beside_it(tmp_path: Path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(OutputError) as error:
        whole(target, fails)
    assert error.value.where == f"output '{target}'"
    assert error.value.found.startswith("cannot be written: the disk is full, ")
    assert f"MiB are free in '{tmp_path}'" in error.value.found
    assert "Make room there" in error.value.next_step
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"file": "old"}


def fill_half(target: Path, error: BaseException) -> None:
    with whole_folder(target) as staging:
        (staging / "weights").write_text("half")
        raise error


def test_after_an_error_or_ctrl_c_the_old_folder_stands(tmp_path: Path):
    target = folder(tmp_path / "folder", "weights")
    for error in (KeyboardInterrupt(), ValueError("no number"), OSError(errno.EDQUOT, "Disk quota exceeded")):
        with pytest.raises((KeyboardInterrupt, ValueError, OutputError)):
            fill_half(target, error)
        assert [p.name for p in tmp_path.iterdir()] == ["folder"]
        assert (target / "weights").read_text() == "folder"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "you may not write there"),
        (errno.EDQUOT, "your quota of the disk is used up"),
        (errno.EISDIR, "is a folder"),
        (errno.ENAMETOOLONG, "its name is too long"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_an_error_of_the_system_names_the_path_and_what_is_wrong(number: int, said: str, tmp_path: Path):
    with pytest.raises(OutputError, match=said) as error, told(tmp_path / "file"):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in str(error.value)


def test_errors_of_libraries_that_hide_the_number_are_read(tmp_path: Path):
    class ForeignError(Exception):
        pass

    with pytest.raises(OutputError, match="the disk is full"), told(tmp_path / "weights"):
        raise ForeignError("I/O error: No space left on device (os error 28)")
    with pytest.raises(ForeignError), told(tmp_path / "weights"):
        raise ForeignError("invalid header")


@pytest.mark.parametrize("name", ["file/below", "x" * 300, "folder"])
def test_a_place_that_cannot_be_is_an_error_that_names_it(name: str, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for write in (lambda: write_text(tmp_path / name, "text"), lambda: output(tmp_path / name)):
        with pytest.raises(OutputError, match=str(tmp_path)[:60]):
            write()
    assert {p.name for p in tmp_path.iterdir()} == {"file", "folder"}


def test_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "new"
