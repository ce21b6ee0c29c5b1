"""The version in service foresees the day about as well as other days: labels that turned round show here."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from regraft.release.day_numbers import deviations
from regraft.release.evidence import FEW_DAYS, Finding, Foreseen, Limits
from regraft.said import Said


class Foresight(Limits):
    when: ClassVar[Literal["judged"]] = "judged"
    deviations: float = Field(6.0, gt=0, description="robust standard deviations below the median of earlier days")
    drop: float = Field(0.1, gt=0, description="loss of AUC that is always allowed")
    least: int = Field(20, ge=2, description="liked rows, and others, below which nothing is decided")

    def look(self, seen: Foreseen) -> Finding:
        fewer = min(seen.liked, seen.rows - seen.liked)
        if fewer < self.least:
            said = Said("{n:,} rows are too few to decide by", n=seen.rows)
            return Finding("foresight", "pass", said, {"n": seen.rows})
        noise = 2 * float(np.sqrt(seen.auc * (1 - seen.auc) / fewer))  # twice the most: rows of a user hang together
        away, usual = deviations(seen.auc, pl.Series(seen.earlier, dtype=pl.Float64), noise)
        backwards = seen.auc + 2 * noise < 0.5
        fell = len(seen.earlier) >= FEW_DAYS and usual - seen.auc > self.drop and -away > self.deviations
        said = Said("AUC {auc:.3f} of the version in service on the day, for the first time", auc=seen.auc)
        if len(seen.earlier):
            said = Said(
                "AUC {auc:.3f} of the version in service on the day, usually {usual:.3f}", auc=seen.auc, usual=usual
            )
        if backwards:
            said = Said("{said}: liked rows score below the others", said=said)
        values = {"auc": seen.auc, "usual": usual, "deviations": away}
        return Finding("foresight", "hold" if backwards or fell else "pass", said, values)
