"""The same requests asked twice: of the trainer, as rows of the stream, and of the server, as one person's question.

Where the two differ, what was measured is not what is served.
"""

from __future__ import annotations

import numpy as np

from regraft.prompts.live import Event
from regraft.strategies.contender import Contender
from regraft.workbench import Workbench

REQUESTS = 50  # asked at most
ROWS = 2_000  # of the day that a server is told at most: every row moves all facts


def asked_twice(bench: Workbench, contender: Contender, period: int) -> tuple[np.ndarray, np.ndarray]:
    """(trainer's, server's) log-odds of the same examples of a period.

    The server knows what was known when the period began and is told its rows one by one, as it would have been on
    the day; rows of one instant are told after the questions of that instant. None where the period has no examples.
    """
    stream = bench.stream
    begin, end = np.searchsorted(stream.period, [period, period + 1])
    last = min(int(end), int(begin) + ROWS)
    cases = stream.cases(period)
    cases = cases.only(cases.targets < last)
    cases = cases.only(np.unique(np.linspace(0, len(cases) - 1, REQUESTS).astype(int)) if len(cases) else slice(0))
    if not len(cases):
        return np.zeros(0), np.zeros(0)
    live = bench.live(stream.until(period), cases.items)
    place = {row: k for k, row in enumerate(cases.targets.tolist())}
    rows = np.arange(begin, max(place) + 1)
    users = stream.user_ids.gather(stream.user[rows]).to_list()
    items = stream.items["item_id"].gather(stream.item[rows]).to_list()
    known, times, labels = (column[rows].tolist() for column in (stream.known_at, stream.time, stream.label))
    answered = np.empty(len(cases))
    for instant in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(known)) + 1):
        for k in instant.tolist():
            if (found := place.get(int(rows[k]))) is not None:
                answered[found] = contender.score_request(live.request(users[k], [items[k]], known[k]))[0]
        for k in instant[stream.happened[rows[instant]]].tolist():
            live.take(Event(users[k], items[k], times[k], labels[k]), known[k])
    return np.asarray(contender.score(cases), dtype=np.float64), answered
