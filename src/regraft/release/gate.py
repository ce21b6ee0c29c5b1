"""The gate: all checks of one stage, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from regraft.errors import ConfigError
from regraft.plugins import names, plugin_class
from regraft.release.evidence import Check, Day, Finding, Foreseen, Judged, Outcome, When
from regraft.said import Said
from regraft.setup.config import explained


def checks(settings: Mapping[str, Mapping[str, Any]], when: When) -> list[Check]:
    """The checks of a stage with their settings; ConfigError for a check or a setting that does not exist."""
    known = names("checks")
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError("gate, '{check}'", "is no check", "one of {names}", check=unknown[0], names=", ".join(known))
    found = []
    for name in known:
        try:
            check = plugin_class("checks", name)(**settings.get(name, {}))
        except ValidationError as error:
            wrong, expected = explained(error)
            raise ConfigError(
                "gate, check '{name}'", "{found}", "{expected}", name=name, found=wrong, expected=expected
            ) from error
        if check.when == when:
            found.append(check)
    return found


def look(found: list[Check], evidence: Day | Foreseen | Judged) -> list[Finding]:
    """What every check found, worst first. Where scores are no numbers, only those that look always do.

    Of a day with approved days, some checks have a second finding: how it looks beside these.
    """
    able = [check for check in found if check.always or not evidence.broken]
    findings = [check.look(evidence) for check in able]
    if isinstance(evidence, Day) and (beside := evidence.beside_approved()) is not None:
        days = beside.earlier["day"]
        again = [check.look(beside) for check in able if check.anchored]
        findings += [replace(one, reason=_beside(one.reason, days[0], days[-1])) for one in again]
    return ordered(findings)


def _beside(reason: str, first: str, last: str) -> Said:
    return Said("beside the days approved, {first} to {last}: {said}", first=first, last=last, said=reason)


def ordered(findings: list[Finding]) -> list[Finding]:
    """The worst first."""
    order = {"hold": 0, "keep": 1, "pass": 2}
    return sorted(findings, key=lambda one: order[one.outcome])


def outcome(findings: list[Finding]) -> Outcome:
    """The worst outcome: hold before keep before pass."""
    return next((o for o in ("hold", "keep") if any(f.outcome == o for f in findings)), "pass")


def because(findings: list[Finding] | tuple[Finding, ...], outcome: Outcome) -> str:
    """The reasons for an outcome in one sentence: "label-share (80.1% of the rows are liked, ...); volume (...)"."""
    return "; ".join(f"{f.check} ({f.reason})" for f in findings if f.outcome == outcome)
