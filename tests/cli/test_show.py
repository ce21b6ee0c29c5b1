"""What the screen shows of facts: the answer of `regraft why`."""

from __future__ import annotations

import yaml

from cli.door import regraft
from regraft.cli.show import facts
from site_world import SiteWorld

FOUND = {
    "version": "shop-v000001", "contender": {"use": "stack", "settings": {}}, "saw_nothing_from": "2025-01-18",
    "findings": ["pass: volume: fine", "pass: late: fine"], "aliases": [], "parent": None, "closes": [1, 2, 3],
    "batches": [{"batch": 1, "source": "a.csv"}, {"batch": 2, "source": "b.csv"}], "cost": {},
    "settings": {"data": {"label": 'event == "click"', "words": ["好き", "x: y"]}, "database": None},
}  # fmt: skip


def test_facts_stand_first_and_settings_behind_them_one_a_line() -> None:
    assert list(facts(FOUND)) == [
        "version           shop-v000001",
        "saw nothing from  2025-01-18",
        "findings          pass: volume: fine",
        "                  pass: late: fine",
        "aliases           -",
        "parent            None",
        "closes            1, 2, 3",
        "batches           batch 1, source a.csv",
        "                  batch 2, source b.csv",
        "cost              {}",
        "contender",
        "  use: stack",
        "  settings: {}",
        "settings",
        "  data:",
        '    label: event == "click"',
        "    words:",
        "    - 好き",
        "    - 'x: y'",
        "  database: null",
    ]


def test_why_prints_the_settings_of_a_version_as_yaml_that_can_be_read_back(world: SiteWorld) -> None:
    heard = regraft("why", world.site.folder, "shop-v000001", at=world.folder)
    assert heard.code == 0, heard.err
    lines = heard.out.splitlines()
    assert lines[0] == "version           shop-v000001" and max(map(len, lines)) <= 160
    assert "verdict           promoted" in lines[:12]
    read = yaml.safe_load(heard.out.split("\nsettings\n")[1])
    assert read["data"]["label"] == 'event == "click"' and read["name"] == "shop"
