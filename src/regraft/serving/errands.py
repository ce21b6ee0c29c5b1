"""What a server sees to beside answering: erasures that wait are begun as soon as nobody works on the site.

A child process does them, as it does the jobs of the dashboard: it outlives the server, and takes the site's lease
itself. One that fails is begun again later and later; its last lines are in its job.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable

from regraft.release import worker
from regraft.release.blocked import due_job
from regraft.serving.service import Tell
from regraft.setup.site import Site

EVERY = 2.0  # seconds between looks
AGAIN, LONGEST = 300.0, 6 * 3600.0  # seconds to the next try after a failure; doubles up to the longest


class Errands:
    """`start` begins to look for erasures, `stop` ends it; a child goes on."""

    def __init__(self, site: Site, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self.site, self.tell, self.clock = site, tell, clock
        self._child: subprocess.Popen[bytes] | None = None
        self._failures, self._not_before = 0, 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go, name="errands", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> None:
        """Begins what waits, unless a child is at it or failed lately."""
        if self._child is not None:
            if (code := self._child.poll()) is None:
                return
            self._ended(code)
        if self.clock() >= self._not_before and (job := due_job(self.site)):
            self._child = worker.start(self.site.folder, job)
            self.tell("erasing", job=job.id)

    def _ended(self, code: int) -> None:
        self._child = None
        self._failures = self._failures + 1 if code else 0
        self._not_before = self.clock() + min(AGAIN * 2 ** (self._failures - 1), LONGEST) if code else 0.0
        self.tell("erasing ended", code=code)

    def _go(self) -> None:
        while not self._stopped.wait(EVERY):
            try:
                self.look()
            except Exception as error:  # the database may be away for a while
                self.tell("cannot look for erasures", error=type(error).__name__)
