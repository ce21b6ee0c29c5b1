"""What is prepared beside its place, and what killed processes leave there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from regraft.lm.staging import remove_leftovers, staging_for


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_processes_prepared_is_removed_and_what_is_being_prepared_stays(tmp_path: Path):
    target, gone = tmp_path / "fit", dead_process()
    (tmp_path / f"fit.{gone}.part").mkdir()
    (tmp_path / f"fit.{gone}.part" / "state").write_text("half")
    (tmp_path / f"fit.npz.{gone}.part").write_text("of another")
    (tmp_path / f"fit.{os.getppid()}.part").write_text("somebody writes this")
    (tmp_path / "fit.notes.part").write_text("of no process")
    remove_leftovers(target)
    assert {p.name for p in tmp_path.iterdir()} == {
        f"fit.npz.{gone}.part", f"fit.{os.getppid()}.part", "fit.notes.part"
    }  # fmt: skip


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
