"""`regraft doctor`: what is installed here. Other installations: tests/test_doctor.py."""

from __future__ import annotations

import json
from pathlib import Path

from cli.door import regraft


def test_doctor_lists_packages_and_machine_and_finds_nothing_to_mend(tmp_path: Path) -> None:
    heard = regraft("doctor", at=tmp_path)
    assert heard.code == 0, heard.out
    for words in ("regraft 0.", "polars", "torch", "device    cpu, fp32", "cores     ", "disk      ", "SQLite    "):
        assert words in heard.out
    assert heard.out.endswith("\nAll is well.\n")


def test_doctor_for_programs(tmp_path: Path) -> None:
    told = json.loads(regraft("doctor", "--json", at=tmp_path).out)
    assert told["problems"] == []
    assert {"name", "needed", "found", "extra"} == set(told["packages"][0])
    assert told["machine"]["free_disk"] > 0
