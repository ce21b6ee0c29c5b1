"""A configuration's stream, template and encoder, for looking at prompts before anything is trained."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from regraft.data.regimes import Regime
from regraft.data.source import open_stream
from regraft.data.stream import Stream
from regraft.errors import DataError
from regraft.files import output
from regraft.prompts.export import INFO, export
from regraft.prompts.preview import Preview, Prompts
from regraft.prompts.template import Template
from regraft.setup.base import encoder_of, open_workshop
from regraft.setup.config import ArenaConfig
from regraft.setup.inputs import inputs

if TYPE_CHECKING:
    from regraft.lm.base_model import BaseModel
    from regraft.lm.workshop import Workshop


@dataclass(frozen=True)
class Desk:
    """What prompts of one configuration are made of."""

    config: ArenaConfig
    stream: Stream
    template: Template
    regime: Regime

    @classmethod
    def open(cls, config: ArenaConfig, template: str | None = None) -> Desk:
        """`template` takes the place of the configuration's."""
        return cls(
            config, open_stream(config.data), Template.load(template or config.template), Regime.parse(config.regime)
        )

    def workshop(self, base: Path) -> Workshop:
        """The base model at `base` with this configuration's encoder."""
        given = self.config.base.model_copy(update={"path": str(base)})
        config = self.config.model_copy(update={"base": given})
        shop: Workshop = open_workshop(config, self.stream, self.template, self.regime, Path(tempfile.gettempdir()))
        return shop

    def tokens_per_event(self, base: BaseModel) -> float:
        """Mean over the stream's examples, in tokens of this base model, whether or not they fit into it."""
        from regraft.lm.token_view import tokens_per_event

        encoder = encoder_of(base.tokenizer, None, self.config, self.template, self.regime)
        return tokens_per_event(encoder, self.stream)

    def preview(self, example: int) -> Preview:
        """One example as text."""
        config = self.config
        prompts = Prompts(
            self.stream, self.template, self.regime, config.timeline.shape, config.refresh, config.similarity
        )
        return prompts.preview(example)

    def export(
        self, out: Path, format: str, period: int | None = None, reads: Sequence[Path] = (), force: bool = False
    ) -> int:
        """Writes the examples of one period (default: of all) and returns how many there were.

        `reads` are files beside those of the configuration onto which nothing is written. `force` replaces another
        file that is there.
        """
        reads = inputs(self.config, *reads)
        output(out, reads, force, mark="")
        if format == "alpaca":
            output(out.parent / INFO, [*reads, out], force=True)  # its other entries stay
        n = self.stream.n_periods
        if period is not None and not 1 <= period <= n:
            raise DataError(f"stream '{self.stream.name}'", f"has no period {period}", f"1 to {n}")
        view = self.stream if period is None else self.stream.cases(period)
        shape = self.config.timeline.shape
        return export(view, self.template, self.regime, shape, format, out, self.config.refresh, self.config.similarity)

    def newest_of(self, user: str) -> int:
        """The number of a user's newest example."""
        known = (self.stream.user_ids == user).arg_max()
        if known is None or self.stream.user_ids[known] != user:
            raise DataError(
                f"user '{user}'",
                f"is not in the stream {self.stream.name}",
                f"a user id, e.g. {self.stream.user_ids[0]}",
            )
        own = np.flatnonzero(self.stream.users == known)
        if not len(own):
            raise DataError(
                f"user '{user}'", "has no examples, only history", "a user with examples", "Use --example N"
            )
        return int(own[-1])
