"""One tree of errors: each says where, what was found, what was expected, and what to do next.

The command line prints the message without a traceback and exits 2.
"""

from __future__ import annotations

import copyreg
from typing import Any


class RegraftError(Exception):
    """Base of every error that a user can act on."""

    def __init__(self, where: str, found: str, expected: str = "", next_step: str = "") -> None:
        self.where, self.found, self.expected, self.next_step = where, found, expected, next_step
        lines = [f"{where}: {found}"]
        if expected:
            lines.append(f"Expected {expected}")
        if next_step:
            lines.append(next_step)
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        """An error of another process arrives as it was raised there, whatever its class was made from."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class DataError(RegraftError):
    """A log, item file or stream that cannot be used as it is."""


class ConfigError(RegraftError):
    """A setting with a wrong name, type or value."""


class TemplateError(RegraftError):
    """A prompt template that cannot be rendered or trained on."""


class ModelError(RegraftError):
    """A base model, tokenizer or adapter that cannot be used as it is."""


class PluginError(RegraftError):
    """A plug-in that does not exist or cannot be loaded."""


class MissingExtraError(RegraftError):
    """A part of regraft that needs packages which are not installed."""

    def __init__(self, what: str, extra: str, package: str) -> None:
        super().__init__(
            what,
            f"needs the package '{package}', which is not installed",
            f"the extra '{extra}'",
            f'Install it with: pip install -c constraints.txt ".[{extra}]"',
        )


class ResultsError(RegraftError):
    """A results folder that is missing, damaged or belongs to another run."""


class OutputError(RegraftError):
    """A file or folder that cannot be written, or must not be."""


class StateError(RegraftError):
    """The state of a site that is missing, damaged, or held by another process."""
