"""What a shop without a recommender shows: items in the order of their ids, the same to everybody."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regraft.cost import Cost, Renewal
from regraft.data.history import Request
from regraft.data.regimes import Regime
from regraft.data.stream import Stream


class CatalogueOrder:
    rung = "counts"

    def __init__(self, regime: Regime, seed: int = 0) -> None: ...

    def renew(self, past: Stream) -> Renewal:
        return Renewal(Cost())

    def score(self, cases: Stream | Request) -> np.ndarray:
        if isinstance(cases, Request):
            ids = cases.candidates["item_id"].to_list()
        else:
            ids = cases.items["item_id"].gather(cases.item[cases.targets]).to_list()
        return -np.array([float(one.lstrip("i")) for one in ids]) / 100

    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None: ...
