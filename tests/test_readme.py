"""What README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
JAPANESE = (ROOT / "README.ja.md").read_text(encoding="utf-8")


def test_the_python_example_runs_and_prints_a_plausible_auc() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        exec(compile(code, "README.md", "exec"), {})
    found = re.fullmatch(r"AUC (0\.\d\d) on ([\d,]+) rows\n", heard.getvalue())
    assert found
    assert 0.55 < float(found[1]) < 0.9


def test_every_link_and_picture_of_the_readme_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README + JAPANESE):
        assert (ROOT / target).exists(), target


def test_the_japanese_readme_shows_the_same_commands_code_and_results() -> None:
    for text in (README, JAPANESE):
        assert "0.7137 [0.7069, 0.7207]" in text
    commands = re.compile(r"^ {4}(?:make|regraft) [^#\n]*", re.MULTILINE)
    assert [c.strip() for c in commands.findall(JAPANESE)] == [c.strip() for c in commands.findall(README)]
    python = [re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0] for text in (README, JAPANESE)]
    assert len({re.sub(r"  #.*", "", one) for one in python}) == 1
    shown = [re.findall(r"^ {4}[A-Z0-9].*$", text, re.MULTILINE) for text in (README, JAPANESE)]
    assert shown[0] == shown[1]


def test_every_measured_number_of_the_readme_stands_in_the_japanese_one() -> None:
    measured = set(re.findall(r"[+-]?\d\.\d{2,4}", README))
    assert measured - set(re.findall(r"[+-]?\d\.\d{2,4}", JAPANESE)) == set()


def test_the_adoption_checklist_names_commands_that_exist_and_is_one_list_in_two_languages() -> None:
    from regraft.cli.reference import commands

    known = set(commands())
    texts = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("adoption.md", "adoption.ja.md")]
    named = [re.findall(r"`(regraft [a-z]+(?: [a-z]+)?)", text) for text in texts]
    for command in (one for each in named for one in each):
        assert command in known or command.rsplit(" ", 1)[0] in known, command
    assert sorted(named[0]) == sorted(named[1])
    for mark in ("\n- [ ] ", "\n## ", "\n| "):
        assert texts[0].count(mark) == texts[1].count(mark), mark


def test_every_command_of_the_readme_exists() -> None:
    from regraft.cli.reference import commands

    known = set(commands()) | {"regraft dashboard"}  # the only group that may stand without a command
    for line in re.findall(r"^ +(regraft [a-z]+(?: [a-z]+)?)", README, re.MULTILINE):
        assert line in known or line.rsplit(" ", 1)[0] in known, line


def test_every_target_of_the_readme_is_in_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "lint", "types", "bench", "docs"} <= set(targets)
