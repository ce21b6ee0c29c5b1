"""A contender may read its prompts with a template of its own, beside the others and on the same rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from arena.small_runs import SMALL_BASE, config, described, run
from regraft.arena.compare import Arena
from regraft.arena.plan import plan_run
from regraft.errors import ConfigError, ResultsError
from regraft.setup.config import ArenaConfig

PLAIN = {"use": "never", "name": "plain", "template": "judge-timeline"}


def test_contenders_with_other_prompts_are_compared_on_the_same_rows(tmp_path: Path):
    arena = run(tmp_path / "run", config(["never", PLAIN, "rates"], last_update=2, **SMALL_BASE))
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet")
    mine = {name: scores.filter(pl.col("contender") == name).sort("case") for name in ("never", "plain")}
    assert mine["never"]["case"].to_list() == mine["plain"]["case"].to_list()
    assert mine["never"]["score"].to_list() != mine["plain"]["score"].to_list()
    alone = run(tmp_path / "alone", config(["never"], last_update=2, **SMALL_BASE))
    expected = pl.read_parquet(alone.folder / "scores.parquet").sort("case")
    assert mine["never"]["score"].to_list() == expected["score"].to_list()
    assert arena.factory.workshop_of(arena.config.contenders[0]) is arena.factory.workshop
    assert arena.factory.workshop_of(arena.config.contenders[1]).base is arena.factory.workshop.base
    by_name = {line.contender: line for line in plan_run(arena).lines}
    assert 0 < by_name["plain"].trained < by_name["never"].trained  # no facts: fewer tokens


def test_a_run_that_was_killed_and_finished_without_its_base_still_says_which_it_was(tmp_path: Path):
    found = config(["never", "rates"], last_update=2, **SMALL_BASE)
    first = Arena(found, tmp_path)
    next(first.run())  # and killed before its results are gathered
    assert not (tmp_path / "run.json").exists()
    run(tmp_path, found)
    assert described(first)["base"]["objective"] == "labels"


def test_a_template_file_beside_the_configuration_is_found(tmp_path: Path):
    (tmp_path / "mine.jinja").write_text("{% block event %}{{ item.title }}{% endblock %}")
    (tmp_path / "run.yaml").write_text(
        "data: {path: log.csv}\ncontenders: [{use: never, name: mine, template: mine.jinja}, rates]\n"
    )
    found = ArenaConfig.read(tmp_path / "run.yaml")
    assert found.contenders[0].template == str(tmp_path / "mine.jinja")


def test_a_baseline_reads_no_prompts():
    with pytest.raises(ConfigError, match="a baseline reads no prompts"):
        config([{"use": "rates", "template": "judge-timeline"}])


def test_a_name_keeps_its_template(tmp_path: Path):
    run(tmp_path, config([{**PLAIN}], last_update=2, **SMALL_BASE))
    with pytest.raises(ResultsError, match="contender plain"):
        run(tmp_path, config([{**PLAIN, "template": "judge-timeline-facts"}], last_update=2, **SMALL_BASE))
