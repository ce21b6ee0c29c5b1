"""Two numbers in a logistic regression: the item's like-rate and the user's recent share of likes."""

from __future__ import annotations

from regraft.baselines.on_facts import OnFacts


class Rates(OnFacts):
    name, rung, columns = "rates", "rates", ("item_rate", "recent")
