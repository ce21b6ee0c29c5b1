"""What the guides show is what happens: every snippet of every guide is run, in order, in an empty folder.

A fence with a title is a file; `sh` lines and `python` blocks are run, those with signs of a shell by one; every line
of a `text` block must have been printed by the commands right before it. pip is not run: what it would leave is written
instead. A port that a guide names is one that is free here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from leash import leash

ROOT = Path(__file__).parents[1]
GUIDES = [*sorted((ROOT / "docs" / "guides").glob("*.md")), ROOT / "docs" / "privacy.md"]
TAKES_A_WHILE = (pytest.mark.slow, pytest.mark.timeout(1800))
# Days of a site take time, and so does a model whose every cost is looked at before.
LONG = dict.fromkeys(("operate", "pilot", "privacy", "templates-for-staff", "your-own-llm"), TAKES_A_WHILE)
PORT = "8321"
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Reader:
    """Does what a guide says, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, ""
        self.running: list[subprocess.Popen[bytes]] = []
        path = [str(folder), os.environ.get("PYTHONPATH", "")]
        programs = folder.with_name(f"{folder.name}-bin")
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "REGRAFT_KEY_FILE": str(programs / "vault.key"),
        }
        programs.mkdir()
        for name, words in {"python": "", "regraft": "-m regraft"}.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n')
            program.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])

    def close(self) -> None:
        """Ends what a guide left running in the background."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(30)

    def follow(self, language: str, title: str, text: str) -> None:
        text = text.replace(PORT, self.port)
        if title:
            (self.folder / title).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / title).write_text(text, encoding="utf-8")
        elif language == "sh":
            self.said = "".join(
                self.shell(line) if re.search("[|>&]", line) else self.run(shlex.split(line))
                for line in text.splitlines()
            )
        elif language == "python":
            self.said = self.python("-c", text)
        elif language == "text":
            said = {line.strip() for line in self.said.splitlines()}
            for line in text.splitlines():
                assert line.strip() in said, f"not printed: {line}\n{self.said}"
        else:
            raise AssertionError(f"a {language} block without a title")

    def run(self, words: list[str]) -> str:
        if words[:2] == ["pip", "install"]:
            return self.install()
        if words[0] == "regraft":
            return self.python("-m", *words)
        assert words[0] == "python", words
        return self.python(*words[1:])

    def shell(self, line: str) -> str:
        """What a shell prints; what ends with & runs on until `close`."""
        if line.endswith("&"):
            words = ["sh", "-c", f"exec {line[:-1]}"]
            self.running.append(
                subprocess.Popen(
                    words, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, preexec_fn=leash
                )
            )
            return ""
        return self.done(["sh", "-c", line])

    def python(self, *words: str) -> str:
        return self.done([sys.executable, *words])

    def done(self, words: list[str]) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment,
            capture_output=True, text=True, encoding="utf-8", timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def install(self) -> str:
        """The metadata of the package in the folder, as an editable installation would leave it."""
        project = tomllib.loads((self.folder / "pyproject.toml").read_text())["project"]
        info = self.folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = (
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in named.items())
            for group, named in project["entry-points"].items()
        )
        (info / "entry_points.txt").write_text("\n".join(points))
        return ""


def snippets(path: Path) -> list[tuple[str, str, str]]:
    return FENCE.findall(path.read_text(encoding="utf-8"))


def retold(path: Path) -> bool:
    """Whether it is a translation that shows the very snippets of the guide it translates: they are run there."""
    original = path.with_name(path.name.replace(".ja.md", ".md"))
    return original != path and original.exists() and snippets(path) == snippets(original)


def followed() -> Iterator[Any]:
    for path in GUIDES:
        if retold(path):
            continue
        yield pytest.param(path, id=path.stem, marks=LONG.get(path.stem, ()))


@pytest.mark.parametrize("path", followed())
def test_every_snippet_of_a_guide_does_what_it_says(path: Path, tmp_path: Path) -> None:
    if path.stem == "ray":
        pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    with closing(Reader(tmp_path)) as reader:
        for language, title, text in snippets(path):
            reader.follow(language, title, text)
    if path.stem == "your-own-data":
        for name in ("shop.svg", "bad.csv", "arena.yaml", "runs/arena/report.html", "board.csv", "report-ja.html"):
            assert (tmp_path / name).stat().st_size > 0, name
    elif path.stem == "adding-a-strategy":
        assert "fading" in (tmp_path / "runs" / "rules" / "report.html").read_text(encoding="utf-8")
    elif path.stem == "operate":
        log = [json.loads(line) for line in (tmp_path / "serve.log").read_text(encoding="utf-8").splitlines()]
        assert {"serving", "request", "swapped"} <= {line["step"] for line in log}
        assert "u001" not in (tmp_path / "serve.log").read_text(encoding="utf-8")
    elif path.stem == "templates":
        assert "再生" in (tmp_path / "my-shop.jinja").read_text(encoding="utf-8")


def test_the_edited_template_of_the_guide_has_nothing_against_it(tmp_path: Path) -> None:
    (edited,) = [text for _, title, text in snippets(ROOT / "docs/guides/templates.md") if title == "my-shop.jinja"]
    (tmp_path / "my-shop.jinja").write_text(edited, encoding="utf-8")
    said = Reader(tmp_path).run(["regraft", "prompt", "lint", "my-shop.jinja"])
    assert said == "0 errors, 0 warnings, 0 notes\n"


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_can_be_read_in_one_sitting_and_is_linked_from_the_readme(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120
    assert f"({path.relative_to(ROOT)})" in README


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_every_fence_of_a_guide_is_run_or_written(path: Path) -> None:
    fences = re.findall(r"^```\w", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == len(snippets(path)) > 1


def test_staff_read_the_same_commands_in_japanese() -> None:
    assert retold(ROOT / "docs" / "guides" / "templates-for-staff.ja.md")


def test_the_japanese_page_on_privacy_shows_the_commands_of_the_english_one() -> None:
    assert snippets(ROOT / "docs" / "privacy.ja.md") == snippets(ROOT / "docs" / "privacy.md")
