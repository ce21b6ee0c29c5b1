"""A template that somebody sent runs in a process that can do nothing, and what it may not do is told in words."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

import regraft
from prompts.jinja_attacks import ENDLESS, PUBLISHED
from prompts.test_template import ENDLESS as REFUSED_AT_ONCE
from prompts.test_template import ESCAPES
from regraft.errors import RegraftError, TemplateError
from regraft.prompts.confined import Confined, Limits
from regraft.prompts.template import Template, library

ANSWERS = "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}"
CANARY = "canary-7f3e"  # in the environment and in a file: what gets out would show it
QUICK = Limits(processor=1, memory=128 << 20)


def timeline(event: str) -> str:
    return "{% block head %}Verdicts:\n{% endblock %}{% block event %}" + event + "{% endblock %}" + ANSWERS


@pytest.mark.parametrize("name", sorted(library()))
def test_a_confined_template_is_the_template(name: str) -> None:
    confined, plain = Confined.load(name), Template.load(name)
    for what in ("hash", "kind", "yes", "no", "head", "facts", "fields", "unknown_names", "written"):
        assert getattr(confined, what) == getattr(plain, what)
    if plain.kind == "timeline":
        assert confined.skeleton(["title", "genres"]) == plain.skeleton(["title", "genres"])
    else:
        given = [(0, ["title"])], [(1, ["title"])], (2, ["title"])
        assert confined.prompt(*given, {}) == plain.prompt(*given, {})
    confined.close()


def test_what_is_wrong_is_told_as_in_this_process() -> None:
    source = timeline("{{ item.title|upper }}")
    told = []
    for kind in (Confined, Template):
        with pytest.raises(TemplateError) as caught:
            kind(source, "mine")
        told.append(str(caught.value))
    assert told[0] == told[1]


def got_out(attacks: Iterable[str]) -> list[str]:
    """The attacks that reached anything: an object of Python, our environment, or another program."""
    out = []
    for attack in attacks:
        said = found = ""
        try:
            template = Confined(timeline(attack), limits=QUICK)
            said = found = repr(template.event(["title"], {}))
            template.close()
        except TemplateError as error:
            said = str(error)
            assert "process ended" not in said  # refused in words, not by a crash
        objects = any(sign in found for sign in ("<class", "<function", "<frame", "<module", "<built-in", "<code"))
        if objects or any(sign in said for sign in (CANARY, "uid=", "root:x:")):
            out.append(attack)
    return out


def test_no_published_way_out_gets_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    assert got_out(PUBLISHED.values()) == []


@pytest.mark.slow
def test_no_way_out_that_the_sandbox_refuses_gets_out_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    assert got_out(ESCAPES) == []


@pytest.mark.parametrize("attack", ENDLESS.values(), ids=ENDLESS.keys())
def test_work_without_end_is_stopped_and_told(attack: str) -> None:
    began = time.monotonic()
    with pytest.raises(TemplateError) as caught:
        Confined(timeline(attack), limits=QUICK).event(["title"], {})
    assert time.monotonic() - began < 30
    said = str(caught.value)
    assert any(
        words in said for words in ("was stopped", "too much memory", "characters", "nested too deeply", "bytes long")
    ), said


def test_what_is_refused_at_once_here_is_refused_there() -> None:
    for attack in REFUSED_AT_ONCE:
        with pytest.raises(TemplateError):
            Confined(timeline(attack), limits=QUICK).event(["title"], {})


def test_a_template_that_hangs_is_ended_after_the_time_it_may_take() -> None:
    template = Confined(timeline(ENDLESS["loops in loops"]), limits=Limits(processor=60, waiting=0.5))
    with pytest.raises(TemplateError, match=r"took longer than 0.5 seconds and was stopped"):
        template.event(["title"], {})
    assert template._process.poll() is not None


def test_a_source_that_is_no_prompt_is_not_even_read() -> None:
    with pytest.raises(TemplateError, match=r"is 70,\d+ bytes long"):
        Confined(timeline("x" * 70_000))


def test_a_process_lives_no_longer_than_its_template() -> None:
    template = Confined.load("judge-brief")
    process = template._process
    del template
    assert process.wait(5) is not None


def test_a_process_that_cannot_start_is_no_fault_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regraft.prompts.confined.START", "raise SystemExit(3)")
    with pytest.raises(RegraftError, match="process of a template: did not start: exit code 3") as caught:
        Confined.load("judge-brief")
    assert not isinstance(caught.value, TemplateError)


# What the process could still do if Jinja2's sandbox were open: Python code, run where a template would be.
ACTIONS = {
    "read a file": "open('/etc/passwd').read()",
    "read a file, lower": "os.open('/etc/passwd', os.O_RDONLY)",
    "list a folder": "os.listdir('/')",
    "write a file": "open('FOLDER/out', 'w').write('x')",
    "run a program": "os.system('touch FOLDER/out')",
    "start a process": "os.fork()",
    "become another": "os.execv('/bin/true', ['true'])",
    "open a socket": "socket.socket().connect(('127.0.0.1', 9))",
    "load a library": "ctypes.CDLL(None)",
    "load a module": "__import__('wave')",
    "raise a limit": "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
    "take memory": "bytearray(1 << 30)",
    "end another process": "os.kill(os.getppid(), 0)",
}


def test_even_without_jinjas_sandbox_nothing_can_be_done(tmp_path: Path) -> None:
    lines = [
        "import ctypes, os, resource, socket, sys",
        f"sys.path.insert(0, {str(Path(regraft.__file__).parents[1])!r})",
        "from regraft.prompts.confined_child import confine",
        f"confine({128 << 20})",
        f"for name, action in {list(ACTIONS.items())!r}:",
        "    try:",
        "        exec(action)",
        "        print(name, flush=True)",
        "    except BaseException:",
        "        pass",
    ]
    code = "\n".join(lines).replace("FOLDER", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    assert list(tmp_path.iterdir()) == []
