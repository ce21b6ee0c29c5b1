"""What README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_and_prints_a_plausible_auc() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        exec(compile(code, "README.md", "exec"), {})
    found = re.fullmatch(r"AUC (0\.\d\d) on ([\d,]+) rows\n", heard.getvalue())
    assert found
    assert 0.55 < float(found[1]) < 0.9


def test_every_link_and_picture_of_the_readme_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_of_the_readme_exists() -> None:
    from regraft.cli.reference import commands

    known = set(commands())
    for line in re.findall(r"^ +(regraft [a-z]+(?: [a-z]+)?)", README, re.MULTILINE):
        assert line in known, line


def test_every_target_of_the_readme_is_in_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "lint", "types", "bench", "docs"} <= set(targets)
