"""The staff member's way by command: suggest, look, check, save, compare, try, approve, use."""

from __future__ import annotations

import json
from pathlib import Path

from cli.door import regraft
from studio.conftest import Studio


def test_a_template_goes_from_a_suggestion_into_use(studio: Studio, tmp_path: Path) -> None:
    def said(*words: object, code: int = 0) -> str:
        heard = regraft("prompt", *words, at=tmp_path)
        assert heard.code == code, heard.out + heard.err
        return heard.out if code == 0 else heard.err

    site = studio.folder
    assert "{{ item.genres }}" in said("fields", site)
    assert said("suggest", site).startswith("{# Suggested from the columns title, ")
    assert "mine.jinja is written" in said("suggest", site, "--out", "mine.jinja")
    looked = said("preview", "-c", site, "--template", "mine.jinja")
    assert "◀ read here" in looked and " tokens:" in looked and "1,000 lists cost about" in looked
    checked = said("lint", "mine.jinja", "-c", site)
    assert "any block" in checked  # tokens, by the base model of the site
    assert checked.splitlines()[-1].startswith("0 errors, 0 warnings")
    saved = said("save", site, "mine.jinja", "--by", "Mia")
    assert saved.startswith(f"Template 1 is draft: {site / 'templates' / 'mine-0001.jinja'}, hash ")
    assert "In use: judge-timeline-facts, as regraft.yaml says." in said("versions", site)
    assert said("diff", site, "1").startswith("--- judge-timeline-facts\n+++ mine-0001\n")
    found = json.loads(said("test", site, "1", "--examples", "60", "--json"))
    assert found["rows"] == 60 and found["verdict"] in ("better", "worse", "open")
    assert "Approve it with: regraft prompt approve" in said("live", site, "1", "--by", "Bo", code=2)
    assert said("approve", site, "1", "--by", "Mia").startswith(
        "Template 1 is approved by Mia. Its author approved it: nobody else has looked."
    )
    assert "analytic will learn from it at the next update" in said("live", site, "1", "--by", "Bo")
    (line,) = json.loads(said("versions", site, "--json"))
    assert (line["state"], line["author"], line["approved by"], line["put live by"]) == ("live", "Mia", "Mia", "Bo")
    assert len(line["ledger"].split(", ")) == 3


def test_a_log_that_is_no_site_yet_gets_a_suggestion(studio: Studio, tmp_path: Path) -> None:
    log = studio.world.write("fresh", studio.world.rows)
    heard = regraft("prompt", "suggest", log, "--lang", "ja", at=tmp_path)
    assert heard.code == 0, heard.err
    assert "{% block yes %} はい" in heard.out


def test_a_template_that_hangs_is_told_and_not_saved(studio: Studio, tmp_path: Path) -> None:
    loop = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    (tmp_path / "hangs.jinja").write_text(
        "{% block head %}x\n{% endblock %}{% block event %}{{ item.title }}" + loop + "{% endblock %}"
        "{% block yes %} Yes\n{% endblock %}{% block no %} No\n{% endblock %}"
    )
    heard = regraft("prompt", "save", studio.folder, "hangs.jinja", "--by", "Mia", at=tmp_path)
    assert heard.code == 2
    assert "was stopped" in heard.err and "Take out loops" in heard.err
    assert json.loads(regraft("prompt", "versions", studio.folder, "--json", at=tmp_path).out) == []
