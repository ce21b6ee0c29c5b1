"""Makes the contenders of a run, with what they share: the base model, an encoder per template, facts on item texts."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from regraft.arena.cell import Cell
from regraft.arena.collect import BASE
from regraft.data.stream import Stream
from regraft.files import write_text
from regraft.prompts.facts import fact_table
from regraft.prompts.similarity.protocol import NONE
from regraft.setup.config import ContenderOptions
from regraft.strategies.contender import Contender, new_contender

if TYPE_CHECKING:
    from regraft.arena.compare import Arena


class ContenderFactory:
    """Of one run; nothing is loaded before a contender needs it."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self._workshops: dict[str, Any] = {}  # by template

    def new(self, cell: Cell) -> Contender:
        """The cell's contender, before its first update."""
        options, lab = cell.contender, None
        self.work_out_content(options)
        if options.kind == "strategy":
            workshop = self.workshop_of(options)  # first: it says what to install where PyTorch is missing
            from regraft.lm.lab import ModelLab

            lab = ModelLab(workshop, cell.seed)
        return new_contender(
            options.kind,
            options.use,
            self.arena.config.settings_of(options),
            self.arena.regime,
            cell.seed,
            options.calibration,
            lab,
        )

    @cached_property
    def workshop(self) -> Any:
        """Base model, encoder and kept results; built (or loaded) when the first strategy needs it."""
        from regraft.setup.base import in_words, open_workshop

        arena = self.arena
        workshop = open_workshop(arena.config, arena.stream, arena.template, arena.regime, arena.folder)
        arena.base = in_words(workshop.base)
        if arena.folder.is_dir():  # a run that is killed and goes on may never open it again
            write_text(arena.folder / BASE, json.dumps(arena.base))
        return workshop

    def workshop_of(self, contender: ContenderOptions) -> Any:
        """The same workbench, with another encoder for a contender whose template is another."""
        template = self.arena.templates[contender.label]
        if template.hash not in self._workshops:
            self._workshops[template.hash] = (
                self.workshop if template.hash == self.arena.template.hash else self.workshop.reading(template)
            )
        return self._workshops[template.hash]

    def work_out_content(self, contender: ContenderOptions, log: Stream | None = None) -> None:
        """The content facts that a contender asks for, for a whole log (the run's) at once: views take their part."""
        arena = self.arena
        for one in self._compares(contender) - {NONE}:
            if arena.lists and log is None:  # on the way: one pass through the log gives rows and pairs their facts
                arena.lists.answer(one)
            fact_table(arena.stream if log is None else log, arena.regime, similarity=one)

    def _compares(self, contender: ContenderOptions) -> set[str]:
        """How the contender, or the stack behind it, compares item texts."""
        asked = {self.arena.config.settings_of(contender).get("similarity", NONE)}
        if contender.kind == "strategy" and contender.on_stack:
            asked.add(self.arena.config.similarity)
        return asked

    @property
    def similarities(self) -> list[str]:
        """The ways in which contenders compare item texts, `none` first."""
        asked = {one for contender in self.arena.config.contenders for one in self._compares(contender)}
        return [NONE, *sorted(asked - {NONE})]
