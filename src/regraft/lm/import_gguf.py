"""GGUF to an ordinary Hugging Face directory: one file with a few bits per weight becomes plain tensors.

What the bits stood for is written out, nothing is added: a 4-bit original stays one, however wide its copy
is stored. `import.json` beside the weights remembers it, so that every result can say so.

The tokenizer is what transformers makes of the file. A vocabulary whose way to cut text into words it does not
know (`tokenizer.ggml.pre`) is cut as GPT-2's: in SmolLM2 that shows in several blanks before a digit alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from regraft.errors import MissingExtraError, ModelError
from regraft.files import whole_folder
from regraft.lm.base_model import IMPORT, BaseModel
from regraft.lm.dtypes import DTYPES
from regraft.lm.load import quiet
from regraft.lm.tokenize import opening_ids

MAGIC = b"GGUF"
PROMPT = "The user liked Heat (1995): Yes\nThe user liked Up (2009): No\n"  # what both copies must answer alike


class Header(NamedTuple):
    """What is read of a file before it is loaded. `quantisation` is what most weights are stored as: Q4_1."""

    architecture: str
    quantisation: str
    weights: int

    @property
    def original(self) -> str:
        """4-bit original (Q4_1)"""
        bits = re.search(r"\d+", self.quantisation)
        return f"{bits[0] if bits else '?'}-bit original ({self.quantisation})"


def import_gguf(file: Path, folder: Path, dtype: str = "bf16") -> str | None:
    """Makes `folder` of the file and says what the original was; None where this very import is there already.

    The folder appears whole or not at all. Before that the saved model is loaded again, and must answer a
    short prompt as the one loaded from GGUF did.
    """
    _begins_as_gguf(file)
    wanted = {"file": file.name, "sha256": _sha256(file), "dtype": dtype}
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if other := _differs(folder, wanted):
            raise ModelError(
                f"folder '{folder}'", f"holds {other}", "a new folder, or an empty one", "Choose another name"
            )
        return None
    header = _header(file)
    _room_for(folder, header.weights * DTYPES[dtype].itemsize)
    model, tokenizer = _loaded(file, header, DTYPES[dtype])
    origin = {**wanted, "quantisation": header.quantisation, "original": header.original}
    with whole_folder(folder) as staging:
        _save(staging, model, tokenizer, origin)
        _compare(file, model, tokenizer, staging, dtype)
    return header.original


# -- the file --------------------------------------------------------------------------------------


def _begins_as_gguf(file: Path) -> None:
    if not file.is_file():
        raise ModelError(f"file '{file}'", "does not exist", "a GGUF file")
    with file.open("rb") as opened:
        found = opened.read(len(MAGIC))
    if found != MAGIC:
        raise ModelError(
            f"file '{file}'", f"is no GGUF: it begins with {found!r}", f"a file that begins with {MAGIC!r}",
            "A Hugging Face directory needs no import: set base.path to it",
        )  # fmt: skip


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _header(file: Path) -> Header:
    """Raises ModelError where the file ends before its last tensor does."""
    try:
        from gguf import GGUFReader, LlamaFileType
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"file '{file}'", "gguf", error.name or "gguf") from error
    try:
        reader = GGUFReader(file)
        architecture = reader.fields["general.architecture"].contents()
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ModelError(
            f"file '{file}'",
            f"is cut short or damaged: its {file.stat().st_size:,} bytes do not hold what its header announces",
            "a whole GGUF file, version 2 or 3",
            "Fetch it again",
        ) from error
    stored: Counter[str] = Counter()
    for tensor in reader.tensors:
        stored[tensor.tensor_type.name] += int(tensor.n_elements)
    names = {int(kind): kind.name for kind in LlamaFileType if kind is not LlamaFileType.GUESSED}
    declared = reader.fields.get("general.file_type")
    name = names.get(declared.contents(), "") if declared else ""
    quantisation = re.sub("^(MOSTLY|ALL)_", "", name) or max(stored, key=stored.__getitem__, default="unknown")
    return Header(str(architecture), quantisation, stored.total())


def _loaded(file: Path, header: Header, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, tokenizer) of transformers, every weight unpacked and none of them drawn at random."""
    # Some architectures keep their weights packed unless told otherwise; versions that do not know the setting
    # always unpack.
    kept = getattr(transformers, "GgufConfig", None)
    unpack = {"quantization_config": kept(dequantize=True)} if kept else {}
    # Alone in a folder: a config or tokenizer that lies beside the file would be taken for the file's own.
    with TemporaryDirectory() as alone, quiet():
        (Path(alone) / "model.gguf").symlink_to(file.resolve())
        where: dict[str, Any] = {"gguf_file": "model.gguf", "local_files_only": True}
        try:
            config = AutoConfig.from_pretrained(alone, **where)
        except Exception as error:  # foreign files make the reader fail in every way there is
            raise ModelError(
                f"file '{file}'", f"has the architecture '{header.architecture}': {_reason(error)}",
                "a causal LM of an architecture that transformers reads from GGUF, such as llama, qwen3 or gemma3",
                "Set base.path to the model's Hugging Face directory, where there is one",
            ) from error  # fmt: skip
        try:
            tokenizer = AutoTokenizer.from_pretrained(alone, **where)
            model, report = AutoModelForCausalLM.from_pretrained(
                alone, config=config, dtype=dtype, ignore_mismatched_sizes=True, output_loading_info=True,
                **where, **unpack,
            )  # fmt: skip
        except Exception as error:
            raise ModelError(
                f"file '{file}'", f"cannot be loaded: {_reason(error)}", "a causal LM with its tokenizer"
            ) from error
    if lacking := sorted([*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])]):
        raise ModelError(
            f"file '{file}'",
            f"lacks {len(lacking)} of its weights or has them in another shape, e.g. {lacking[0]}",
            "a complete model in one file",
        )
    return model.eval(), tokenizer


