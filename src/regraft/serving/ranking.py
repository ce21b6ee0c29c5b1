"""A list for one person: what the sources propose, scored by the version and put in order, with a reason in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import numpy as np

from regraft.data.history import History
from regraft.prompts.fact_state import Reasons
from regraft.serving.candidates.protocol import Candidates
from regraft.serving.loaded import Loaded
from regraft.serving.standing import Data

CANDIDATES = 100  # of all sources together: what a request scores
ALIKE = 0.3  # similarity of texts from which on two items are called alike
AGREE = 0.05  # `kin` from which on it is said that people with the same taste liked an item
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Recommended:
    """One item of a list: `score` is a log-odds, `why` its facts in words."""

    item: str
    score: float
    why: str


def ranked(data: Data, loaded: Loaded, user: str, n: int, now: int, repeat: bool = False) -> tuple[Recommended, ...]:
    """The `n` best items for a person (uid or pseudonym) at `now` (ms), best first.

    Items that the person knows are left out, but for `repeat`.
    """
    live = data.live
    history, known = live.history(user), set() if repeat else live.seen(user)
    offered = candidates(data, history, known, max(n, CANDIDATES))
    if not offered:
        return ()
    request = live.request(user, offered, now)
    scores = loaded.score(request)
    best = np.argsort(-scores, kind="stable")[:n].tolist()
    kin = None if request.facts is None else request.facts["kin"].to_numpy()
    reasons = live.facts.reasons(user, [offered[k] for k in best], request.time, ALIKE)
    return tuple(
        Recommended(offered[k], float(scores[k]), in_words(reasons, place, 0.0 if kin is None else float(kin[k])))
        for place, k in enumerate(best)
    )


def candidates(data: Data, history: History, known: set[str], n: int) -> list[str]:
    """At most `n` items that the person does not know yet, each once, from all sources in turn."""
    return in_turn([_unknown(data, source, history, known, n) for source in data.sources.values()], n)


def in_turn(proposed: Iterable[Sequence[str]], n: int) -> list[str]:
    """At most `n` items, each once: the first of each list, the second of each, and so on."""
    items = (item for places in zip_longest(*proposed) for item in places if item is not None)
    return list(islice(dict.fromkeys(items), n))


def _unknown(data: Data, source: Candidates, history: History, known: set[str], n: int) -> list[str]:
    proposed = source.of(history, n + len(known))
    return list(islice((item for item in proposed if item not in known and data.live.knows(item)), n))


def in_words(reasons: Reasons, place: int, kin: float = 0.0) -> str:
    """Why the item at this place is shown, in counts that anyone can check.

    "liked by 74 % of 1.2k; like three that you liked". A log without dislikes tells how often an item was chosen.
    """
    seen, liked, alike = int(reasons.seen[place]), int(reasons.liked[place]), int(reasons.alike[place])
    if not seen:
        said = ["new here"]
    elif reasons.implicit:
        said = [f"chosen {_short(seen)} times" if seen > 1 else "chosen once"]
    else:
        said = [f"liked by {liked / seen:.0%}".replace("%", " %") + f" of {_short(seen)}"]
    if alike:
        said.append(f"like {NUMBERS[alike - 1] if alike <= len(NUMBERS) else _short(alike)} that you liked")
    elif kin > AGREE:
        said.append("liked by those who like what you like")
    return "; ".join(said)


def _short(count: int) -> str:
    """999, 1.2k"""
    return f"{count / 1000:.1f}k" if count >= 1000 else str(count)
