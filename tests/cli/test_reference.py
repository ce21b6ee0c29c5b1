"""The generated pages of the documentation are up to date and complete."""

from __future__ import annotations

from pathlib import Path

from regraft.cli.reference import commands, pages

DOCS = Path(__file__).parents[2] / "docs"


def test_the_generated_pages_are_what_the_generator_writes_now() -> None:
    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"docs/{name} is stale: make docs"


def test_every_command_and_every_option_has_help() -> None:
    for name, command in commands().items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"
