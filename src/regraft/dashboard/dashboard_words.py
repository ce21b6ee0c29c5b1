"""How the pages say things and write numbers, in English and Japanese. What they say: words, a file per page."""

from __future__ import annotations

import math

from regraft.dashboard.words import (
    actions,
    cost,
    data,
    errors,
    findings,
    frame,
    long_term,
    overview,
    pilot,
    prompts,
    reasons,
    updates,
    versions,
)
from regraft.metrics.measures import BY_NAME
from regraft.pilot.words import closed_up
from regraft.report.by_day import plain
from regraft.report.measure_page import told
from regraft.report.report_words import LANGUAGES, PHRASES, Words
from regraft.said import Said

SHORT = ("ctr", "conversion", "auc")
LONG = ("return_7", "repeat_rate", "retained_week")
DAILY = ("rows", "update_seconds", "auc", "uauc", "calibration", "latency_p95")
LASTING = (
    "return_7", "return_28", "repeat_rate", "lifetime_value", "satisfaction", "complaints", "dormant", "retained_week",
    "diversity", "concentration",
)  # fmt: skip
SPENT = ("update_cost", "cost_per_1000", "storage_cost")
PERCENT = frozenset({"funnel", "staying", *(name for name, one in BY_NAME.items() if one.unit == "share")})
COUNTED = ("lists", "people", "rows", "items", "yes or no", "money", "bytes")  # units of what has no interval
COUNTS = frozenset({"update_seconds", *(name for name, one in BY_NAME.items() if one.unit in COUNTED)})
DIFFERENCES = frozenset(name for name, one in BY_NAME.items() if one.unit == "AUC")  # of two versions
STATES = ("state", "decision")  # facts of the ledger whose values are words

FILES = (frame, overview, updates, actions, versions, data, long_term, cost, prompts, pilot)
WORDS: dict[str, tuple[str, str]] = {key: said for file in FILES for key, said in file.WORDS.items()}


JAPANESE = {**reasons.JAPANESE, **findings.JAPANESE, **errors.JAPANESE}


class DashboardWords(Words):
    """The report's words and ours; numbers with their ends."""

    def __call__(self, key: str, **values: object) -> str:
        return closed_up((WORDS.get(key) or PHRASES[key])[LANGUAGES.index(self.lang)].format(**values))

    def has(self, key: str) -> bool:
        return key in WORDS

    def measure(self, name: str) -> str:
        """A measure in words, as the page of measures has it."""
        return told(BY_NAME[name], self.lang)[0] if name in BY_NAME else self(f"m {name}")

    def how(self, name: str) -> str:
        """How a measure is computed."""
        return told(BY_NAME[name], self.lang)[2] if name in BY_NAME else self(f"how {name}")

    def missing(self, state: str, measure: str) -> str:
        """Why this measure has no number, and what to do; empty where the words of the state say it."""
        return self(f"{state} {measure}") if self.has(f"{state} {measure}") else ""

    def metric(self, name: str) -> str:
        """A metric of a pilot in words."""
        return self(f"p {name}") if f"p {name}" in WORDS else name

    def arm(self, name: str) -> str:
        return self.said(name) if name else self("all")

    def money(self, value: float | None, currency: str) -> str:
        """USD 1.20; a dash where nothing is known."""
        return "–" if value is None else f"{currency}\u00a0{self.value(value)}"

    def said(self, name: str) -> str:
        """A state or an alias in words."""
        return self(name) if name in WORDS else name

    def entry(self, kind: str) -> str:
        """The kind of an entry of the ledger in words."""
        return self(f"entry {kind}") if f"entry {kind}" in WORDS else kind

    def fact(self, key: str, value: object) -> str:
        """A fact of an entry of the ledger: its key in words, and its value, a state or a decision in words as well."""
        told = self.said(str(value)) if key in STATES and self.lang != "en" else value
        return self("fact", name=self(f"about {key}") if self.has(f"about {key}") else key, value=told)

    def sentence(self, said: str) -> str:
        """What a check, a finding or an error said; in English where it is no sentence of ours, or an old one."""
        template, values = (said.template, said.values) if isinstance(said, Said) else (said, {})
        if self.lang == "en" or template not in JAPANESE:
            return said
        inner = {name: self.sentence(v) if isinstance(v, Said) else v for name, v in values.items()}
        return closed_up(JAPANESE[template].format(**inner))

    def value(self, value: float | None, percent: bool = False, measure: str = "") -> str:
        """3.21 %, 0.712 or 12,345, +0.0012 of a measure that is a difference; a dash where there is no number."""
        if value is None or not math.isfinite(value):
            return "–"
        if measure in DIFFERENCES:
            return self.number(value, 4, True)
        if percent:
            return f"{100 * value:.2f}\u00a0%"
        if value and abs(value) < 0.01:
            return plain(value, 2)
        return self.number(value, 0 if abs(value) >= 1000 or value == round(value) else 3 if abs(value) < 10 else 1)

    def signed(self, share: float | None) -> str:
        """+3.1 %"""
        return "–" if share is None or not math.isfinite(share) else f"{100 * share:+.1f}\u00a0%"

    def ends(self, low: float | None, high: float | None, percent: bool = False, measure: str = "") -> str:
        """[low, high]; words where there is no interval, nothing of a count."""
        if measure in COUNTS:
            return ""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return self("no interval")
        return f"[{self.value(low, percent, measure)}, {self.value(high, percent, measure)}]"
