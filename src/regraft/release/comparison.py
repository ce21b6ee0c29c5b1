"""A new version beside the one in service: both score the rows that nothing was ever trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sqlalchemy import Connection

from regraft.data.stream import Stream
from regraft.metrics.groups import USER_GROUPS, user_groups
from regraft.release.asked import asked_twice
from regraft.release.evidence import Judged
from regraft.setup.site import DAY
from regraft.state import versions
from regraft.state.versions import Version
from regraft.strategies.contender import Contender
from regraft.workbench import Workbench

ANCHOR = 7  # days after which a champion is old enough to ask what was forgotten since


def compared(
    bench: Workbench, new: Contender, in_service: Version, period: int, *, seconds: float, contender: str,
    challengers: Mapping[str, Contender] | None = None,
) -> Judged:  # fmt: skip
    """The evaluation rows of all periods up to this one, scored by all.

    `contender` is the name of the new version's, which took so many `seconds` to renew.
    """
    view = bench.stream.until(period + 1)
    rows = view.only(bench.eval_rows[view.targets])
    with bench.site.engine.connect() as connection:
        anchor = _anchor(connection, in_service, view.cuts[-1])
        earlier = [v.lineage["seconds"] for v in versions.listed(connection) if v.contender == contender]
    anchored = {}
    if anchor is not None:
        known = rows.known_at[rows.targets] < anchor.cut
        anchored = {"anchor": _scores(bench.released(anchor), rows), "known": known}
    return Judged(
        rows.labels, rows.users, rows.period[rows.targets], period, _scores(bench.released(in_service), rows),
        _scores(new, rows), _user_groups(bench.stream, rows, period),
        cost={"seconds": seconds, "usual": float(np.median(earlier)) if earlier else float("nan")},
        challengers={name: _scores(one, rows) for name, one in (challengers or {}).items()},
        asked=asked_twice(bench, new, period), another=contender != in_service.contender, **anchored,
    )  # fmt: skip


def _scores(contender: Contender, rows: Stream) -> np.ndarray:
    return np.asarray(contender.score(rows), dtype=np.float64)


def _anchor(connection: Connection, in_service: Version, cut: int) -> Version | None:
    """The newest champion that is a week old at the cut; None where that is the one in service, or there is none."""
    moves = versions.history(connection, "champion")
    champions = [versions.version(connection, name) for name in dict.fromkeys(a.version for a in moves)]
    old = [v for v in champions if v.state == "good" and v.cut <= cut - ANCHOR * DAY]
    found = max(old, key=lambda v: v.number, default=None)
    return None if found is None or found.name == in_service.name else found


def _user_groups(stream: Stream, rows: Stream, period: int) -> np.ndarray:
    """New, dormant or continuing users as of the period's begin."""
    before = stream.until(period)
    real = before.happened
    if not real.any():
        return np.full(len(rows), USER_GROUPS[0])
    return user_groups(rows.users, before.user[real], before.period[real], period - 1)
