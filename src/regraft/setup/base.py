"""The base model of a run: loaded from where the configuration says, or built as `nano` beside the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from regraft.data.regimes import Regime
from regraft.data.stream import Stream
from regraft.errors import MissingExtraError
from regraft.prompts.template import Template
from regraft.setup.build import nano_options, nano_place
from regraft.setup.config import ArenaConfig, ModelOptions, plugin

if TYPE_CHECKING:
    from regraft.lm.base_model import BaseModel
    from regraft.lm.encode import Encoder


def open_workshop(config: ModelOptions, stream: Stream, template: Template, regime: Regime, folder: Path) -> Any:
    """The shared workbench of all strategies of a run."""
    try:
        from regraft.lm.base_model import BaseModel
        from regraft.lm.workshop import Workshop
    except ModuleNotFoundError as error:
        raise MissingExtraError("strategies that adapt a language model", "lm", error.name or "torch") from error
    path = config.base.path or str(nano_folder(config, stream, template, regime, folder))
    base = BaseModel.load(path, config.base.dtype, config.base.device, config.base.trust_remote_code)
    encoder = encoder_of(base.tokenizer, base.longest, config, template, regime)
    cache = config.cache.model_copy(update={"folder": config.cache.folder or str(folder.parent)})
    on_states = any(getattr(plugin(c), "reads_states", False) for c in config.at_work if c.kind == "strategy")
    workshop = Workshop(
        base, encoder, config.adapter, config.fit, folder / "kept", cache=cache, similarity=config.similarity,
        keeps_states=on_states,
    )  # fmt: skip
    workshop.grafts.check(config.adapter)
    return workshop


def check_base(config: ArenaConfig) -> list[str] | None:
    """Notes on the base model that the configuration names, its weights unread; None where only opening it can tell.

    Raises ModelError where it cannot be used, MissingExtraError without PyTorch.
    """
    try:
        from regraft.lm.early_check import early_check
    except ModuleNotFoundError as error:
        raise MissingExtraError("strategies that adapt a language model", "lm", error.name or "torch") from error
    return early_check(str(config.base.path), config.adapter, config.base.trust_remote_code)


def encoder_of(
    tokenizer: Any, longest: int | None, config: ModelOptions, template: Template, regime: Regime
) -> Encoder:  # fmt: skip
    """What turns views into tokens; `longest` is the number of positions that the base model has."""
    from regraft.lm.encode import Encoder
    from regraft.lm.verbalizer import Verbalizer

    return Encoder(
        tokenizer, template, Verbalizer.of(tokenizer, template), regime, config.timeline.shape, config.refresh,
        config.item_tokens, longest, similarity=config.similarity,
    )  # fmt: skip


def in_words(base: BaseModel) -> dict[str, Any]:
    """What a run's description says about its base model."""
    return {
        "path": Path(base.path).name, "hash": base.hash, "objective": base.objective,
        "original": base.original, "parameters": base.parameters, "dtype": str(base.dtype).removeprefix("torch."),
    }  # fmt: skip


def nano_folder(config: ModelOptions, stream: Stream, template: Template, regime: Regime, folder: Path) -> Path:
    """The nano base of this stream and these settings, built if it is not there."""
    from regraft.lm.fit import progress_lines
    from regraft.lm.nano import build_nano

    target, built = nano_place(folder, config, stream, template)
    if not built:
        build_nano(
            target, stream.warm_up(), template, nano_options(config), regime=regime, shape=config.timeline.shape,
            refresh=config.refresh, similarity=config.similarity, more_history=config.more_history,
            progress=progress_lines("building the base model"),
        )  # fmt: skip
    return target
