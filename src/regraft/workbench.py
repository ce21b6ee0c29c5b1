"""The contenders of a site at work: made new, or taken up from a version, with the base model that they share."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from regraft.data.draws import evaluation_rows
from regraft.data.regimes import Regime
from regraft.data.sides import Side
from regraft.data.stream import Stream
from regraft.prompts.live import NOBODY, Live, Quiet
from regraft.setup.config import ContenderOptions
from regraft.setup.site import Site
from regraft.state.versions import Version
from regraft.strategies.contender import Contender, new_contender

CONTENDER = "contender"  # folder of it in a version


class Workbench:
    """Opens the base model when the first contender with a language model asks for it.

    `stream` is the site's log up to the cut that is worked at, of a pilot as one `side` sees it.
    """

    def __init__(self, site: Site, stream: Stream, side: Side | None = None) -> None:
        self.site, self.stream, self.side = site, stream, side
        self.regime = Regime.parse(site.options.regime)

    def new(self, options: ContenderOptions) -> Contender:
        """A contender that has learnt nothing yet."""
        lab = None
        if options.kind == "strategy":
            from regraft.lm.lab import ModelLab

            lab = ModelLab(self._reading(options), self.site.options.seed)
        return new_contender(
            options.kind, options.use, self.site.options.settings_of(options), self.regime, self.site.options.seed,
            options.calibration, lab,
        )  # fmt: skip

    def of_version(self, options: ContenderOptions, folder: Path) -> Contender:
        """The contender as a version left it."""
        contender = self.new(options)
        contender.load(folder)
        return contender

    def released(self, version: Version) -> Contender:
        """The contender of a version, as it was configured when it was made: regraft.yaml may name it no longer."""
        options = ContenderOptions.model_validate(version.lineage["contender"])
        return self.of_version(options, self.site.versions / version.name / CONTENDER)

    def live(
        self, known: Stream, catalogue: pl.DataFrame, rested: np.ndarray | None = None, quiet: Quiet = NOBODY
    ) -> Live:  # fmt: skip
        """What a server knows that has read the rows of `known`; its requests are those of the site's contenders.

        `rested`, bool per row: passed over so long ago that the person may be shown the item again. The rows of `quiet`
        people are not among those of `known`.
        """
        options = self.site.options
        last = options.timeline.shape.context + options.timeline.shape.targets
        return Live(known, catalogue, self.regime, options.refresh, options.similarity, last, rested, quiet)

    def past(self, period: int) -> Stream:
        """What the close of `period` learns from: all examples up to its end but the evaluation rows."""
        view = self.stream.until(period + 1)
        return view.only(~self.eval_rows[view.targets])

    @cached_property
    def eval_rows(self) -> np.ndarray:
        """bool per row: examples that nothing is ever trained on."""
        return evaluation_rows(self.stream, self.site.options.timeline.targets, self.site.options.eval_share)

    @cached_property
    def workshop(self) -> Any:
        from regraft.setup.base import open_workshop

        options, folder = self.site.options, self.site.cache / "work"
        stream = self.stream if options.base.path else self.site.base_stream(self.stream)
        return open_workshop(options, stream, self.site.template(options.template), self.regime, folder)

    def _reading(self, options: ContenderOptions) -> Any:
        """The workshop under the contender's own template."""
        shop, template = self.workshop, self.site.template(options.template or self.site.options.template)
        return shop if template.hash == shop.encoder.template.hash else shop.reading(template)
