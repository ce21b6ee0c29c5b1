"""What is found here, and in installations where something is missing, too old or broken.

Those are real: a folder of links to what is installed here, less some packages, read by a Python without any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from regraft.doctor import Checkup, Package, examine, packages

SITE = Path(sysconfig.get_paths()["purelib"])
SRC = Path(__file__).parents[1] / "src"
LM = ("torch", "transformers", "peft", "accelerate", "safetensors", "tokenizers")
BROKEN = '"""A rule that cannot be imported."""\nimport nowhere_at_all\n'


@pytest.fixture(scope="module")
def here() -> Checkup:
    return examine()


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """What `pip install` without any extra leaves: every package but those of `lm`."""
    folder = tmp_path / "site"
    folder.mkdir()
    for path in SITE.iterdir():
        if not re.match(rf"({'|'.join(LM)})([-.]|$)", path.name):
            (folder / path.name).symlink_to(path)
    return folder


def doctor(site: Path) -> subprocess.CompletedProcess[str]:
    """`regraft doctor` where `site` holds all that is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC), str(site)])}
    return subprocess.run(
        [sys.executable, "-S", "-m", "regraft", "doctor"],
        capture_output=True, text=True, env=environment, timeout=120, check=False,
    )  # fmt: skip


def install(site: Path, name: str, version: str, points: str = "") -> None:
    """The metadata of a package, in place of what is there."""
    for path in site.glob(f"{name}-*.dist-info"):
        path.unlink()
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "entry_points.txt").write_text(points)


# -- here ------------------------------------------------------------------------------------------


def test_every_package_of_the_metadata_is_looked_up_with_what_needs_it() -> None:
    found = {p.name: p for p in packages()}
    assert (found["polars"].extra, found["torch"].extra, found["pytest"].extra) == ("", "lm", "dev")
    assert found["numpy"].needed.startswith(">=")
    assert found["numpy"].found
    assert set(LM) <= found.keys()


def test_an_installation_that_runs_these_tests_has_no_problems(here: Checkup) -> None:
    assert here.problems == ()
    assert "lm" not in here.missing_extras


def test_the_machine_has_cores_memory_disk_and_threads(here: Checkup) -> None:
    machine = here.machine
    assert 0 < machine.usable_cores <= machine.cores
    assert machine.free_disk > 0
    assert machine.memory is None or 0 < (machine.free_memory or 0) <= machine.memory
    assert machine.threads["polars"] >= 1


def test_what_a_run_computes_with_is_what_the_configuration_says_by_default(here: Checkup) -> None:
    from regraft.setup.config import BaseOptions

    assert here.compute is not None
    assert (here.compute.device, here.compute.dtype) == (BaseOptions().device, BaseOptions().dtype)
    assert all(speed > 0 for speed in here.compute.gflops.values())
    assert here.compute.auto_dtype in ("fp32", "bf16")


@pytest.mark.parametrize(
    ("found", "needed", "too_old"),
    [
        ("2.13.0+cpu", ">=2.6", False),
        ("2.6", ">=2.6", False),
        ("2.5.9", ">=2.6", True),
        ("0.9", ">=0.21", True),
        ("5.24.0", ">=5", False),
        ("", ">=5", False),
        ("1.0", "", False),
    ],
)
def test_versions_are_compared_as_numbers(found: str, needed: str, too_old: bool) -> None:
    assert Package("any", needed, found, "lm").too_old is too_old


# -- elsewhere -------------------------------------------------------------------------------------


def test_without_the_extra_lm_it_says_what_that_enables_and_how_to_get_it_and_exits_0(plain: Path) -> None:
    done = doctor(plain)
    assert done.returncode == 0, done.stderr
    assert "Extra 'lm' is not complete: torch, transformers, peft" in done.stdout
    assert "It enables base models, strategies" in done.stdout
    assert 'Install it with: pip install -c constraints.txt ".[lm]"' in done.stdout
    assert "device    none: PyTorch is not installed; data, prompts, reports and baselines work" in done.stdout
    assert "All is well." in done.stdout


def test_a_package_that_is_too_old_is_a_problem_and_exits_1(plain: Path) -> None:
    install(plain, "scipy", "1.2.3")
    done = doctor(plain)
    assert done.returncode == 1
    assert "Problem: scipy 1.2.3 is too old: >=1.13 is needed" in done.stdout
    assert "All is well." not in done.stdout


def test_a_plug_in_of_somebody_else_that_cannot_be_loaded_is_a_problem_with_its_reason(plain: Path) -> None:
    (plain / "broken_rule.py").write_text(BROKEN)
    install(plain, "broken_rules", "1.0", "[regraft.strategies]\nbroken-rule = broken_rule\n")
    done = doctor(plain)
    assert done.returncode == 1
    assert "Problem: strategies plug-in 'broken-rule' (broken_rule): cannot be loaded" in done.stdout
    assert "nowhere_at_all" in done.stdout


def test_a_plug_in_that_only_needs_the_missing_extra_is_no_problem(plain: Path) -> None:
    (plain / "torch_rule.py").write_text('"""A rule with a network of its own."""\nimport torch\n')
    install(plain, "torch_rules", "1.0", "[regraft.strategies]\ntorch-rule = torch_rule\n")
    done = doctor(plain)
    assert done.returncode == 0, done.stdout
    assert "torch-rule" not in done.stdout
