"""Work in processes of their own that are killed (-9) at a chosen file operation.

One process imports everything once and then forks for each run; before the fork it uses no thread. A run
counts what Python does to files below its folder (open to write, make, rename, remove) and, asked to,
kills itself right before the n-th of these operations.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

PROGRAM = """
import json, os, signal, sys, traceback
from pathlib import Path

{work}

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")

def run(folder, kill_at):
    operations = 0
    def hook(event, given):
        nonlocal operations
        writes = event == "open" and isinstance(given[1], str) and given[1][0] in "wax"
        if not (writes or event in CHANGES):
            return
        path = os.fsdecode(given[0]) if isinstance(given[0], (str, bytes, os.PathLike)) else ""
        if path.startswith(folder) or not os.path.isabs(path):
            operations += 1
            if operations == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    result = work(Path(folder))
    return {{"result": result, "operations": operations}}

for line in sys.stdin:
    order = json.loads(line)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = run(**order)
        except BaseException:
            answer = {{"error": traceback.format_exc()}}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    print(json.dumps({{"killed": killed, **json.loads(answer or "{{}}")}}), flush=True)
"""


class Outcome(NamedTuple):
    killed: bool
    result: object = None
    operations: int = 0
    error: str = ""


class Crashes:
    """`work` is a program that defines `work(folder)`; what that returns must fit into JSON."""

    def __init__(self, work: str) -> None:
        self.program = PROGRAM.format(work=work)

    def __enter__(self) -> Crashes:
        here = Path(__file__).parents[1]
        paths = os.pathsep.join([str(here), str(here.parent / "src"), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        )  # fmt: skip
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def run(self, folder: Path, kill_at: int | None = None) -> Outcome:
        """One process that works in `folder`, to its end or to the operation with this number (from 1)."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"folder": str(folder), "kill_at": kill_at}) + "\n")
        self.process.stdin.flush()
        outcome = Outcome(**json.loads(self.process.stdout.readline()))
        assert not outcome.error, outcome.error
        return outcome


def leftovers(folder: Path) -> list[str]:
    """What a run prepared and did not put in its place."""
    names = [p.name for p in folder.rglob("*")]
    return [n for n in names if n.endswith((".part", ".checkpoint", ".old"))]
