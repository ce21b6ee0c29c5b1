"""Small tokenizers of every kind that language models come with, each able to write any text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from lm.models import WORDS, stories

SPECIAL = ["<unk>", "<s>", "</s>"]
MARK = "▁"  # a blank, as SentencePiece writes it
PREFIXED = ["prepend", "prepend bpe", "metaspace always", "metaspace first", "words and metaspace"]
EXACT = [*PREFIXED, "metaspace never", "byte-level", "byte-level with a blank"]


@lru_cache
def small_tokenizer(kind: str, bos: bool = True) -> PreTrainedTokenizerFast:
    """`kind` is one of EXACT or "word pieces"; `bos` puts <s> before a text and </s> behind it."""
    if kind == "stories260K":
        return AutoTokenizer.from_pretrained(stories())
    fast = _word_pieces() if kind == "word pieces" else _byte_level(kind) if "byte-level" in kind else _sentences(kind)
    if bos:
        ids = [(name, fast.token_to_id(name)) for name in SPECIAL[1:]]
        fast.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> $B </s>", ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=fast, unk_token="<unk>", bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False
    )


def _sentences(kind: str) -> Tokenizer:
    """What a conversion from SentencePiece gives: old style (a normalizer prepends) or new style (Metaspace)."""
    words = [MARK, *(f"{MARK}{word}" for word in WORDS.split()), *WORDS.split()]
    letters = sorted({letter for word in words for letter in word} | {MARK * 2})
    pieces = list(dict.fromkeys([*SPECIAL, *(f"<0x{n:02X}>" for n in range(256)), *letters, *words]))
    fast: Any
    if kind == "prepend bpe":
        vocabulary = {piece: n for n, piece in enumerate([*pieces, f"{MARK}Y", f"{MARK}Ye", "xx"])}
        merges = [(MARK, "Y"), (f"{MARK}Y", "e"), (f"{MARK}Ye", "s"), (MARK, MARK), ("x", "x")]
        vocabulary.setdefault("x", len(vocabulary))
        fast = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    else:
        scores = [(piece, 0.0 if piece in SPECIAL else -12.0 + len(piece) / 4) for piece in pieces]
        fast = Tokenizer(models.Unigram(scores, unk_id=0, byte_fallback=True))
    if kind.startswith("prepend"):
        fast.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    else:
        scheme = kind.removeprefix("metaspace ") if kind.startswith("metaspace") else "always"
        fast.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        if kind == "words and metaspace":
            fast.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), fast.pre_tokenizer])
    steps = [decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()]
    fast.decoder = decoders.Sequence([*steps, *([] if "never" in kind else [decoders.Strip(" ", 1, 0)])])
    fast.add_special_tokens(SPECIAL)
    return fast


def _byte_level(kind: str) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merged = ["ĠY", "ĠYe", "ĠYes", "he", "heat", "at"]
    merges = [("Ġ", "Y"), ("ĠY", "e"), ("ĠYe", "s"), ("h", "e"), ("a", "t"), ("he", "at")]
    fast: Any = Tokenizer(models.BPE({piece: n for n, piece in enumerate([*SPECIAL, *alphabet, *merged])}, merges))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space="blank" in kind)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens(SPECIAL)
    return fast


def _word_pieces() -> Tokenizer:
    """As BERT has it: blanks are dropped, and what continues a word is marked."""
    letters = sorted({letter for letter in WORDS if letter != " "})
    pieces = [*SPECIAL, *WORDS.split(), *letters, *(f"##{letter}" for letter in letters)]
    fast: Any = Tokenizer(
        models.WordPiece({piece: n for n, piece in enumerate(dict.fromkeys(pieces))}, unk_token="<unk>")
    )
    fast.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s+"), "removed")
    fast.decoder = decoders.WordPiece()
    fast.add_special_tokens(SPECIAL)
    return fast
