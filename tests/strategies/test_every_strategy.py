"""What holds for every strategy in the list of plug-ins, whatever its rule."""

from __future__ import annotations

from typing import Any

import pytest

from regraft import plugins
from regraft.setup.config import ContenderOptions, plugin
from regraft.testing.check_strategy import check_strategy

OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("analytic", {"offset": "stack", "half_life": 1.0}),
    ("analytic", {"ridge": 10.0, "window": 2}),
    ("never", {"bare": True}),
    ("full-retrain", {"periods": 2}),
    ("fine-tune", {"keep_old": False}),
    ("replay", {"buffer": 60, "how": "recency"}),
    ("replay", {"buffer": 60, "how": "user-balanced"}),
    ("replay", {"share": 0.0, "keep_old": False}),
    ("lsat-ensemble", {"weight": 0.3}),
    ("lsat-merge", {"how": "lsat-paper"}),
    ("lsat-merge", {"rank": 1}),
    ("reptile", {"step": 1.0}),
]


def test_the_list_holds_every_strategy_and_nothing_else() -> None:
    assert plugins.names("strategies") == [
        "analytic", "fine-tune", "full-retrain", "full-retrain-pair", "lsat-ensemble", "lsat-merge", "never", "replay",
        "reptile", "short-term",
    ]  # fmt: skip


@pytest.mark.parametrize("name", plugins.names("strategies"))
def test_a_strategy_keeps_the_contract(name: str) -> None:
    check_strategy(plugin(ContenderOptions(use=name)))


@pytest.mark.parametrize("name", plugins.names("strategies"))
def test_another_seed_keeps_it_too(name: str) -> None:
    check_strategy(plugin(ContenderOptions(use=name)), seed=11)


@pytest.mark.parametrize(("name", "settings"), OTHERS)
def test_other_settings_keep_it_too(name: str, settings: dict[str, Any]) -> None:
    check_strategy(plugin(ContenderOptions(use=name, settings=settings)))


@pytest.mark.parametrize("name", plugins.names("strategies"))
def test_a_setting_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(Exception, match="no_such_setting: Extra inputs are not permitted"):
        plugin(ContenderOptions(use=name, settings={"no_such_setting": 1}))


@pytest.mark.parametrize("name", plugins.names("strategies"))
def test_a_strategy_says_in_one_line_what_it_is(name: str) -> None:
    (found,) = [p for p in plugins.plugins("strategies") if p.name == name]
    assert found.problem == ""
    assert 20 < len(found.summary) <= 120
