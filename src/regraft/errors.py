"""One tree of errors: each says where, what was found, what was expected, and what to do next.

The command line prints the message without a traceback and exits 2; the dashboard tells its parts in its own language.
"""

from __future__ import annotations

import copyreg
from typing import Any, Self

from regraft.said import Said, as_kept, as_said

ERROR_FILE = "REGRAFT_ERROR_FILE"  # names a file that takes, as JSON, the parts of the error that a command ends with


class RegraftError(Exception):
    """Base of every error that a user can act on.

    With `values` the parts are templates that are filled with them, as in `Said`; one that is a `Said` stays as it is.

    >>> error = RegraftError("pilot '{name}'", "has {share:.0%} of the people already", name="autumn", share=0.25)
    >>> print(error)
    pilot 'autumn': has 25% of the people already
    """

    def __init__(self, where: str, found: str, expected: str = "", next_step: str = "", /, **values: object) -> None:
        if values:
            given = (where, found, expected, next_step)
            where, found, expected, next_step = (p if isinstance(p, Said) else Said(p, **values) for p in given)
        self.where, self.found, self.expected, self.next_step = where, found, expected, next_step
        lines = [f"{where}: {found}"]
        if expected:
            lines.append(f"Expected {expected}")
        if next_step:
            lines.append(next_step)
        super().__init__("\n".join(lines))

    @property
    def parts(self) -> list[Any]:
        """The four parts as JSON can hold them."""
        return [as_kept(part) for part in (self.where, self.found, self.expected, self.next_step)]

    @classmethod
    def of(cls, parts: list[Any]) -> Self:
        """From `parts`."""
        return cls(*map(as_said, parts))

    def __reduce__(self) -> tuple[Any, ...]:
        """An error of another process arrives as it was raised there, whatever its class was made from."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class DataError(RegraftError):
    """A log, item file or stream that cannot be used as it is."""


class NoRowsError(DataError):
    """A log of which no row is there, or is there any more."""


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
            "{what}", "needs the package '{package}', which is not installed", "the extra '{extra}'",
            'Install it with: pip install -c constraints.txt ".[{extra}]"', what=what, package=package, extra=extra,
        )  # fmt: skip


class ResultsError(RegraftError):
    """A results folder that is missing, damaged or belongs to another run."""


class OutputError(RegraftError):
    """A file or folder that cannot be written, or must not be."""


class StateError(RegraftError):
    """The state of a site that is missing, damaged, or held by another process."""
