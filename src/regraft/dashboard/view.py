"""What a page shows of a site: language, whole weeks, segment and arm. All is in the address: a view is a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from regraft.report.report_words import LANGUAGES

WEEKS = (4, 13, 26, 52, 104)
EACH = "each"  # as an arm: one line for every arm


@dataclass(frozen=True)
class View:
    """`until` is the last day shown (2025-01-06), empty for the newest; `arm` and `segment` are empty for all."""

    lang: str = "en"
    weeks: int = 13
    until: str = ""
    segment: str = ""
    arm: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], accept_language: str = "") -> View:
        """From the query of an address. What it cannot mean is left at its default: a link never fails."""
        wanted = accept_language.lower().startswith("ja")
        lang = query.get("lang", "ja" if wanted else "en")
        weeks = query.get("weeks", "")
        return cls(
            lang if lang in LANGUAGES else "en",
            int(weeks) if weeks in {str(w) for w in WEEKS} else cls.weeks,
            _day(query.get("until", "")), query.get("segment", "")[:64], query.get("arm", "")[:32],
        )  # fmt: skip

    def address(self, path: str, **changes: str | int) -> str:
        """The address of a page under this view, with some of it changed."""
        return f"{path}?{urlencode(self.given(**changes))}"

    def given(self, **changes: str | int) -> dict[str, Any]:
        """What an address says of this view, with some of it changed; defaults are left out."""
        shown = vars(replace(self, **changes))  # type: ignore[arg-type]
        plain = vars(View())
        return {key: value for key, value in shown.items() if value != plain[key] or key == "lang"}

    def days(self, newest: str) -> tuple[str, str]:
        """First and last day shown, both inclusive; they span whole weeks."""
        last = self.until or newest
        return (date.fromisoformat(last) - timedelta(days=7 * self.weeks - 1)).isoformat(), last


def day_before(day: str) -> str:
    """2025-01-05 for 2025-01-06."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _day(given: str) -> str:
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        return ""
