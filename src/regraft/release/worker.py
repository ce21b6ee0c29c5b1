"""The child process of a job: runs the command that was asked for and writes down its lines and its end.

It outlives the dashboard or the server that started it. The command takes the site's lease itself, so that two jobs
never work at once; a job that another process has begun is left to it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from regraft.errors import ERROR_FILE
from regraft.setup.site import Site
from regraft.state import jobs
from regraft.state.database import transaction
from regraft.state.jobs import Job

LINES = 40  # newest lines of output that are kept
EVERY = 0.5  # seconds between two notes of progress
RIGHT = (0, 10, 30)  # exit codes of a command that did its work: promoted, kept, held


def start(site: Path, job: Job) -> subprocess.Popen[bytes]:
    """Starts the child process of a job; its exit code is the command's."""
    return subprocess.Popen(
        [sys.executable, "-m", "regraft.release.worker", str(site), str(job.id)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def gone(job: Job) -> bool:
    """Whether the process of a job that has not ended no longer runs."""
    pid = job.progress.get("pid")
    if job.ended or pid is None:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def work(site: Site, number: int) -> int:
    """Runs a job to its end; gives the command's exit code, 0 where the job is not waiting any more."""
    progress: dict[str, object] = {"lines": [], "pid": os.getpid()}
    with transaction(site.engine) as connection:
        if not jobs.claim(connection, number, progress):
            return 0
        job = jobs.found(connection, number)
    with TemporaryDirectory() as folder:
        error = Path(folder) / "error.json"
        child = subprocess.Popen(
            [sys.executable, "-m", "regraft", *job.arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", env={**os.environ, ERROR_FILE: str(error)},
        )  # fmt: skip
        assert child.stdout is not None
        lines: list[str] = []
        noted = 0.0
        for line in child.stdout:
            lines = [*lines, line.rstrip()][-LINES:]
            if time.monotonic() - noted > EVERY:
                noted = time.monotonic()
                with transaction(site.engine) as connection:
                    jobs.put(connection, number, jobs.RUNNING, {**progress, "lines": lines})
        code = child.wait()
        told = {"error": json.loads(error.read_text(encoding="utf-8"))} if error.is_file() else {}
    done = {"lines": lines, "code": code, **told}
    with transaction(site.engine) as connection:
        jobs.put(connection, number, jobs.DONE if code in RIGHT else jobs.FAILED, done)
    return code


if __name__ == "__main__":
    sys.exit(work(Site.open(Path(sys.argv[1])), int(sys.argv[2])))
