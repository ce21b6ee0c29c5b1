"""The measures of a site: what each is called, over which time it speaks, in which unit, and what it means."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from regraft.metrics import binary, cohorts, online, returning, satisfaction, served, spending, survival, variety

Term = Literal["short", "long", "cost"]
Better = Literal["higher", "lower", "one", ""]  # one: 1 is right; empty: neither


@dataclass(frozen=True)
class Measure:
    """One measure by the name under which it is written (state/aggregates)."""

    name: str
    title: str
    term: Term
    unit: str
    better: Better
    of: Callable[..., Any] | str  # the function that measures it, or what is counted

    @property
    def meaning(self) -> str:
        """What it is: the docstring of its function, or the words given."""
        return self.of if isinstance(self.of, str) else inspect.cleandoc(self.of.__doc__ or "")

    @property
    def source(self) -> str:
        """Where it is computed, as module and function; empty for what is counted."""
        if isinstance(self.of, str):
            return ""
        return f"{self.of.__module__}.{self.of.__name__}"


MEASURES = (
    Measure("lists", "Lists", "short", "lists", "", "Lists that servers gave out on the day."),
    Measure("people", "People", "short", "people", "", "People with at least one event or list on the day."),
    Measure("people_served", "People served", "short", "people", "", "People who were given a list on the day."),
    Measure("rows", "Rows", "short", "rows", "", "Events of the day, and items that were shown and not answered."),
    Measure("clicks", "Clicks", "short", "items", "", "Shown items that were clicked; an item of a list counts once."),
    Measure("ctr", "Click-through rate", "short", "share", "higher", served.click_rate),
    Measure("conversion", "Conversion", "short", "share", "higher", served.conversion),
    Measure("auc", "AUC", "short", "chance", "higher", binary.auc),
    Measure("uauc", "UAUC", "short", "chance", "higher", binary.uauc),
    Measure("log_loss", "Log-loss", "short", "nats", "lower", binary.log_loss),
    Measure("calibration", "Calibration", "short", "ratio", "one", online.calibration),
    Measure("latency_p95", "Seconds for a list", "short", "seconds", "lower", online.latency),
    Measure("return_7", "Return within 7 days", "long", "share", "higher", returning.return_rate),
    Measure("return_28", "Return within 28 days", "long", "share", "higher", returning.return_rate),
    Measure("cohort_return", "New people who return", "long", "share", "higher", cohorts.cohort_return),
    Measure("repeat_rate", "Repeat rate", "long", "share", "higher", returning.repeat_rate),
    Measure("staying", "Still there", "long", "chance", "higher", survival.staying),
    Measure("lifetime_value", "Worth of the first 28 days", "long", "worth", "higher", survival.lifetime_value),
    Measure("lifetime_gain", "Worth gained in 28 days", "long", "worth", "higher", survival.lifetime_gain),
    Measure("gain_so_far", "Worth gained so far", "long", "worth", "higher", survival.gain_so_far),
    Measure("dormant", "Dormant people", "long", "share", "lower", returning.dormant),
    Measure("satisfaction", "Satisfaction", "long", "share", "higher", satisfaction.satisfaction),
    Measure("complaints", "Complaints", "long", "share", "lower", satisfaction.complaint_rate),
    Measure("diversity", "Diversity of lists", "long", "share", "higher", variety.diversity),
    Measure("concentration", "Concentration", "long", "Gini", "lower", variety.concentration),
    Measure(
        "retained", "Memory over a day", "long", "AUC", "higher",
        "AUC of the day's new version minus that of the version in service, on held-out rows older than the newest "
        "period; nothing was trained on them. Below 0: something was forgotten. Interval: users are drawn.",
    ),
    Measure(
        "retained_week", "Memory over a week", "long", "AUC", "higher",
        "AUC of the day's new version minus that of the version in service a week ago, on held-out rows from before "
        "that version. Losses too small for a day add up here. Interval: users are drawn.",
    ),
    Measure("promoted", "Promoted", "cost", "yes or no", "", "1 where the day's version went live, 0 where none did."),
    Measure(
        "update_seconds", "Seconds per update", "cost", "seconds", "lower",
        "Wall-clock seconds in which all contenders learnt from the day.",
    ),
    Measure("update_cost", "Cost per update", "cost", "money", "lower", spending.update_cost),
    Measure(
        "seconds_per_1000", "Seconds per 1,000 lists", "cost", "seconds", "lower",
        "1,000 x the mean seconds from a request's arrival to the ranked list.",
    ),
    Measure("cost_per_1000", "Cost per 1,000 lists", "cost", "money", "lower", spending.cost_per_thousand),
    Measure("storage_bytes", "Stored", "cost", "bytes", "lower", "Bytes of data, versions and cache after an update."),
    Measure("storage_cost", "Cost of storage", "cost", "money", "lower", spending.storage_cost),
)  # fmt: skip
BY_NAME = {measure.name: measure for measure in MEASURES}
