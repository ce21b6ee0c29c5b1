"""Item-item nearest neighbours on residuals, in a logistic with the item's rate and the user's leaning.

The neighbour vote itself (data/neighbours.py) has no fitted part; its weight is refitted at every renewal.
"""

from __future__ import annotations

from regraft.baselines.on_facts import OnFacts


class ItemKnn(OnFacts):
    name, rung, columns = "item-knn", "neighbours", ("item_rate", "user_lean", "kin")
