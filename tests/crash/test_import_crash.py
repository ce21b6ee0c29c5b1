"""An import that is killed -9 anywhere leaves no folder, or the whole one; the next import makes it and tidies up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lm.crashes import Crashes, leftovers

WORK = """
from lm.ggufs import llama, write_gguf
from regraft.lm.base_model import BaseModel
from regraft.lm.import_gguf import import_gguf

def work(folder):
    file = folder.parent / "tiny.gguf"
    if not file.exists():
        write_gguf(file, llama(), "Q4_1")
    import_gguf(file, folder / "base")
    return BaseModel.load(folder / "base").hash
"""


@pytest.fixture(scope="module")
def crashes() -> Iterator[Crashes]:
    with Crashes(WORK) as started:
        yield started


def test_an_import_killed_at_a_file_operation_leaves_nothing_half(crashes: Crashes, tmp_path: Path):
    unbroken = crashes.run(tmp_path / "unbroken")
    assert unbroken.operations > 8
    early, last = range(1, unbroken.operations - 4, 3), range(unbroken.operations - 4, unbroken.operations + 1)
    for number in (*early, *last):
        folder = tmp_path / str(number)
        assert crashes.run(folder, kill_at=number).killed
        assert not (folder / "base").exists() or (folder / "base" / "import.json").is_file()
        assert crashes.run(folder).result == unbroken.result
        assert leftovers(folder) == []
        assert [p.name for p in folder.iterdir()] == ["base"]
