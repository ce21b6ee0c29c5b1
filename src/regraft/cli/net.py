"""What the command line says of errors that are no RegraftError: the last net under every command.

What a user can mend (a full disk, a missing package, a setting, too little memory) exits 2. Anything else is a fault of
regraft: it says so, names the command and exits 70. With `--debug`, or REGRAFT_DEBUG=1, the traceback is shown as well.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from regraft import __version__
from regraft.cli.show import say
from regraft.errors import ERROR_FILE, MissingExtraError, RegraftError
from regraft.extras import extra_of

COULD_NOT, FAULT = 2, 70
DEBUG = "REGRAFT_DEBUG"


def caught(error: BaseException, words: Sequence[str]) -> tuple[RegraftError, int]:
    """(the error in our words, exit code) of an error that a command with these words ended with."""
    if "--debug" in words or os.environ.get(DEBUG, "0") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    if known := in_words(error, words):
        return known, COULD_NOT
    return _fault(error, words), FAULT


def say_error(error: RegraftError) -> None:
    """The message on standard error; the parts for whoever started the command and asked for them (a job)."""
    say(str(error), error=True)
    if path := os.environ.get(ERROR_FILE):
        from regraft.files import write_text

        with suppress(RegraftError):  # the message is said
            write_text(Path(path), json.dumps(error.parts, ensure_ascii=False))


def in_words(error: BaseException, words: Sequence[str]) -> RegraftError | None:
    """The error as one that a user can act on; None where it is none."""
    where = command_of(words)
    cause = error.__cause__ if isinstance(error, RegraftError) else error
    if isinstance(cause, ModuleNotFoundError) and (extra := extra_of(cause.name or "")):
        return MissingExtraError(error.where if isinstance(error, RegraftError) else where, extra, str(cause.name))
    if isinstance(error, RegraftError):
        return error
    if isinstance(error, ImportError):
        return RegraftError(
            "{where}", "needs something that is not installed: {reason}", "", "See what is: regraft doctor",
            where=where, reason=error,
        )  # fmt: skip
    if isinstance(error, MemoryError):
        return RegraftError(
            "{where}", "ran out of memory", "a log and batches that fit",
            "Ask for fewer users and items; in a YAML, data.share and fit.batch_tokens take less", where=where,
        )  # fmt: skip
    if isinstance(error, UnicodeError):
        return RegraftError(
            "{where}", "met text that cannot be read: {reason}", "files in UTF-8", "Convert the file to UTF-8",
            where=where, reason=error,
        )  # fmt: skip
    if isinstance(error, OSError):
        # Libraries that write files themselves (Polars) put the name into the text only.
        return RegraftError("{where}", "{reason}", where=error.filename or where, reason=error.strerror or error)
    return _setting(error, where)


def command_of(words: Sequence[str]) -> str:
    """`regraft data inspect`, without its arguments."""
    named = [word for word in words if not word.startswith("-")][:2]
    return " ".join(["regraft", *(word for word in named if word.isalpha())])


def _setting(error: BaseException, where: str) -> RegraftError | None:
    """A pydantic error; pydantic is loaded where one was raised."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not isinstance(error, pydantic.ValidationError):
        return None
    from regraft.setup.config import explained

    try:
        found, expected = explained(error)
    except RegraftError as cause:
        return cause
    return RegraftError(where, found, expected)


def _fault(error: BaseException, words: Sequence[str]) -> RegraftError:
    what = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
    again = shlex.join(["regraft", "--debug", *(word for word in words if word != "--debug")])
    return RegraftError(
        "{command}", "ended with {what}", "no such error: this is a fault of regraft, not yours",
        "Please report it with version {version} and the traceback of: {again}",
        command=command_of(words), what=what, version=__version__, again=again,
    )  # fmt: skip
