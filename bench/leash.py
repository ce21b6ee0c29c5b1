"""Children that end when we do, however we end: no server outlives the script, or the killed test, that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal that the kernel sends when the parent is gone
# Looked up before any fork: a child between fork and exec should load nothing.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_parent = os.getpid()


def leash() -> None:
    """For `preexec_fn` of subprocess: the child is killed when this process is gone. On Linux; elsewhere it does nothing.

    The kernel watches the thread that starts the child, so that should be the main one.
    """
    if _prctl is None:
        return
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _parent:  # gone before the kernel was told
        os._exit(1)
