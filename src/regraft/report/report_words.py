"""The words of the report in English and Japanese, and how numbers are written in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from regraft.errors import ConfigError
from regraft.report.ladder_words import LADDER
from regraft.report.list_words import LISTS
from regraft.report.page_words import PAGE
from regraft.report.verdict_words import VERDICT

LANGUAGES = ("en", "ja")

PHRASES = PAGE | LADDER | VERDICT | LISTS


class Words:
    """The phrases of one language, by key, and numbers as text."""

    def __init__(self, lang: str) -> None:
        if lang not in LANGUAGES:
            raise ConfigError("language", f"found '{lang}'", f"one of {', '.join(LANGUAGES)}")
        self.lang = lang

    def __call__(self, key: str, **values: object) -> str:
        return PHRASES[key][LANGUAGES.index(self.lang)].format(**values)

    def rung(self, name: str) -> str:
        """A rung of the ladder in words."""
        return self(f"rung {name}")

    def group(self, kind: str, group: str) -> str:
        """A group of test rows in words; groups by length of history name themselves."""
        key = f"{group} {kind}"
        return self(key) if key in PAGE else group

    def listed(self, names: Sequence[str]) -> str:
        if self.lang == "ja":
            return "、".join(names)
        return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])

    def span(self, numbers: Sequence[int]) -> str:
        """11 to 20; or all of them where there are gaps."""
        if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
            return f"{numbers[0]}–{numbers[-1]}"
        return ", ".join(map(str, numbers)) or "–"

    def number(self, value: float, digits: int = 4, signed: bool = False) -> str:
        """Fixed decimals; a dash where there is no number."""
        if value is None or not math.isfinite(value):
            return "–"
        value = round(value, digits) + 0.0  # no minus sign in front of zero
        return f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"

    def interval(self, low: float, high: float, signed: bool = False) -> str:
        """[low, high]; words where there is none."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return self("no interval")
        return f"[{self.number(low, 4, signed)}, {self.number(high, 4, signed)}]"

    def band(self, low: float, high: float) -> str:
        """low–high in three decimals; nothing where there is no interval."""
        return f"{self.number(low, 3)}–{self.number(high, 3)}" if math.isfinite(low) and math.isfinite(high) else ""

    def times(self, value: float) -> str:
        return f"{value:.1f}" if math.isfinite(value) else "∞"

    def percent(self, value: float) -> str:
        return "–" if value is None or not math.isfinite(value) else f"{100 * value:.0f}\u00a0%"

    def seconds(self, value: float) -> str:
        if value is None or not math.isfinite(value):
            return "–"
        for unit, size in (("h", 3600.0), ("min", 60.0)):
            if value >= 1.5 * size:
                return f"{value / size:.1f}\u00a0{unit}"
        return f"{value:.1f}\u00a0s" if value >= 0.095 else f"{1000 * value:.0f}\u00a0ms"

    def count(self, value: float) -> str:
        """Three digits and a letter: 1.23 k, 45.6 M."""
        return self._scaled(value, 1000, ("", "k", "M", "G", "T", "P", "E"))

    def size(self, value: float) -> str:
        """Bytes in units of 1024."""
        return self._scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))

    def _scaled(self, value: float, step: int, units: Sequence[str]) -> str:
        if value is None or not math.isfinite(value):
            return "–"
        place = 0
        while abs(value) >= step and place < len(units) - 1:
            value, place = value / step, place + 1
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        return f"{text}\u00a0{units[place]}".strip()
