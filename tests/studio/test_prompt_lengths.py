"""How long the prompts of a template are, and whose histories it cuts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli.door import regraft
from regraft.setup.prompting import Desk
from regraft.studio.prompt_lengths import BARS, lengths_of, prompt_lengths
from regraft.studio.reading import reading
from studio.conftest import Studio


def test_a_prompt_counts_as_the_preview_counts_it(studio: Studio, draft: Path) -> None:
    desk = Desk.at(studio.folder, str(draft))
    found = prompt_lengths(desk)
    assert found is not None and found.prompts == len(desk.stream)  # so few that all are looked at
    tokens = sorted(len(reading(desk, example=k).tokens.tokens) for k in range(0, found.prompts, 97))
    assert found.bars[0].low <= tokens[0] and tokens[-1] <= found.longest
    assert sum(bar.prompts for bar in found.bars) == found.prompts


def test_a_history_is_truncated_where_its_first_event_is_not_read(studio: Studio, draft: Path) -> None:
    desk = Desk.at(studio.folder, str(draft))
    found = prompt_lengths(desk)
    assert found is not None
    order = desk.stream.order
    cut = [
        bool(read.history) and order.index[read.history[0]] > 0 for read in map(desk.preview, range(len(desk.stream)))
    ]
    assert found.truncated == pytest.approx(np.mean(cut)) and 0 < found.truncated < 1


@pytest.mark.parametrize("highest", [1, 7, 13, 119, 120, 121, 1300, 54_321])
def test_bars_hold_every_prompt_once_between_round_numbers(highest: int) -> None:
    tokens = np.arange(1, highest + 1)
    found = lengths_of("mine", tokens, np.zeros(highest, bool), tokens % 7)
    assert len(found.bars) <= BARS + 1
    assert sum(bar.prompts for bar in found.bars) == highest == found.longest
    widths = {bar.high - bar.low + 1 for bar in found.bars}
    assert len(widths) == 1 and str(widths.pop()).rstrip("0") in ("1", "2", "5")
    assert all(a.high + 1 == b.low for a, b in zip(found.bars, found.bars[1:], strict=False))


def test_half_of_the_prompts_take_the_median_or_fewer() -> None:
    found = lengths_of("mine", np.array([3, 1, 2, 100]), np.array([True, False, False, False]), np.array([1, 1, 2, 3]))
    assert (found.median, found.most, found.longest, found.truncated, found.people) == (3, 100, 100, 0.25, 3)


def test_the_command_shows_the_histogram(studio: Studio, draft: Path) -> None:
    heard = regraft("prompt", "lengths", "-c", studio.folder, "--template", draft, at=studio.folder)
    assert heard.code == 0, heard.err
    assert "█" in heard.out and "Truncated histories: " in heard.out
    told = json.loads(regraft("prompt", "lengths", "-c", studio.folder, "--json", at=studio.folder).out)
    assert told["template"] == "judge-timeline-facts" and told["prompts"] > told["people"] > 10


def test_without_a_base_model_the_command_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text('data: {drift_world: {users: 40, items: 20}, label: event == "click"}\n')
    heard = regraft("prompt", "lengths", "-c", "run.yaml", at=tmp_path)
    assert heard.code == 2 and "has no base model to count tokens with" in heard.err
