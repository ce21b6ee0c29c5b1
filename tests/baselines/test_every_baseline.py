"""What holds for every baseline in the list of plug-ins, whatever its idea."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from regraft import plugins
from regraft.data.regimes import Regime
from regraft.errors import DataError
from regraft.metrics.binary import auc
from regraft.setup.config import ContenderOptions, plugin
from regraft.testing._ground import learnable, small_stream
from regraft.testing.check_baseline import check_baseline

every_baseline = pytest.mark.parametrize("name", plugins.names("baselines"))


def made(name: str, regime: Regime | None = None) -> Any:
    return plugin(ContenderOptions(use=name))(regime or Regime(), 0)


def test_the_list_holds_every_baseline_and_nothing_else() -> None:
    assert plugins.names("baselines") == ["boosting", "content", "item-knn", "popularity", "rates", "stack"]


@every_baseline
def test_a_baseline_keeps_the_contract_under_every_regime(name: str) -> None:
    check_baseline(plugin(ContenderOptions(use=name)))


@pytest.mark.parametrize("similarity", ["none", "columns"])
@pytest.mark.parametrize("name", ["content", "stack"])
def test_a_baseline_that_compares_texts_keeps_the_contract_with_any_similarity(name: str, similarity: str) -> None:
    found = plugin(ContenderOptions(use=name))

    def make(regime: Regime, seed: int) -> Any:
        return found(regime, seed, similarity=similarity)

    check_baseline(make, regimes=("fresh", "delayed 6h"))


@every_baseline
def test_a_baseline_learns_from_a_single_period(name: str) -> None:
    stream, baseline = small_stream(), made(name)
    baseline.renew(learnable(stream, 1))
    assert np.isfinite(baseline.score(stream.cases(2))).all()


@every_baseline
@pytest.mark.parametrize("label", [0, 1])
def test_examples_of_one_label_are_refused_in_words(name: str, label: int) -> None:
    past = learnable(small_stream(), 4)
    with pytest.raises(DataError, match="examples, all with one label\nExpected likes and dislikes to learn from"):
        made(name).renew(past.only(past.labels == label))


@every_baseline
def test_the_cost_says_how_long_it_took_and_what_must_be_stored(name: str) -> None:
    past = learnable(small_stream(), 4)
    cost = made(name).renew(past).cost
    assert cost.cpu_seconds > 0 and cost.wall_seconds > 0 and cost.peak_memory > 0
    assert cost.stored_interactions == (len(past.items) if name == "popularity" else len(past.time))
    assert cost.tokens_forward == cost.tokens_backward == 0


@every_baseline
def test_a_baseline_says_in_one_line_what_it_is(name: str) -> None:
    (found,) = [p for p in plugins.plugins("baselines") if p.name == name]
    assert found.problem == ""
    assert 20 < len(found.summary) <= 120


# Popularity is left out: in this world what is popular is shown to everybody, liked or not.
@pytest.mark.parametrize("name", sorted({*plugins.names("baselines")} - {"popularity"}))
def test_a_baseline_knows_more_than_chance(name: str) -> None:
    stream, baseline = small_stream(), made(name)
    baseline.renew(learnable(stream, 5))
    cases = stream.cases(6)
    assert auc(cases.labels, baseline.score(cases)) > 0.55
