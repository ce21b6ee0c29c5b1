"""What can be said of a base model before its weights are read: is it there, is it whole, may it be used.

Checks look at small files only (config.json and those beside it), in a directory or on the hub. A hub that cannot
be reached is asked once, not with the retries of a download.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants, model_info, try_to_load_from_cache
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from regraft.errors import ModelError
from regraft.said import Said

HUB_SECONDS = 5.0  # until a hub that does not answer counts as unreachable
ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
CONFIG, ADAPTER = "config.json", "adapter_config.json"
QUANTISED = ("quantize_config.json", "quant_config.json")  # beside config.json in older GPTQ and AWQ checkpoints
EXPECTED = "a Hugging Face causal LM directory or id with safetensors weights and a tokenizer"
BUILD = "Build a small one with: regraft base build -c FILE DIR"


@dataclass(frozen=True)
class Checked:
    """`local`: load from files at hand only, the hub cannot be reached. `notes`: what a user should know."""

    local: bool
    notes: tuple[str, ...]
    own_code: str = ""  # classes that the model brings itself


def preflight(path: str | Path, trust_remote_code: bool = False) -> Checked:
    """Raises ModelError where this base model cannot be used, with what to do instead."""
    where = Said("base model '{path}'", path=path)
    local = must_be_there(path)
    config, adapter = (_read(path, name, local) for name in (CONFIG, ADAPTER))
    if adapter is not None and config is None:
        raise _is_an_adapter(str(path), str(adapter.get("base_model_name_or_path") or "unknown"))
    if config is None:  # damaged or missing: the loader says what is wrong
        return Checked(local, ())
    _must_not_be_quantised(path, config, local)
    own_code = ", ".join(str(name) for name in (config.get("auto_map") or {}).values())
    if own_code and not trust_remote_code and not _known(config.get("model_type")):
        raise ModelError(
            where, "brings code of its own ({code}), which is not run unless it is allowed to",
            "a model of a family that transformers knows",
            "Read the code; if you trust it, set base.trust_remote_code: true in the configuration", code=own_code,
        )  # fmt: skip
    notes: tuple[str, ...] = ()
    if adapter is not None:
        notes = (
            f"{where} has an adapter beside its weights ({ADAPTER}): it is left out, scores are those of the plain "
            "model. To use it, merge it into the weights with PEFT (merge_and_unload) and save that as a new folder",
        )
    return Checked(local, notes, own_code)


# -- is it there -----------------------------------------------------------------------------------


def must_be_there(path: str | Path) -> bool:
    """Whether only files at hand can be used, because the hub does not answer. Quick: PyTorch is not loaded.

    Raises ModelError for what is neither a folder nor a model at hand or on the hub.
    """
    path, folder = str(path), Path(path)
    if folder.is_dir():
        return False
    if folder.is_file():
        gguf = folder.suffix.lower() == ".gguf"
        raise ModelError(
            "base model '{path}'", "is a file", EXPECTED,
            "Make a directory of it with: regraft base import {path} DIR" if gguf else BUILD, path=path,
        )  # fmt: skip
    if not ID.fullmatch(path) or folder.is_absolute() or (folder.parent.is_dir() and folder.parent != Path(".")):
        raise ModelError("base model '{path}'", "is not there{like}", EXPECTED, BUILD, path=path, like=_like(folder))
    at_hand = isinstance(try_to_load_from_cache(path, CONFIG), str)
    why = Said("HF_HUB_OFFLINE is set")
    if not constants.HF_HUB_OFFLINE:
        try:
            model_info(path, timeout=HUB_SECONDS)
            return False
        except (RepositoryNotFoundError, RevisionNotFoundError):
            why = Said("the hub has no such model, or keeps it from you")
        except Exception as error:  # of whatever HTTP client, proxy or certificate
            why = Said("the hub cannot be reached: {error}", error=_first_line(error))
    if not at_hand:
        raise ModelError(
            "base model '{path}'", "is neither a folder here{like} nor a model at hand ({why})", EXPECTED, BUILD,
            path=path, like=_like(folder), why=why,
        )  # fmt: skip
    return True


def _like(folder: Path) -> str:
    """What may have been meant."""
    parent = folder.parent
    if not parent.is_dir():
        return Said(" (there is no folder '{parent}' either)", parent=parent) if parent != Path(".") else ""
    names = [entry.name for entry in parent.iterdir() if entry.is_dir()]
    close = difflib.get_close_matches(folder.name, names, 1)
    return Said(" (was '{close}' meant?)", close=parent / close[0]) if close else ""


def _read(path: str | Path, name: str, local: bool) -> dict[str, Any] | None:
    """A JSON object of the model; None where there is none, or none that can be read."""
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(
            path, name, local_files_only=local, _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False,
        )  # fmt: skip
        read = json.loads(Path(found).read_text(encoding="utf-8")) if found else None
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


# -- may it be used --------------------------------------------------------------------------------


def _is_an_adapter(path: str, base: str) -> ModelError:
    return ModelError(
        "base model '{path}'", "holds a PEFT adapter for the base '{base}' ({adapter}), not a model",
        "{expected}, such as that base",
        "Where that base is at hand, merge the two into a new folder, here 'merged': {command}",
        path=path, base=base, adapter=ADAPTER, expected=Said(EXPECTED), command=merging(path, base),
    )  # fmt: skip


def merging(path: str, base: str) -> str:
    """A command that makes a whole model of an adapter and its base."""
    code = (
        "from peft import AutoPeftModelForCausalLM as M; from transformers import AutoTokenizer as T; "
        f"M.from_pretrained('{path}').merge_and_unload().save_pretrained('merged'); "
        f"T.from_pretrained('{base}').save_pretrained('merged')"
    )
    return f'python -c "{code}"'


def _must_not_be_quantised(path: str | Path, config: dict[str, Any], local: bool) -> None:
    inner = config.get("text_config") or {}
    found = config.get("quantization_config") or inner.get("quantization_config")
    if not found:
        found = next((read for name in QUANTISED if (read := _read(path, name, local))), None)
    if not found:
        return
    method = found.get("quant_method") or ("bitsandbytes" if "load_in_4bit" in found else "an unknown method")
    if bits := found.get("bits") or found.get("w_bit") or (4 if found.get("load_in_4bit") else None):
        method = f"{method}, {bits} bits"
    raise ModelError(
        "base model '{path}'", "has quantised weights ({method}), which are not read here",
        "plain weights (fp32, fp16 or bf16)",
        "Take the model it was made from, or a GGUF file of it: regraft base import FILE DIR", path=path, method=method,
    )  # fmt: skip


def _known(model_type: object) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING
