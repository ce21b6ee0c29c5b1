"""A sentence with its template and values, so that it can be told in other languages than English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class Said(str):
    """An English sentence, filled in. `template` has bare places, `values` what stands in them, as it is written.

    A value may be a sentence itself.

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
        return [self.template, {name: v.parts if isinstance(v, Said) else v for name, v in self.values.items()}]

    @classmethod
    def of(cls, parts: list[Any]) -> Said:
        """From `parts`."""
        template, values = parts
        return cls(template, **{name: cls.of(v) if isinstance(v, list) else v for name, v in values.items()})


def bare(template: str) -> str:
    """A template without the formats of its places: {n:,} rows -> {n} rows."""
    return re.sub(r"{(\w+):[^{}]*}", r"{\1}", template)


def _written(value: object, how: str) -> str:
    return value if isinstance(value, Said) else format(value, how)
