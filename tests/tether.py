"""Servers of tests end with the process that runs the tests, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal that the kernel sends when the parent is gone
# Looked up before any fork: a child between fork and exec should load nothing.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_parent = os.getpid()


def tether() -> None:
    """For `preexec_fn` of subprocess: the child is killed when this process is gone. Elsewhere than on Linux it is not.

    The kernel watches the thread that starts the child, so that should be the main one. bench/leash.py is the same.
    """
    if _prctl is None:
        return
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _parent:  # gone before the kernel was told
        os._exit(1)
