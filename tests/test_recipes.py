"""The recipes hold: units pass systemd's own check, the commands in them exist, and the files they name are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from regraft.cli.reference import commands

RECIPES = Path(__file__).parents[1] / "docs" / "recipes"
UNITS = sorted((RECIPES / "systemd").iterdir())


def test_systemd_finds_nothing_against_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    for unit in UNITS:  # it wants to see the program, which lies elsewhere here
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/regraft/bin/regraft", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "regraft-" in line]
    assert done.returncode == 0, done.stderr
    assert said == []


@pytest.mark.parametrize("path", [*RECIPES.glob("*.md"), *UNITS], ids=lambda path: path.name)
def test_commands_and_options_of_a_recipe_exist(path: Path) -> None:
    known = commands()
    for name, rest in re.findall(r"regraft ([a-z]+) (?=SITE|/var|--)([^`|;#\n]*)", path.read_text()):
        options = {option for parameter in known[f"regraft {name}"].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z][a-z-]+", rest)) <= options, f"regraft {name} {rest}"


def test_exit_codes_of_the_unit_are_those_of_the_command() -> None:
    from regraft.release.runs import CODES

    unit = (RECIPES / "systemd" / "regraft-update.service").read_text()
    (codes,) = re.findall(r"^SuccessExitStatus=(.*)$", unit, re.MULTILINE)
    assert {int(code) for code in codes.split()} == set(CODES.values()) - {0}
