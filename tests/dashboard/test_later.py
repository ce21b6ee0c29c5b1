"""Work that a page waits for a while."""

from __future__ import annotations

import pytest

from regraft.dashboard.later import later
from regraft.errors import DataError


def test_work_that_failed_is_done_again_and_work_that_did_not_is_kept() -> None:
    done: list[int] = []

    def work() -> str:
        done.append(1)
        if len(done) == 1:
            raise DataError("file", "was written anew meanwhile", "the file that is listed")
        return "found"

    with pytest.raises(DataError):
        later("test_later", work)
    assert [later("test_later", work), later("test_later", work)] == ["found", "found"]
    assert len(done) == 2
