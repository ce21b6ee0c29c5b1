"""The last net: whatever a command ends with, a user reads one message and no traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from pydantic import BaseModel

from cli.door import Heard, regraft
from regraft.cli import catalogue


def recursion() -> None:
    recursion()


def no_number() -> None:
    class Strict(BaseModel):
        number: int

    Strict(number="many")  # type: ignore[arg-type]


def panic() -> None:
    class PanicException(BaseException):
        """What libraries written in Rust raise is no Exception."""

    raise PanicException("called `Option::unwrap()` on a `None` value")


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def ended_with(fail: Callable[[], None], at: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Heard:
    monkeypatch.setattr(catalogue, "entries", lambda kind: fail())
    return regraft(*options, "plugins", "readers", at=at)


FAULTS: dict[str, Callable[[], object]] = {
    "ComputeError": lambda: pl.Series(["x"]).str.to_integer(),
    "ValueError": lambda: int("x"),
    "IndexError": lambda: [][0],
    "RecursionError": recursion,
    "PanicException": panic,
}


@pytest.mark.parametrize("name", ["ValueError", "IndexError", "RecursionError", "PanicException"])
def test_a_fault_of_regraft_says_so_and_exits_70(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = ended_with(FAULTS[name], tmp_path, monkeypatch)  # type: ignore[arg-type]
    assert heard.code == 70
    assert heard.err.startswith(f"regraft plugins readers: ended with {name}: ")
    assert "this is a fault of regraft" in heard.err
    assert heard.err.endswith("the traceback of: regraft --debug plugins readers\n")
    assert "Traceback" not in heard.err


def test_an_error_of_polars_is_a_fault_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = ended_with(FAULTS["ComputeError"], tmp_path, monkeypatch)  # type: ignore[arg-type]
    assert (heard.code, len(heard.err.splitlines())) == (70, 3)


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (no_number, "number: Input should be a valid integer"),
        (raising(MemoryError()), "ran out of memory"),
        (raising(ModuleNotFoundError("No module named 'torch'", name="torch")), "pip install -c constraints.txt"),
        (raising(ModuleNotFoundError("No module named 'optimum'", name="optimum")), "needs something that is not inst"),
        (raising(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")), "Convert the file to UTF-8"),
        (raising(PermissionError(errno.EACCES, "Permission denied", "log.csv")), "log.csv: Permission denied"),
        (raising(OSError("No space left on device (os error 28)")), "No space left on device"),
    ],
)
def test_what_a_user_can_mend_exits_2(
    fail: Callable[[], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = ended_with(fail, tmp_path, monkeypatch)
    assert (heard.code, said in heard.err, "Traceback" in heard.err) == (2, True, False), heard.err


def test_the_traceback_is_shown_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ended_with(recursion, tmp_path, monkeypatch, "--debug")
    assert asked.err.startswith("Traceback") and "regraft --debug plugins readers" in asked.err
    assert "Traceback" not in ended_with(recursion, tmp_path, monkeypatch).err
    monkeypatch.setenv("REGRAFT_DEBUG", "1")
    assert ended_with(recursion, tmp_path, monkeypatch).err.startswith("Traceback")


def test_a_screen_that_is_a_full_disk_is_said_and_exits_2(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "regraft", "plugins"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, "No space left on device" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


PATH = "x.csv"
ROWS = "\n".join(["user_id,item_id,timestamp,rating", *(f"u{n % 9},i{n % 7},{10**9 + n * 10**5},4" for n in range(90))])
WRONG = {
    "periods": ("data", "inspect", PATH, "--periods", "100000"),
    "no period": ("data", "inspect", PATH, "--periods", "0"),
    "users": ("data", "simulate", "w", "--users", "-1"),
    "seed": ("data", "simulate", "w", "--seed", "-1"),
    "language": ("data", "simulate", "w", "--language", "fr"),
    "minutes": ("arena", "init", PATH, "--minutes", "nan"),
    "days": ("cache", "prune", ".", "--days", "-1"),
    "budget": ("arena", "run", "-c", "c.yaml", "--budget", "soon"),
    "label": ("data", "inspect", PATH, "--label", "rating >"),
    "number": ("arena", "run", "-c", "n.yaml"),
    "seconds": ("arena", "run", "-c", "c.yaml"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_option_out_of_range_is_one_message_and_exits_2(what: str, tmp_path: Path) -> None:
    (tmp_path / PATH).write_text(ROWS)
    for name, periods in (("c.yaml", "{by: calendar, every: 1s}"), ("n.yaml", "{n: 100000}")):
        data = f"data: {{path: {PATH}, label: rating > 3, periods: {periods}}}"
        (tmp_path / name).write_text(f"{data}\ncontenders: [rates]\n")
    before = sorted(tmp_path.iterdir())
    heard = regraft(*WRONG[what], at=tmp_path)
    assert heard.code == 2, heard.err
    assert not [word for word in ("Traceback", "pydantic", "fault of regraft") if word in heard.err]
    assert sorted(tmp_path.iterdir()) == before
