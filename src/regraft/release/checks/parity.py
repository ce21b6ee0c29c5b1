"""The server's answers are the trainer's: the same requests, asked both ways, get the same scores."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from regraft.release.evidence import Finding, Judged, Limits
from regraft.said import Said


class Parity(Limits):
    when: ClassVar[Literal["after"]] = "after"
    most: float = Field(1e-4, gt=0, description="difference of log-odds; 1e-4 holds for fp32")

    def look(self, judged: Judged) -> Finding:
        trained, served = judged.asked
        if not len(trained):
            return Finding("parity", "pass", Said("the day has no examples to ask about"))
        largest = float(np.abs(trained - served).max())
        said = Said(
            "{n} scores asked of trainer and server: largest difference {largest:.1e}",
            n=len(trained), largest=largest,
        )  # fmt: skip
        wrong = not largest <= self.most
        return Finding("parity", "keep" if wrong else "pass", said, {"largest": largest, "n": len(trained)})
