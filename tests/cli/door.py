"""The command line as a user meets it: words go in, text and an exit code come out.

It runs in this process, so that PyTorch is loaded once for all tests.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

from regraft.cli.main import main


@dataclass(frozen=True)
class Heard:
    """What a command printed, and how it exited."""

    code: int
    out: str
    err: str


def regraft(*words: object, at: Path) -> Heard:
    """`regraft WORDS` in the folder `at`."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["regraft", *map(str, words)]
    code = 0
    try:
        with contextlib.chdir(at), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        sys.argv = before
    return Heard(code, out.getvalue(), err.getvalue())
