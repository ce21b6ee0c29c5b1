"""A template that somebody sent, run in a process of its own: it can neither hold up nor read anything of ours.

It is used like any template. The process has limits on memory, processor time, waiting time and on what it answers;
what exceeds one is ended and told as a TemplateError. See confined_child.py for what the process gives up.
"""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import regraft
from regraft.errors import RegraftError, TemplateError
from regraft.prompts.pieces import Piece, Slot
from regraft.prompts.template import Template, source_of
from regraft.said import Said

START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from regraft.prompts.confined_child import serve; "
    "serve(int(sys.argv[2]), int(sys.argv[3]))"
)
STARTING = 60.0  # seconds in which the process must be there


@dataclass(frozen=True)
class Limits:
    """Of one question; memory of the whole process."""

    processor: int = 2  # seconds
    waiting: float = 10.0  # seconds
    memory: int = 256 << 20
    answer: int = 8 << 20  # bytes
    source: int = 64 << 10  # bytes


class Confined(Template):
    """A template in a process of its own. TemplateError where it does not keep to the limits."""

    def __init__(self, source: str, name: str = "template", limits: Limits = Limits()) -> None:
        self.source, self.name, self.limits = source, name, limits
        self.hash = hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
        if (size := len(source.encode())) > limits.source:
            raise TemplateError(
                "template '{name}'", "is {size:,} bytes long", "at most {most:,}",
                name=name, size=size, most=limits.source,
            )  # fmt: skip
        self._lock = Lock()  # threads may share a template
        self._process = _started(limits)
        weakref.finalize(self, _end, self._process)
        self._wait_for_it()
        found = self._ask({"source": source, "name": name})
        self.kind, self.yes, self.no, self.head = found["kind"], found["yes"], found["no"], found["head"]
        for known in ("facts", "fields", "unknown_names", "written"):  # what the class would look up in the source
            self.__dict__[known] = found[known]

    @classmethod
    def load(cls, name: str | Path) -> Confined:
        """A template by library name or file path."""
        return cls(*source_of(name))

    def rendered(self, asked: Mapping[str, Any]) -> list[Piece]:
        return [piece if isinstance(piece, str) else Slot(*piece) for piece in self._ask(asked)]

    def close(self) -> None:
        """Ends the process; it is ended too when nothing refers to the template any more."""
        _end(self._process)

    # -- inside --------------------------------------------------------------------------------

    def _wait_for_it(self) -> None:
        try:
            self._answer(STARTING)
        except TemplateError as error:
            raise RegraftError(
                "process of a template", "did not start: exit code {code}", "one that starts within a minute",
                "Look for what is wrong here with: regraft doctor", code=self._process.poll(),
            ) from error  # fmt: skip

    def _ask(self, question: Mapping[str, Any]) -> Any:
        with self._lock:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(question).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                raise self._ended() from None
            answer = self._answer(self.limits.waiting)
        if "error" in answer:
            raise TemplateError.of(answer["error"])
        return answer["found"]

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next line of the process; it is ended where the line is late, or longer than it may be."""
        assert self._process.stdout is not None
        handle, until, read = self._process.stdout.fileno(), time.monotonic() + seconds, bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(handle, selectors.EVENT_READ)
            while not read.endswith(b"\n"):
                if not ready.select(max(0.0, until - time.monotonic())):
                    _end(self._process)
                    raise self._stopped(Said("took longer than {seconds:g} seconds and was stopped", seconds=seconds))
                part = os.read(handle, 1 << 16)
                if not part:
                    raise self._ended()
                read += part
                if len(read) > self.limits.answer:
                    _end(self._process)
                    most = self.limits.answer
                    raise self._stopped(Said("writes more than {most:,} bytes and was stopped", most=most))
        answer: dict[str, Any] = json.loads(read)
        return answer

    def _ended(self) -> TemplateError:
        """Why the process is no longer there."""
        code = self._process.wait()
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            most = self.limits.processor
            return self._stopped(Said("took more than {most} seconds of processor time and was stopped", most=most))
        if code == -signal.SIGSEGV or code == 1:
            most = self.limits.memory >> 20
            return self._stopped(Said("takes more than {most} MiB of memory and was stopped", most=most))
        return self._stopped(Said("was stopped: its process ended with code {code}", code=code))

    def _stopped(self, found: Said) -> TemplateError:
        return TemplateError(
            "template '{name}'", found, "a prompt that is written at once", "Take out loops that go on and on",
            name=self.name,
        )  # fmt: skip


def _started(limits: Limits) -> subprocess.Popen[bytes]:
    """A process that has nothing of this one's: neither its environment, nor its folder, nor its open files."""
    place = str(Path(regraft.__file__).parents[1])
    kept = {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-c", START, place, str(limits.processor), str(limits.memory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=kept, cwd="/",
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise RegraftError(
            "process of a template", "cannot be started: {reason}", "a free process", reason=error.strerror
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
