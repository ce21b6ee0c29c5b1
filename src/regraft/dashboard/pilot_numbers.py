"""The numbers of a pilot as of the last closed day. They take seconds on a large site, so they are worked out once.

A page that asks too early is told that they are on their way.
"""

from __future__ import annotations

import json
from typing import Any

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.later import WAIT, later
from regraft.pilot.analyse import over_time
from regraft.pilot.contamination import measured
from regraft.pilot.evidence import evidence_of, snapshot
from regraft.pilot.verdict import Verdict
from regraft.pilot.words import LANGUAGES, say
from regraft.setup.site import Site
from regraft.state.pilots import Pilot


def pilot_numbers(site: Site, pilot: Pilot, newest: str, wait: float = WAIT) -> dict[str, Any] | None:
    """What `snapshot` gives, with the `funnel` of the primary metric and what is `said` by language.

    None while they are worked out. What stopped them (RegraftError) is raised here.
    """
    key = json.dumps([str(site.folder), pilot.name, pilot.state, pilot.ended, dict(pilot.plan), newest], sort_keys=True)
    return later(key, lambda: _numbers(site, pilot.name), wait)


def _numbers(site: Site, name: str) -> dict[str, Any]:
    evidence = evidence_of(site, name)
    plan = evidence.terms.plan
    funnel = over_time(evidence.people, plan, plan.primary) if len(evidence.people) else None
    verdict = evidence.verdict
    return {
        **snapshot(evidence),
        "funnel": funnel.to_dicts() if funnel is not None and len(funnel) else [],
        "said": {lang: _sentences(verdict, lang) for lang in LANGUAGES},
        "mismatch": evidence.sample_ratio.mismatch,
        "measured": {lang: measured(evidence.terms.slice, lang) for lang in LANGUAGES},
    }


def _sentences(verdict: Verdict, lang: str) -> list[str]:
    """Why the verdict is what it is and what would change it, with metrics called as the page calls them."""
    words = DashboardWords(lang)
    named = ((key, {**v, "metric": words.metric(v["metric"])} if "metric" in v else v) for key, v in verdict.said)
    return [say(lang, key, **values) for key, values in named]
