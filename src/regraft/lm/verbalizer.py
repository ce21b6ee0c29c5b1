"""The two answers in tokens, taken from the tokenizer, never hard-coded.

Verbalizer may be several tokens, begin with a space or share their first tokens. What they share is appended
to the prompt; the score is read at the first token in which they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from regraft.errors import ModelError
from regraft.lm.tokenize import Tokenizer, token_ids
from regraft.prompts.template import Template
from regraft.said import Said


@dataclass(frozen=True)
class Verbalizer:
    """`shared` ends every prompt; `yes` and `no` are the ids compared; `spoken` is what history holds after them."""

    shared: tuple[int, ...]
    yes: int
    no: int
    spoken: tuple[tuple[int, ...], tuple[int, ...]]  # (no, yes): the rest of the answer after the shared tokens

    @classmethod
    def of(cls, tokenizer: Tokenizer, template: Template) -> Verbalizer:
        yes, no = token_ids(tokenizer, template.yes), token_ids(tokenizer, template.no)
        same = 0
        while same < min(len(yes), len(no)) and yes[same] == no[same]:
            same += 1
        alike = same == min(len(yes), len(no))
        unknown = getattr(tokenizer, "unk_token_id", None)
        if unknown is not None and unknown in ({*yes, *no} if alike else {yes[same], no[same]}):
            raise ModelError(
                "template '{template}'", "this tokenizer does not know {yes} or {no} (unknown token {unknown})",
                "answers the base model can write", "Change the blocks 'yes' and 'no' of the template",
                template=template.name, yes=repr(template.yes), no=repr(template.no), unknown=unknown,
            )  # fmt: skip
        if alike:
            how = Said("they are the same") if yes == no else Said("one begins with the other")
            raise ModelError(
                "template '{template}'", "the answers {yes} and {no} are the tokens {y} and {n}: {how}",
                "two answers that this tokenizer tells apart", "Change the blocks 'yes' and 'no' of the template",
                template=template.name, yes=repr(template.yes), no=repr(template.no), y=yes, n=no, how=how,
            )  # fmt: skip
        return cls(tuple(yes[:same]), yes[same], no[same], (tuple(no[same:]), tuple(yes[same:])))
