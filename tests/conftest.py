"""One thread per process: with more, small matrices wait for each other on a busy machine.

The longest tests begin first, so that no process is left alone with one at the end.
"""

from __future__ import annotations

import os

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

pytest_plugins = ["site_world", "browser.chromium"]  # the small site and the browser of every test that asks for one
LONGEST = ("tests/test_guides.py", "tests/test_week.py", "tests/crash/", "tests/test_bench.py", "tests/arena/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
