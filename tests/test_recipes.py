"""The recipes hold: units pass systemd's own check, the commands in them exist, and the files they name are there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from regraft.cli.reference import commands
from regraft.data import store
from regraft.state import files
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "docs" / "recipes"
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


def test_the_page_of_the_api_names_every_route() -> None:
    text = (RECIPES / "http-api.md").read_text()
    source = (ROOT / "src" / "regraft" / "serving" / "app.py").read_text()
    routes = re.findall(r"@app\.(get|post|delete)\(\s*\"(/[a-z]+)", source)
    assert len(routes) == 8
    for method, path in routes:
        assert f"`{method.upper()} {path}" in text


def test_exit_codes_of_the_unit_are_those_of_the_command() -> None:
    from regraft.release.runs import CODES

    unit = (RECIPES / "systemd" / "regraft-update.service").read_text()
    (codes,) = re.findall(r"^SuccessExitStatus=(.*)$", unit, re.MULTILINE)
    assert {int(code) for code in codes.split()} == set(CODES.values()) - {0}


def test_other_tools_read_the_rows_that_are_listed_and_no_others(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST])[:100])
    site = world.site
    with transaction(site.engine) as connection:
        of_day = files.listed(connection, [world.days[FIRST]])
        files.set_state(connection, of_day[0].batch, files.ROLLED_BACK)
        kept = sum(f.rows for f in files.listed(connection) if f.day != store.ITEMS)
    (site.data / world.days[FIRST] / "left.parquet").write_bytes((site.data / of_day[0].name).read_bytes())
    text = (RECIPES / "reading-a-site.md").read_text()
    for name, code in re.findall(r"^```python title=\"([^\"]*)\"\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        (world.folder / name).write_text(code)

    def run(name: str) -> str:
        return subprocess.run(
            [sys.executable, name, "shop"], cwd=world.folder, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    by_event, counted = run("with_duckdb.py").splitlines()
    assert counted == f"({kept},)"
    assert sum(n for _, n, _ in ast.literal_eval(by_event)) == kept
    assert "title" in run("with_polars.py")
