"""A template's way from a file to the trainer: what is saved is what is learnt from, and old versions keep theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from regraft.errors import StateError, TemplateError
from regraft.prompts.template import Template
from regraft.release.update import update
from regraft.setup.config import ContenderOptions
from regraft.state import templates, versions
from regraft.state.database import transaction
from regraft.studio import shelf
from regraft.workbench import CONTENDER, Workbench
from studio.conftest import DRAFT, Studio


def test_what_is_saved_is_the_file_to_the_byte(studio: Studio, draft: Path) -> None:
    saved = shelf.save(studio.site, draft, "Mia")
    assert (saved.state, saved.name, saved.hash) == ("draft", "mine", Template.load(draft).hash)
    assert (studio.folder / saved.file).read_bytes() == draft.read_bytes()
    assert shelf.save(studio.site, draft, "Mia") == saved


def test_a_template_that_cannot_be_rendered_is_not_saved(studio: Studio, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs.jinja"
    loop = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    hangs.write_text(DRAFT.replace("{{ item.title }}", "{{ item.title }}{% if item.maker %}" + loop + "{% endif %}"))
    with pytest.raises(TemplateError, match="was stopped"):
        shelf.save(studio.site, hangs, "Mia")
    assert shelf.shelf(studio.site) == []


def test_a_template_with_an_error_is_not_approved(studio: Studio, tmp_path: Path) -> None:
    leaks = tmp_path / "leaks.jinja"
    leaks.write_text(DRAFT.replace("{{ item.title }}", "{{ item.title }} Yes"))
    saved = shelf.save(studio.site, leaks, "Mia")
    with pytest.raises(TemplateError, match="its own text says 'Yes'"):
        shelf.approve(studio.site, saved.id, "Bo")
    assert shelf.shelf(studio.site)[0].saved.state == "draft"


def test_the_shelf_says_who_did_what(studio: Studio, draft: Path) -> None:
    number = shelf.save(studio.site, draft, "Mia").id
    shelf.approve(studio.site, number, "Mia")
    shelf.put_live(studio.site, number, "Bo")
    (one,) = shelf.shelf(studio.site)
    assert (one.saved.state, one.by(templates.WAS_APPROVED), one.by(templates.WENT_LIVE)) == ("live", "Mia", "Bo")
    assert one.own_approval
    assert [entry.kind for entry in one.entries] == ["template saved", "template approved", "template live"]


def test_a_diff_is_against_the_template_in_use(studio: Studio, draft: Path) -> None:
    lines = shelf.diff(studio.site, str(draft))
    assert lines[:2] == ["--- judge-timeline-facts", "+++ mine"]
    assert "+{# What a test saves. #}" in lines
    assert shelf.diff(studio.site, "judge-timeline-facts") == []


def analytic_versions(studio: Studio) -> list[versions.Version]:
    with transaction(studio.site.engine) as connection:
        return [v for v in versions.listed(connection) if v.contender == "analytic"]


def test_the_next_update_learns_from_the_live_template_and_the_old_version_reads_its_own(
    studio: Studio, draft: Path
) -> None:
    number = shelf.save(studio.site, draft, "Mia").id
    shelf.approve(studio.site, number, "Bo")
    saved = shelf.put_live(studio.site, number, "Bo").saved
    (options,) = studio.site.options.challengers
    assert options.template == saved.file
    studio.world.ingest(studio.next_day)
    outcome = update(studio.site)
    assert "analytic" in outcome.judged  # what is in use until now is judged on the day all the same
    old, new = analytic_versions(studio)
    assert ContenderOptions.model_validate(old.lineage["contender"]).template is None
    assert ContenderOptions.model_validate(new.lineage["contender"]).template == saved.file
    assert new.lineage["parent"] is None  # it began anew
    site = studio.site
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    bench = Workbench(site, site.stream(cuts))
    read = [bench.released(version).lab.workshop.encoder.template.hash for version in (old, new)]
    assert read == [Template.load("judge-timeline-facts").hash, saved.hash]
    blend = site.versions / new.name / CONTENDER / "contender.json"
    assert json.loads(blend.read_text())["use"] == "analytic"


def test_a_saved_file_that_was_edited_is_not_learnt_from(studio: Studio, draft: Path) -> None:
    number = shelf.save(studio.site, draft, "Mia").id
    shelf.approve(studio.site, number, "Bo")
    saved = shelf.put_live(studio.site, number, "Bo").saved
    place = studio.folder / saved.file
    place.write_text(DRAFT.replace("clicked", "bought"))
    with pytest.raises(StateError) as caught:
        studio.site.template(saved.file)
    assert str(caught.value) == (
        f"file '{place}': is not the text that was saved as template 1 'mine'\nExpected a file that nobody edits\n"
        f"Save what it holds as a new draft: regraft prompt save {studio.folder} {place}"
    )
    place.unlink()
    assert studio.site.template(saved.file).hash == saved.hash  # the database has it


def test_an_arena_on_the_site_reads_the_live_template_too(studio: Studio, draft: Path) -> None:
    from regraft.arena.of_site import site_config

    number = shelf.save(studio.site, draft, "Mia").id
    shelf.approve(studio.site, number, "Bo")
    saved = shelf.put_live(studio.site, number, "Bo").saved
    found = {one.label: one.template for one in site_config(studio.folder).contenders}
    assert found["analytic"] == str((studio.folder / saved.file).resolve())
    assert found["popularity"] is None
