"""Counts in words: 1 version, 2,000 versions."""

from __future__ import annotations


def counted(n: int, things: str) -> str:
    """`n` of the things, whose plural ends in s: '1 row', '2,000 rows'."""
    return f"{n:,} {things.removesuffix('s') if n == 1 else things}"
