"""Every command that a message recommends works from the very state in which the message was given."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.door import Heard, regraft
from cli.test_outputs import CONFIG, write_shop

COMMAND = re.compile(r"\bregraft ((?:[a-z]+ ?)+[^\n]*)")
STATES = {  # what is asked, and what has to be filled into the advice
    "a folder without a run": (("arena", "report", "empty"), {"CONFIG": "c.yaml"}),
    "an unknown kind of plug-in": (("arena", "run", "-c", "unknown.yaml"), {}),
    "an unknown reader": (("data", "inspect", "x.interactions.csv", "--reader", "nix"), {}),
    "an unknown setting": (("arena", "run", "-c", "setting.yaml"), {}),
    "a fault of regraft": (("--debug", "plugins", "readers"), {}),
    "a log": (("data", "inspect", "x.interactions.csv"), {}),
    "a configuration": (("arena", "init", "x.interactions.csv", "--out", "new.yaml"), {}),
    "a simulated log": (("data", "simulate", "log", "--users", "30", "--items", "20"), {}),
    "a copied template": (("prompt", "copy", "judge-timeline", "copy.jinja"), {}),
    "a budget that is spent": (("arena", "run", "-c", "c.yaml", "--out", "short", "--budget", "0s"), {}),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shop(tmp_path_factory.mktemp("advice"))
    (folder / "empty").mkdir()
    (folder / "unknown.yaml").write_text(CONFIG.replace("[rates]", "[nix]"))
    (folder / "setting.yaml").write_text(CONFIG + "nix: 1\n")
    return folder


def advised(heard: Heard, filled: dict[str, str]) -> list[list[str]]:
    """The commands that a message names, as words."""
    found = [shlex.split(line.rstrip(".")) for line in COMMAND.findall(heard.out + heard.err)]
    return [[filled.get(word, word) for word in words] for words in found]


@pytest.mark.parametrize("state", STATES)
def test_the_command_that_is_advised_works(state: str, shop: Path) -> None:
    words, filled = STATES[state]
    commands = advised(regraft(*words, at=shop), filled)
    if state not in ("a fault of regraft", "an unknown kind of plug-in"):
        assert commands
    for command in commands:
        heard = regraft(*command, *(["--dry-run"] if command[:2] == ["arena", "run"] else []), at=shop)
        assert heard.code == 0, (command, heard.err)


def test_force_does_what_the_message_says(shop: Path) -> None:
    (shop / "mine.jsonl").write_text("notes")
    refused = regraft("export", "mine.jsonl", "-c", "c.yaml", at=shop)
    assert refused.err.endswith("replace it with --force\n")
    assert regraft("export", "mine.jsonl", "-c", "c.yaml", "--force", at=shop).code == 0


def test_another_folder_does_what_the_message_says(shop: Path) -> None:
    assert regraft("arena", "run", "-c", "c.yaml", "--out", "one", at=shop).code == 0
    (shop / "other.yaml").write_text(CONFIG.replace("n: 3", "n: 4"))
    refused = regraft("arena", "run", "-c", "other.yaml", "--out", "one", at=shop)
    assert (refused.code, refused.err.splitlines()[-1]) == (2, "Choose another folder with: --out DIR")
    assert regraft("arena", "run", "-c", "other.yaml", "--out", "two", at=shop).code == 0


def test_a_run_goes_on_as_the_message_of_a_damaged_cell_says(shop: Path) -> None:
    run = ("arena", "run", "-c", "c.yaml", "--out", "cells")
    assert regraft(*run, at=shop).code == 0
    next((shop / "cells").rglob("cost.json")).write_text("{")
    (shop / "cells" / "run.json").unlink()
    said = regraft("arena", "report", "cells", at=shop)
    assert said.code == 0 and "Run the arena again with the same command" in said.err
    again = regraft(*run, at=shop)
    assert again.code == 0 and "is worked out again" in again.err
    assert "not finished" not in regraft("arena", "report", "cells", at=shop).out
