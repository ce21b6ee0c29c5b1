"""The same requests asked twice: of the trainer, as pairs among the rows of a stream, and of the server, one by one.

Where the two differ, what was measured is not what is served.
"""

from __future__ import annotations

import numpy as np

from regraft.data.asked import Asked
from regraft.prompts.live import Event
from regraft.strategies.contender import Contender
from regraft.workbench import Workbench

REQUESTS = 30  # asked at most, each by the user of a row at its instant
CANDIDATES = 10  # of each
ROWS = 300  # of the day that a server is told at most: every one moves all facts


def asked_twice(bench: Workbench, contender: Contender, period: int) -> tuple[np.ndarray, np.ndarray]:
    """(trainer's, server's) log-odds of the same candidates of the same requests on the day of a period.

    The server knows what was known when the period began and is told its rows one by one, as it would have been on
    the day; rows of one instant are told after the questions of that instant. None where the period has no examples.
    """
    stream, cases, before = bench.stream, bench.stream.cases(period), bench.stream.until(period)
    begin = len(before.known_at)
    at = cases.targets[cases.targets < begin + ROWS]
    if not len(at) or not len(before.items):
        return np.zeros(0), np.zeros(0)
    at = at[np.unique(np.linspace(0, len(at) - 1, REQUESTS).astype(int))]
    draw = np.random.default_rng(period)
    size = min(CANDIDATES, len(before.items))
    candidates = np.stack([draw.choice(len(before.items), size, replace=False) for _ in at]).astype(np.int32)
    trained = contender.score(Asked(cases, np.repeat(at, size), candidates.ravel(), once=True).stream())

    rows = np.arange(begin, at[-1] + 1)
    users = stream.user_ids.gather(stream.user[rows]).to_list()
    names = cases.items["item_id"].to_list()
    known, times, labels, items = (c[rows].tolist() for c in (stream.known_at, stream.time, stream.label, stream.item))
    live, served = bench.live(before, cases.items), np.empty(candidates.shape)
    place = {row: k for k, row in enumerate((at - begin).tolist())}
    for instant in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(known)) + 1):
        for row in (r for r in instant.tolist() if r in place):
            request = live.request(users[row], [names[code] for code in candidates[place[row]]], known[row])
            served[place[row]] = contender.score_request(request)
        for row in instant[stream.happened[rows[instant]]].tolist():
            live.take([Event(users[row], names[items[row]], times[row], labels[row])], [known[row]])
    return np.asarray(trained, dtype=np.float64), served.ravel()
