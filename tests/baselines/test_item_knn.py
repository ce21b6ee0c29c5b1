"""In the checkerboard everybody likes the items of their own colour, and about half of all verdicts are likes."""

from __future__ import annotations

import numpy as np
import pytest

from regraft.baselines.item_knn import ItemKnn
from regraft.baselines.rates import Rates
from regraft.data.periods import Periods
from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from worlds import tiny_stream

USERS, ITEMS, DAYS = 80, 24, 5


def checkerboard(seed: int = 0) -> Stream:
    """Day by day every user judges two more items; the pair of the last day, one of each colour, is withheld.

    Colours of users and the items they meet are drawn, so that rates of items and users tell nothing.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user, colour in enumerate(rng.integers(2, size=USERS)):
        last = [int(rng.integers(ITEMS // 2)) * 2, int(rng.integers(ITEMS // 2)) * 2 + 1]
        others = rng.permutation(np.setdiff1d(np.arange(ITEMS), last))[: 2 * (DAYS - 1)]
        for place, item in enumerate([*others, *rng.permutation(last)]):
            sign = "+" if (colour + item) % 2 == 0 else "-"
            rows.append((place // 2 * 86_400 + user, f"u{user}:i{item}{sign}"))
    return tiny_stream(
        " ".join(f"{text}@{at}" for at, text in sorted(rows, key=lambda row: row[0])),
        Periods(by="calendar", every="1d"),
    )


def first_share(baseline: ItemKnn | Rates, stream: Stream) -> float:
    """How often the withheld liked item of a user comes before the withheld disliked one."""
    baseline.renew(stream.until(DAYS))
    cases = stream.cases(DAYS)
    scores = baseline.score(cases)
    liked = {int(u): s for u, s, y in zip(cases.users, scores, cases.labels, strict=True) if y}
    other = {int(u): s for u, s, y in zip(cases.users, scores, cases.labels, strict=True) if not y}
    assert len(liked) == len(other) == USERS
    return float(np.mean([liked[u] > other[u] for u in liked]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("regime", ["fresh", "delayed 12h", "frozen", "paper"])
def test_the_withheld_liked_item_comes_first_for_everybody(seed: int, regime: str) -> None:
    assert first_share(ItemKnn(Regime.parse(regime)), checkerboard(seed)) == 1.0


def test_rates_alone_cannot_tell_in_this_world() -> None:
    assert 0.2 < np.mean([first_share(Rates(Regime()), checkerboard(seed)) for seed in range(3)]) < 0.8
