"""Every score of the new version is a number."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Finite(Limits):
    when: ClassVar[Literal["after"]] = "after"
    always: ClassVar[bool] = True

    def look(self, judged: Judged) -> Finding:
        wrong, n = int((~np.isfinite(judged.new)).sum()), len(judged.new)
        said = Said("all {n:,} scores are numbers", n=n)
        if wrong:
            said = Said("{wrong:,} of {n:,} scores are no numbers", wrong=wrong, n=n)
        return Finding("finite", "keep" if wrong else "pass", said, {"wrong": wrong, "n": n})
