"""Three worlds with a known truth: the control shows the catalogue in its order, the treatment what is clicked most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from regraft.data.drift_world_settings import DriftWorld

OPENS, DAYS, WINDOW = 23, 15, 7  # the pilot begins on day 23 and is looked at 15 days later
PRIMARY, LIFT, GUARDRAILS = "ctr", 0.3, {"active_days": 0.12}
COMMON: dict[str, Any] = {
    "items": 60, "periods": OPENS + DAYS, "churn": 0.02, "visits": 0.6, "from_start": 1.0, "taste_change_at": None,
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    name: str
    world: DriftWorld
    challenger: str  # as in regraft.yaml
    decision: str


SCENARIOS = (
    Scenario("a real lift", DriftWorld(**COMMON, users=1500, seed=1), "{use: rates}", "roll-out"),
    Scenario("none", DriftWorld(**COMMON, users=1500, seed=1), "{use: catalogue-order, name: twin}", "stop"),
    # Of the items that the catalogue shows first none is bait, of those that are clicked most nearly all are.
    Scenario(
        "clicks up, retention down",
        DriftWorld(**{**COMMON, "churn": 0.08}, users=4500, seed=2, bait=0.3), "{use: rates}", "stop",
    ),
)  # fmt: skip
