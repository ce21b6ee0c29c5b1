"""Every score of the new version is a number."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from regraft.release.evidence import Finding, Judged, Limits


class Finite(Limits):
    when: ClassVar[Literal["after"]] = "after"
    always: ClassVar[bool] = True

    def look(self, judged: Judged) -> Finding:
        wrong, n = int((~np.isfinite(judged.new)).sum()), len(judged.new)
        said = f"{wrong:,} of {n:,} scores are no numbers" if wrong else f"all {n:,} scores are numbers"
        return Finding("finite", "keep" if wrong else "pass", said, {"wrong": wrong, "n": n})
