"""A sentence with its template and values, so that it can be told in other languages than English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class Said(str):
    """An English sentence, filled in. `template` has bare places, `values` what stands in them, as it is written.

    A value may be a sentence itself. What is written in braces of its own, such as code, is a value too.

    >>> said = Said("{share:.1%} of {n:,} rows", share=0.25, n=1204)
    >>> said, said.template, said.values
    ('25.0% of 1,204 rows', '{share} of {n} rows', {'share': '25.0%', 'n': '1,204'})
    """

    template: str
    values: Mapping[str, str]

    def __new__(cls, template: str, /, **values: object) -> Said:
        said = super().__new__(cls, template.format(**values))
        said.template = bare(template)
        said.values = {name: _written(values[name], how) for name, how in re.findall(r"{(\w+):?([^{}]*)}", template)}
        return said

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str]]:
        """How a copy is made: dataclasses.asdict copies what it finds."""
        return (self.template,), dict(self.values)

    @property
    def parts(self) -> list[Any]:
        """[template, values] as JSON can hold them."""
        return [self.template, {name: as_kept(value) for name, value in self.values.items()}]

    @classmethod
    def of(cls, parts: list[Any]) -> Said:
        """From `parts`. ValueError where the template has anything but bare places: it may come from elsewhere."""
        template, values = parts
        if re.search(r"[{}]", re.sub(r"{\w+}", "", template)):
            raise ValueError(f"no template of bare places: {template!r}")
        return cls(template, **{name: as_said(value) for name, value in values.items()})


def as_kept(text: str) -> Any:
    """A text as JSON can hold it: a sentence by its parts."""
    return text.parts if isinstance(text, Said) else text


def as_said(kept: Any) -> str:
    """What `as_kept` gave."""
    return Said.of(kept) if isinstance(kept, list) else str(kept)


def bare(template: str) -> str:
    """A template without the formats of its places: {n:,} rows -> {n} rows."""
    return re.sub(r"{(\w+):[^{}]*}", r"{\1}", template)


def _written(value: object, how: str) -> str:
    return value if isinstance(value, Said) else format(value, how)