def _reason(error: Exception) -> str:
    """The first line of its message."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return (str(error).splitlines() or [type(error).__name__])[0]


# -- the folder ------------------------------------------------------------------------------------


def _differs(folder: Path, wanted: dict[str, str]) -> str:
    """What is in a folder instead of the wanted import, in words; empty where it is that import."""
    try:
        origin = json.loads((folder / IMPORT).read_text(encoding="utf-8"))
        found = {key: origin[key] for key in wanted}
    except (OSError, ValueError, KeyError, TypeError):
        return "something else than an imported model"
    if all(found[key] == wanted[key] for key in ("sha256", "dtype")):  # under whatever name
        return ""
    return f"an import of {found['file']} in {found['dtype']}, not of {wanted['file']} in {wanted['dtype']}"


def _room_for(folder: Path, needed: int) -> None:
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ModelError(
            f"folder '{folder}'", f"has {free / 1e6:,.1f} MB free, the model takes {needed / 1e6:,.1f} MB",
            "a place with more room",
        )  # fmt: skip


def _save(staging: Path, model: Any, tokenizer: Any, origin: dict[str, str]) -> None:
    # transformers refuses to save a model that came from GGUF: its tensors move into a model that did not.
    config = deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config, dtype=model.dtype)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    (staging / IMPORT).write_text(json.dumps(origin, indent=2), encoding="utf-8")


def _compare(file: Path, model: Any, tokenizer: Any, staging: Path, dtype: str) -> None:
    """The saved model against the loaded one. The same weights give the same logits, up to rounding."""
    try:
        saved = BaseModel.load(staging, dtype)
    except ModelError as error:  # which would name a folder that nobody will find
        raise ModelError(f"file '{file}'", error.found, error.expected) from error
    ids = opening_ids(tokenizer, PROMPT)
    with torch.no_grad():
        first, again = (m(input_ids=torch.tensor([ids]), use_cache=False).logits.float() for m in (model, saved.model))
    off, allowed = float((first - again).abs().max()), torch.finfo(DTYPES[dtype]).eps * float(first.abs().max())
    if opening_ids(saved.tokenizer, PROMPT) != ids or not off <= allowed:  # no number is off, too
        raise ModelError(
            f"file '{file}'", f"reads or answers otherwise once it is saved: logits differ by {off:.3g}",
            f"the same tokens, and logits that differ by {allowed:.3g} at most",
        )  # fmt: skip
