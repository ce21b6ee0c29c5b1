"""The gate: all checks of one stage, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from regraft.errors import ConfigError
from regraft.plugins import names, plugin_class
from regraft.release.evidence import Check, Day, Finding, Judged, Outcome
from regraft.setup.config import explained


def checks(settings: Mapping[str, Mapping[str, Any]], when: Literal["before", "after"]) -> list[Check]:
    """The checks of a stage with their settings; ConfigError for a check or a setting that does not exist."""
    known = names("checks")
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError(f"gate, '{unknown[0]}'", "is no check", "one of " + ", ".join(known))
    found = []
    for name in known:
        try:
            check = plugin_class("checks", name)(**settings.get(name, {}))
        except ValidationError as error:
            raise ConfigError(f"gate, check '{name}'", *explained(error)) from error
        if check.when == when:
            found.append(check)
    return found


def look(found: list[Check], evidence: Day | Judged) -> list[Finding]:
    """What every check found, worst first."""
    order = {"hold": 0, "keep": 1, "pass": 2}
    return sorted((check.look(evidence) for check in found), key=lambda one: order[one.outcome])


def outcome(findings: list[Finding]) -> Outcome:
    """The worst outcome: hold before keep before pass."""
    return next((o for o in ("hold", "keep") if any(f.outcome == o for f in findings)), "pass")
