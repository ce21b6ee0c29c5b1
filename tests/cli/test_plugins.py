"""`regraft plugins`: what can be chosen by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.door import regraft


def test_everything_is_listed_with_its_kind_and_summary(tmp_path: Path) -> None:
    heard = regraft("plugins", at=tmp_path)
    assert heard.code == 0
    for words in ("readers", "movielens-1m", "replay", "boosting", "judge-timeline-ja", "item_rate"):
        assert words in heard.out
    assert "problem" not in heard.out


@pytest.mark.parametrize("kind", ["readers", "strategies", "baselines", "templates", "facts"])
def test_a_kind_is_listed_alone_and_every_line_says_what_it_is(kind: str, tmp_path: Path) -> None:
    told = json.loads(regraft("plugins", kind, "--json", at=tmp_path).out)
    assert len(told) > 3
    assert {one["kind"] for one in told} == {kind}
    assert all(one["summary"] and not one["problem"] for one in told)


def test_a_kind_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    heard = regraft("plugins", "models", at=tmp_path)
    assert heard.code == 2
    assert heard.err == (
        "plug-ins: 'models': there is no such kind\n"
        "Expected one of readers, strategies, baselines, checks, candidates, similarities, templates, facts\n"
    )
