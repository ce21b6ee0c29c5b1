"""A command writes neither onto what it reads nor, unasked, onto what regraft did not write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from regraft.errors import OutputError
from regraft.output_paths import MARK, output


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text("user,item\n")
    return path


def names_of(log: Path) -> dict[str, Path]:
    """The log under other names."""
    here, below = log.parent, log.parent / "below"
    below.mkdir()
    (here / "soft").symlink_to(log)
    (here / "soft of soft").symlink_to(here / "soft")
    os.link(log, here / "hard")
    (here / "door").symlink_to(here, target_is_directory=True)
    return {
        "itself": log,
        "dots": below / ".." / log.name,
        "relative": Path(os.path.relpath(log)),
        "link": here / "soft",
        "link of a link": here / "soft of soft",
        "hard link": here / "hard",
        "through a linked folder": here / "door" / log.name,
    }


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_onto_what_is_read_under_whatever_name(force: bool, log: Path):
    for name, path in names_of(log).items():
        with pytest.raises(OutputError, match="is a file that this command reads"):
            output(path, [log], force)
        with pytest.raises(OutputError, match="is a file that this command reads"):
            output(log, [path], force)
        assert log.read_text() == "user,item\n", name


def test_standard_input_is_read_too(log: Path):
    code = (
        "import sys; from pathlib import Path; from regraft.output_paths import output\n"
        "output(Path(sys.argv[1]), [Path('/dev/stdin')], True)"
    )
    with log.open() as opened:
        done = subprocess.run([sys.executable, "-c", code, str(log)], stdin=opened, capture_output=True, text=True)
    assert "is a file that this command reads" in done.stderr


def test_a_file_of_a_folder_that_is_read_stays_and_no_like_one_is_added(tmp_path: Path):
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("0.parquet", "1.parquet"):
        (parts / name).write_text("rows")
    with pytest.raises(OutputError, match="is a file of the folder"):
        output(parts / "1.parquet", [parts], force=True)
    with pytest.raises(OutputError, match="would be one more file of the folder"):
        output(parts / "2.parquet", [parts], force=True)
    assert output(parts / "picture.svg", [parts]) == parts / "picture.svg"


def test_another_file_is_replaced_where_regraft_wrote_it_or_with_force(tmp_path: Path):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_text("notes")
    ours.write_text(f"<svg>{MARK}</svg>" + " " * 200_000)
    with pytest.raises(OutputError) as error:
        output(theirs)
    assert str(error.value) == (
        f"output '{theirs}': is there already\nExpected a new name\nChoose another name, or replace it with --force"
    )
    assert output(theirs, force=True) == theirs
    assert output(ours) == ours
    with pytest.raises(OutputError, match="is there already"):
        output(ours, mark="")
    assert output(tmp_path / "new") == tmp_path / "new"


def test_devices_and_pipes_are_no_place_for_a_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe"):
        with pytest.raises(OutputError, match="is no regular file"):
            output(path, force=True)
