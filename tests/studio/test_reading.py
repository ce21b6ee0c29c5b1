"""One person's prompt with what it costs, and nobody's name in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from regraft.setup.prompting import Desk
from regraft.studio.reading import people, reading
from studio.conftest import Studio


def test_a_preview_shows_tokens_cost_and_where_the_answer_is_read(studio: Studio, draft: Path) -> None:
    desk = Desk.at(studio.folder, str(draft))
    read = reading(desk)
    assert read.tokens is not None and read.cost is not None
    assert "".join(read.tokens.tokens).endswith(read.preview.text.rsplit("\n", 1)[1])
    assert read.cost.history + read.cost.candidate == len(read.tokens.tokens)
    assert read.cost.per_list == read.cost.history + 100 * read.cost.candidate
    assert read.cost.seconds_per_list > 0


def test_people_are_pseudonyms(studio: Studio) -> None:
    desk = Desk.at(studio.folder)
    found = people(desk)
    known = set(studio.world.rows["user_id"].to_list())
    assert found and not known & set(found)
    assert reading(desk, user=found[1], tokens=False).user == found[1]


def test_without_a_base_model_the_text_is_shown_all_the_same(studio: Studio, draft: Path) -> None:
    desk = Desk.at(studio.folder, str(draft))
    read = reading(desk, example=3, tokens=False)
    assert (read.tokens, read.cost, read.example) == (None, None, 3)
    assert read.preview.text.startswith("What one person clicked")


def test_a_run_is_looked_at_as_before(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text('data: {drift_world: {users: 40, items: 20}, label: event == "click"}\n')
    assert reading(Desk.at(tmp_path / "run.yaml"), example=0, tokens=False).preview.text


@pytest.mark.parametrize("template", ["1", "mine.jinja", "judge-brief"])
def test_a_site_finds_a_template_by_number_file_and_name(studio: Studio, draft: Path, template: str) -> None:
    from regraft.studio import shelf

    saved = shelf.save(studio.site, draft, "Mia")
    name = {"1": "mine-0001", "mine.jinja": "mine", "judge-brief": "judge-brief"}[template]
    wanted = str(draft) if template.endswith(".jinja") else template
    found = Desk.of_site(studio.site, wanted).template
    assert found.name == name
    assert (found.hash == saved.hash) == (template != "judge-brief")
