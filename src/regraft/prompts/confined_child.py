"""The process that a confined template runs in (confined.py): it answers questions about one template, line by line.

Before it reads the template it gives up what a template never needs. The system holds its memory and processor time
and lets it open, write and start nothing; Python itself refuses every action outside a short list. Jinja2's sandbox
(template.py) stands before both.
"""

from __future__ import annotations

import importlib
import json
import math
import resource
import sys
import time
from typing import Any

from regraft.errors import RegraftError
from regraft.prompts.pieces import Slot
from regraft.prompts.template import Template
from regraft.said import Said

# What compiling and rendering need of Python's audited actions; any other is refused.
ALLOWED = frozenset({"compile", "exec", "code.__new__", "sys._getframe", "object.__getattr__", "builtins.id"})
LOADED_LATE = ("encodings.unicode_escape", "html", "jinja2.debug", "pprint", "textwrap")  # by Jinja2, on use
DEPTH = 400  # of Python's calls: less than the parent has, so that nothing that passes here overflows there
WARM_UP = (
    "{% block head %}h{% endblock %}{% block event %}{{ item.title }}{{ nothing }}{% endblock %}"
    "{% block yes %} y{% endblock %}{% block no %} n{% endblock %}"
)


class Refused(BaseException):
    """An action that no template needs. No Exception: nothing on the way to the answer takes it for its own."""


def serve(seconds: int, memory: int) -> None:
    """Reads questions from standard input until it ends. `seconds` of processor time each; `memory` in bytes."""
    _warm_up()
    confine(memory)
    _say({"ready": True})
    template: Template | None = None
    for line in sys.stdin:
        _allow(seconds)
        template = _answered(json.loads(line), template)


def confine(memory: int) -> None:
    """No more memory than this; no file, process, socket or module from now on."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
        resource.setrlimit(what, (0, 0))
    sys.setrecursionlimit(DEPTH)
    sys.addaudithook(_refuse)


def _refuse(action: str, given: tuple[Any, ...]) -> None:
    own = action == "resource.setrlimit" and given[0] == resource.RLIMIT_CPU  # by `_allow`, for every question
    if action not in ALLOWED and not own:
        raise Refused(action)


def _allow(seconds: int) -> None:
    """Processor time for one more question: the system ends the process at the end of it."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, most))


def _answered(question: dict[str, Any], template: Template | None) -> Template | None:
    where = Said("template '{name}'", name=question.get("name") or (template and template.name))
    try:
        if template is None:
            template = Template(question["source"], question["name"])
            _say({"found": _described(template)})
        else:
            _say({"found": _pieces(template.rendered(question))})
    except RegraftError as error:
        cause = error.__cause__
        if isinstance(cause, MemoryError | RecursionError):
            error = _too_much(where, cause)
        _say({"error": error.parts})
    except (MemoryError, RecursionError) as problem:
        _say({"error": _too_much(where, problem).parts})
    except Refused as refused:
        found = Said("does what no template needs: {action}", action=refused)
        _say({"error": RegraftError(where, found, "text, fields and facts").parts})
    return template


def _too_much(where: str, problem: BaseException) -> RegraftError:
    if isinstance(problem, RecursionError):
        return RegraftError(where, "is nested too deeply, or calls itself", "a few levels of brackets", "")
    return RegraftError(where, "takes too much memory", "a prompt that a model can read", "Shorten its loops")


def _described(template: Template) -> dict[str, Any]:
    names = ("kind", "yes", "no", "head", "facts", "fields", "unknown_names", "written")
    return {name: getattr(template, name) for name in names}


def _pieces(found: list[str | Slot]) -> list[Any]:
    return [piece if isinstance(piece, str) else [piece.item, piece.field, piece.space] for piece in found]


def _warm_up() -> None:
    """Loads all that is loaded on use, and renders once well and once in vain."""
    for module in LOADED_LATE:
        importlib.import_module(module)
    for present in (["title"], []):
        try:
            Template(WARM_UP).event(present, {})
        except RegraftError:
            continue


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
