"""Writes the generated pages of the documentation: `python -m regraft.cli.reference [FOLDER]`.

cli.md is taken from the commands themselves, plugins.md from the plug-ins, templates and facts, files.md from the
first sentence of every module, metrics.md and metrics.ja.md from the docstrings of measures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regraft import plugins
from regraft.cli.catalogue import entries
from regraft.errors import RegraftError
from regraft.files import write_text
from regraft.output_paths import output
from regraft.report.measure_page import measure_page

MARK = "Made by `python -m regraft.cli.reference`"
MADE = f"<!-- {MARK}; changes made here are lost. -->\n"


def pages() -> dict[str, str]:
    """File name and text of every generated page."""
    return {
        "cli.md": cli_page(), "plugins.md": plugins_page(), "files.md": files_page(),
        "metrics.md": measure_page("en", MADE), "metrics.ja.md": measure_page("ja", MADE),
    }  # fmt: skip


def write(folder: Path) -> list[Path]:
    """Writes the pages that are not up to date; returns those."""
    changed = []
    for name, text in pages().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(output(path, force=None, mark=MARK), text)
            changed.append(path)
    return changed


# -- the command line ------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    """Every command by its full name ("regraft data inspect"), in the order of the help."""
    import typer

    from regraft.cli.main import app

    return dict(_leaves(typer.main.get_command(app), "regraft"))


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
        return
    for key, one in inner.items():
        yield from _leaves(one, f"{name} {key}")


def cli_page() -> str:
    """All commands with their arguments and options."""
    found = commands()
    parts = ["# Commands\n", MADE, "| command | |\n|---|---|"]
    parts += [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(_first(command.help))} |" for name, command in found.items()
    ]
    parts.append(
        "\nExit codes: 0 done; 1 done, but something is wrong with what was looked at; 2 it could not be done, "
        "and the message says what to do next; 70 a fault of regraft, please report it; 130 stopped with Ctrl-C, finished steps are kept.\n"
    )
    return "\n".join([*parts, *(_command(name, command) for name, command in found.items())])


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden and p.name != "help"]
    words = [f"{_metavar(p)}" if p.required else f"[{_metavar(p)}]" for p in arguments]
    words += [f"{_names(p)[0]} {p.metavar}" for p in options if p.required]
    usage = " ".join([name, *words, *(["[OPTIONS]"] if any(not p.required for p in options) else [])])
    lines = [f"## {name}\n", f"```\n{usage}\n```\n", f"{' '.join(command.help.split())}\n"]
    if arguments or options:
        lines.append("| | | default |\n|---|---|---|")
        lines += [f"| `{_metavar(p)}` | {_cell(p.help)} | {_default(p)} |" for p in arguments]
        lines += [f"| {_cell(_spelled(p))} | {_cell(p.help)} | {_default(p)} |" for p in options]
        lines.append("")
    return "\n".join(lines)


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _names(parameter: Any) -> list[str]:
    """--config before -c"""
    return sorted(parameter.opts, key=len, reverse=True)


def _spelled(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*_names(parameter), *parameter.secondary_opts])
    if parameter.is_flag:
        return names
    choices = getattr(parameter.type_descriptor, "choices", None)
    spelled = "|".join(str(getattr(c, "value", c)) for c in choices) if choices else ""
    value = spelled or parameter.metavar or parameter.name.upper()
    return f"{names} `{value}`"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = getattr(parameter.default, "value", parameter.default)
    if value is None or value is False or value in ("", [], ()):
        return ""
    if parameter.secondary_opts:  # a switch that is on says its name, as does one of several values
        return f"`{_names(parameter)[0]}`"
    return f"`{', '.join(map(str, value))}`" if isinstance(value, list | tuple) else f"`{value}`"


def _first(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


# -- plug-ins --------------------------------------------------------------------------------------


def plugins_page() -> str:
    """Readers, strategies, baselines, templates and facts, with the settings of strategies and baselines."""
    parts = ["# What can be chosen by name\n", MADE]
    about = {
        "readers": "Formats of logs. The content decides which one reads a file; `data.reader` overrules it.",
        "strategies": "Rules that renew adapters when a period closes: `contenders` of the configuration.",
        "baselines": "Contenders without a language model, on the same rows.",
        "similarities": "How content facts and baselines compare item texts: `similarity` of the configuration.",
        "checks": "What the gate looks at before a day is learnt from and before a version is served: `gate` of a site.",
        "candidates": "Where the items come from that a site scores for a request.",
        "templates": "Prompts shipped with regraft: `template` of the configuration, or a file of your own.",
        "facts": "Numbers a template may print, `{{ facts.NAME }}`, each as of the event.",
    }
    for kind, words in about.items():
        settings = kind in ("strategies", "baselines", "checks")
        parts += [f"## {kind}\n", f"{words}\n", "| name | |" + (" settings |" if settings else "")]
        parts.append("|---|---|" + ("---|" if settings else ""))
        for entry in entries(kind):
            last = f" {_settings(kind, entry.name)} |" if settings else ""
            parts.append(f"| `{entry.name}` | {_cell(entry.summary)} |{last}")
        parts.append("")
    parts.append(
        "A new one of the first six kinds is one new file in its folder, named like the plug-in, or an entry point of "
        "another package in the group `regraft.KIND`, e.g. `regraft.strategies`. A template is a `.jinja` file that is "
        "named by its path; a fact is one entry in `prompts/facts.py`.\n"
    )
    return "\n".join(parts)


def _settings(kind: str, name: str) -> str:
    """`share` = 0.3, `memory` = 20000"""
    import inspect

    found = plugins.plugin_class(kind, name)
    if kind in ("strategies", "checks"):
        given = {key: field.default for key, field in found.model_fields.items()}
    else:
        given = {
            key: p.default for key, p in inspect.signature(found).parameters.items() if key not in ("regime", "seed")
        }
    return _cell(", ".join(f"`{key}` = {_value(value)}" for key, value in given.items()))


def _value(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# -- files -----------------------------------------------------------------------------------------

LEVELS = (
    ("",),
    ("data", "data/readers", "metrics", "state"),
    ("prompts", "prompts/similarity"),
    ("baselines", "lm", "lm/tasks", "lm/trunk", "lm/fast"),
    ("strategies", "setup", "report"),
    ("release", "release/checks"),
    ("arena", "pilot", "privacy", "serving", "serving/candidates", "studio", "testing"),
    ("dashboard", "dashboard/pages", "dashboard/words"),
    ("cli",),
)


def files_page() -> str:
    """Every room and every file with its first sentence, lowest level first."""
    import regraft

    root = Path(regraft.__file__).parent
    parts = ["# Map of files\n", MADE, "Imports go to lower levels only; `workbench` stands between 4 and 5.\n"]
    for level, rooms in enumerate(LEVELS):
        for room in rooms:
            files = sorted(path for path in (root / room).glob("*.py") if not path.name.startswith("__"))
            parts.append(f"## {level} `{room or 'regraft'}`\n\n{_sentence(root / room / '__init__.py')}\n")
            parts.append("| file | |\n|---|---|")
            parts += [f"| `{path.name}` | {_cell(_sentence(path))} |" for path in files]
            parts.append("")
    return "\n".join(parts)


def _sentence(path: Path) -> str:
    import ast

    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    try:
        for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
            print(written)
    except RegraftError as error:
        sys.exit(str(error))
