"""What a baseline says of a request is what it says of the same questions as rows of a stream."""

import numpy as np
import pytest

from regraft.data.history import History, Request
from regraft.data.regimes import Regime
from regraft.plugins import names, plugin_class
from regraft.prompts.facts import fact_table
from regraft.testing._ground import learnable, small_stream

LAST = 4


@pytest.mark.parametrize("name", names("baselines"))
def test_a_request_scores_as_its_rows_do(name):
    regime, stream = Regime("fresh"), small_stream()
    model = plugin_class("baselines", name)(regime, 0)
    model.renew(learnable(stream, LAST))
    cases = stream.cases(LAST + 1)
    of_rows = model.score(cases)
    similarity = getattr(model, "similarity", "none")
    table = fact_table(cases, regime, similarity=similarity)[cases.targets]
    for user in np.unique(cases.users)[:5]:
        mine = cases.users == user
        request = Request(
            History(cases.user_ids[int(user)]), cases.items[cases.item[cases.targets[mine]]], int(cases.time[-1]),
            table.filter(mine),
        )  # fmt: skip
        np.testing.assert_array_equal(model.score(request), of_rows[mine])
