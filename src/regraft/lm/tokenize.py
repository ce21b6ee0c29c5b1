"""Text to token ids, piece by piece, such that the ids of a prompt decode to its text.

A prompt is tokenised in pieces that are joined and never tokenised again. Two habits of tokenizers would spoil
that: a first token such as <s> belongs to the beginning of a prompt alone, and so does the blank that
SentencePiece, Metaspace and some byte-level tokenizers put before a text ("dummy prefix"). `opening_ids` gives a
prompt's first piece with both, `token_ids` any later piece with neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from tokenizers import Tokenizer as Backend


class Tokenizer(Protocol):
    """What regraft needs of a Hugging Face tokenizer."""

    def __call__(self, text: str, **options: object) -> dict[str, list[int]]: ...


def opening_ids(tokenizer: Tokenizer, text: str = "") -> list[int]:
    """Ids of a prompt's first piece: they begin as those of `tokenizer(text)` do, and nothing is added at the end.

    For empty text: what stands before any text.
    """
    return [*_habits(tokenizer).first, *token_ids(tokenizer, " " * adds_blank(tokenizer) + text)]


def token_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of text that follows other text: nothing is added, and no special token is recognised inside it."""
    if not text:
        return []
    habits = _habits(tokenizer)
    if habits.plain is not None:
        ids: Sequence[int] = habits.plain.encode(text, add_special_tokens=False).ids
    else:
        ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    # Unigram models and word lists hold the names of special tokens as words: such a name is read in two halves.
    for token in habits.names.keys() & set(ids):
        cut = text.find(habits.names[token]) + 1
        if 0 < cut < len(text):
            return [*token_ids(tokenizer, text[:cut]), *token_ids(tokenizer, text[cut:])]
    return list(ids)


def adds_blank(tokenizer: Tokenizer) -> bool:
    """Does this tokenizer put a blank before every text?"""
    return _habits(tokenizer).plain is not None


def text_of(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text that ids stand for behind other text. Unlike `decode` it keeps a leading blank."""
    before = token_ids(tokenizer, "x")
    return str(tokenizer.decode([*before, *ids])).removeprefix(tokenizer.decode(before))


# -- what a tokenizer does besides cutting text ----------------------------------------------------


@dataclass(frozen=True)
class _Habits:
    first: tuple[int, ...]  # special tokens before a text: <s>, <bos>, [CLS] or none
    plain: Backend | None  # a copy that puts no blank before a text; None where the tokenizer puts none
    names: Mapping[int, str]  # special tokens and bytes, which a text that holds their names must not become


_known: WeakKeyDictionary[Any, _Habits] = WeakKeyDictionary()
_BYTE = re.compile("<0x[0-9A-F]{2}>")


def _habits(tokenizer: Any) -> _Habits:
    """Looked up once per tokenizer."""
    if tokenizer not in _known:
        special = getattr(tokenizer, "added_tokens_decoder", {})
        names = {n: str(token) for n, token in special.items() if token.special}
        names |= {n: name for name, n in getattr(tokenizer, "get_vocab", dict)().items() if _BYTE.fullmatch(name)}
        backend = getattr(tokenizer, "backend_tokenizer", None)
        _known[tokenizer] = _Habits(_first_tokens(tokenizer), backend and _without_blank(backend), names)
    return _known[tokenizer]


def _first_tokens(tokenizer: Tokenizer) -> tuple[int, ...]:
    whole = tokenizer("x")["input_ids"]
    plain = tokenizer("x", add_special_tokens=False)["input_ids"]
    for first in range(len(whole) - len(plain) + 1):
        if plain and list(whole[first : first + len(plain)]) == list(plain):
            return tuple(whole[:first])
    return ()


def _without_blank(backend: Backend) -> Backend | None:
    steps = json.loads(backend.to_str())
    changed = {name: _unprefixed(steps[name]) for name in ("normalizer", "pre_tokenizer")}
    if all(changed[name] == steps[name] for name in changed):
        return None
    plain = Backend.from_str(json.dumps(steps | changed))
    plain.encode_special_tokens = True
    plain.no_padding()
    plain.no_truncation()
    return plain


def _unprefixed(step: Any) -> dict[str, Any] | None:
    """A normalizer or pre-tokenizer, as the library writes it down, that puts nothing before a text."""
    match step:
        case {"type": "Prepend"}:
            return None
        case {"type": "Metaspace"}:
            return {**step, "prepend_scheme": "never"}
        case {"type": "ByteLevel", "add_prefix_space": True}:
            return {**step, "add_prefix_space": False}
        case {"type": "Sequence"}:
            key = "normalizers" if "normalizers" in step else "pretokenizers"
            return {**step, key: _unprefixed_all(step[key])}
    found: dict[str, Any] | None = step
    return found


def _unprefixed_all(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = [step["type"] for step in steps]
    # WhitespaceSplit drops the blanks that Metaspace would put back before every word: without it they stay in place.
    kept = [s for n, s in enumerate(steps) if kinds[n : n + 2] != ["WhitespaceSplit", "Metaspace"]]
    return [plain for plain in map(_unprefixed, kept) if plain is not None]
