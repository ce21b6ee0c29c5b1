"""The numbers of a pilot as of the last closed day. They take seconds on a large site, so they are worked out once.

A page that asks too early is told that they are on their way.
"""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from threading import Lock
from typing import Any

from regraft.pilot.analyse import over_time
from regraft.pilot.evidence import evidence_of, snapshot
from regraft.setup.site import Site
from regraft.state.pilots import Pilot

WAIT = 2.0  # seconds that a page waits for them
MOST = 64  # answers that are kept
_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pilot numbers")
_known: dict[str, Future[dict[str, Any]]] = {}
_lock = Lock()


def pilot_numbers(site: Site, pilot: Pilot, newest: str) -> dict[str, Any] | None:
    """What `snapshot` gives, with the `funnel` of the primary metric and `sentences` by language.

    None while they are worked out. What stopped them (RegraftError) is raised here.
    """
    key = json.dumps([str(site.folder), pilot.name, pilot.state, pilot.ended, dict(pilot.plan), newest], sort_keys=True)
    with _lock:
        if len(_known) > MOST:
            _known.clear()
        if key not in _known:
            _known[key] = _pool.submit(_numbers, site, pilot.name)
    try:
        return _known[key].result(WAIT)
    except TimeoutError:
        return None


def _numbers(site: Site, name: str) -> dict[str, Any]:
    evidence = evidence_of(site, name)
    plan = evidence.terms.plan
    funnel = over_time(evidence.people, plan, plan.primary) if len(evidence.people) else None
    verdict = evidence.verdict
    return {
        **snapshot(evidence),
        "funnel": funnel.to_dicts() if funnel is not None and len(funnel) else [],
        "said": {lang: verdict.sentences(lang) for lang in ("en", "ja")},
        "mismatch": evidence.sample_ratio.mismatch,
    }
