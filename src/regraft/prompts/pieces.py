"""What a rendered template is made of: literal text, and slots where a field of an item or a fact goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FACT = -1
OPEN, CLOSE = "\ue000", "\ue001"  # private-use marks around a slot; item text never passes through here
MARK = re.compile(f"[{OPEN}{CLOSE}]|\\\\ue00[01]")  # what is left of a slot that was taken apart or quoted
SLOT = re.compile(f"{OPEN}(-?\\d+)[.]([^{CLOSE}]+){CLOSE}")


@dataclass(frozen=True)
class Slot:
    """Field `field` of the item number `item` among those handed to the rendering; item FACT: a fact."""

    item: int
    field: str
    space: bool = False  # one space before the text, tokenised together with it


Piece = str | Slot


def marked(item: int, field: str) -> str:
    """A slot as it stands in the text that is rendered."""
    return f"{OPEN}{item}.{field}{CLOSE}"


class Fields:
    """Stands for an item while rendering: present fields become slots, absent ones empty text."""

    def __init__(self, index: int, present: Sequence[str]) -> None:
        self.__slots = {name: marked(index, name) for name in present}

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)  # Jinja2 then asks for the item `name`, so that a column _id can be printed
        return self.__slots.get(name, "")

    def __getitem__(self, name: str) -> str:
        if name.startswith("__"):
            raise KeyError(name)
        return self.__slots.get(name, "")

    def __repr__(self) -> str:
        raise TypeError("an item is printed as a whole, not one of its fields")


def pieces_of(text: str) -> list[Piece]:
    """Literal text and slots; a space right before a slot moves into it, so that it is tokenised with the word."""
    found: list[Piece] = []
    end = 0
    for match in SLOT.finditer(text):
        literal = text[end : match.start()]
        space = literal.endswith(" ")
        if literal := literal.removesuffix(" ") if space else literal:
            found.append(literal)
        found.append(Slot(int(match[1]), match[2], space))
        end = match.end()
    if text[end:]:
        found.append(text[end:])
    return found
