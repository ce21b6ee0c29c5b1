"""Runs the arena once per moment, each in a process of its own that is killed (SIGKILL) at that moment.

    python killed_runs.py KIND FOLDER MOMENT...

A moment is "rename 3", just before the third rename of a file or folder, or "open cost.json 2", just before the
second time a file of that name is opened for writing. The run of the n-th moment writes into FOLDER/n; with
several, "rename 3, rename 4", it is started again and killed again.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from arena.small_runs import SMALL_BASE, config
from regraft.arena.compare import Arena
from regraft.setup.config import ArenaConfig


def configuration(kind: str) -> ArenaConfig:
    if kind == "baselines":
        return config()
    contenders = [{"use": "replay", "calibration": "logistic"}]
    return config(contenders, last_update=3, **SMALL_BASE)


def killed_at(moment: str) -> None:
    """From now on this process ends at the moment."""
    what, *name, number = moment.split()
    left = [int(number)]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if what == "rename":
            hit = event == "os.rename"
        else:
            writes = event == "open" and "w" in str(arguments[1])
            hit = writes and Path(str(arguments[0])).name == name[0]
        if hit:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def main(kind: str, folder: Path, moments: list[str]) -> None:
    found = configuration(kind)
    if kind == "strategies":
        import regraft.lm.lab  # once, for all of them
        import regraft.lm.nano  # noqa: F401
    for number, moment in ((n, each) for n, several in enumerate(moments) for each in several.split(", ")):
        child = os.fork()
        if not child:
            killed_at(moment)
            list(Arena(found, folder / str(number)).run())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(f"the run was not killed at '{moment}': status {status}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
