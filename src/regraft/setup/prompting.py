"""The stream, template and encoder of a run or a site, for looking at prompts before anything is trained.

A template that lies in a file is anybody's: it is rendered in a process of its own (prompts/confined.py).
"""

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
from regraft.output_paths import output
from regraft.prompts.confined import Confined
from regraft.prompts.export import COLUMNS, INFO, export
from regraft.prompts.preview import Preview, Prompts
from regraft.prompts.template import Template, library
from regraft.setup.base import encoder_of, open_workshop
from regraft.setup.build import nano_place
from regraft.setup.config import SITE_FILE, ArenaConfig, ModelOptions
from regraft.setup.inputs import inputs

if TYPE_CHECKING:
    from regraft.lm.base_model import BaseModel
    from regraft.lm.workshop import Workshop
    from regraft.setup.site import Site


@dataclass(frozen=True)
class Desk:
    """What prompts of one configuration are made of; `reads` are files and folders that nothing is written onto."""

    config: ModelOptions
    stream: Stream
    template: Template
    regime: Regime
    reads: tuple[Path, ...] = ()
    base: Path | None = None  # where the base model of a site lies, if it is there

    @classmethod
    def at(cls, place: Path, template: str | None = None) -> Desk:
        """Of a run by its YAML file, or of a site by its folder; `template` takes the place of the configuration's."""
        if place.is_dir() or place.name == SITE_FILE:
            from regraft.setup.site import Site  # needs the extra `site`, which runs do without

            return cls.of_site(Site.open(place if place.is_dir() else place.parent), template)
        return cls.open(ArenaConfig.read(place), template)

    @classmethod
    def open(cls, config: ArenaConfig, template: str | None = None) -> Desk:
        """Of a run; `template` takes the place of the configuration's."""
        found = opened(template or config.template)
        return cls(config, open_stream(config.data), found, Regime.parse(config.regime), tuple(inputs(config)))

    @classmethod
    def of_site(cls, site: Site, template: str | Template | None = None) -> Desk:
        """Of a site with the days it has closed. `template`: a saved one by its number, a file, a library name."""
        from regraft.state.database import transaction

        with transaction(site.engine) as connection:
            cuts = site.closed_cuts(connection)
        stream = site.stream(cuts)
        found = template if isinstance(template, Template) else confined(site, template)
        options = site.options
        return cls(options, stream, found, Regime.parse(options.regime), (site.folder,), base_of(site, stream))

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
        reads = [*self.reads, *reads]
        output(out, reads, force, mark="")
        if format in COLUMNS:
            output(out.parent / INFO, [*reads, out], force=True)  # its other entries stay
        n = self.stream.n_periods
        if period is not None and not 1 <= period <= n:
            raise DataError(
                "stream '{stream}'", "has no period {period}", "1 to {n}", stream=self.stream.name, period=period, n=n
            )
        view = self.stream if period is None else self.stream.cases(period)
        shape = self.config.timeline.shape
        return export(view, self.template, self.regime, shape, format, out, self.config.refresh, self.config.similarity)

    def newest_of(self, user: str) -> int:
        """The number of a user's newest example."""
        known = (self.stream.user_ids == user).arg_max()
        if known is None or self.stream.user_ids[known] != user:
            raise DataError(
                "user '{user}'", "is not in the stream {stream}", "a user id, e.g. {first}",
                user=user, stream=self.stream.name, first=self.stream.user_ids[0],
            )  # fmt: skip
        own = np.flatnonzero(self.stream.users == known)
        if not len(own):
            raise DataError(
                "user '{user}'", "has no examples, only history", "a user with examples", "Use --example N", user=user
            )
        return int(own[-1])


def opened(name: str | Path) -> Template:
    """A template by name or path; one that does not come with regraft is confined."""
    return Template.load(name) if str(name) in library() else Confined.load(name)


def confined(site: Site, name: str | None = None) -> Template:
    """A template of a site: one that was saved, by its number; a file or name; None for the one in use."""
    from regraft.state import templates
    from regraft.state.database import transaction

    with transaction(site.engine) as connection:
        if name is None:
            saved = templates.live(connection)
        else:
            saved = templates.template(connection, int(name)) if name.isdecimal() else None
    if saved is not None:
        return Confined(saved.source, f"{saved.name}-{saved.id:04d}")
    place = site.folder / (name or site.options.template)
    return opened(place if place.is_file() else name or site.options.template)


def base_of(site: Site, stream: Stream) -> Path | None:
    """Where a site's base model lies: the one it names, or the small one built from its log; None for neither."""
    if site.options.base.path:
        place = Path(site.options.base.path)
        return place if place.exists() else None
    place, built = nano_place(
        site.cache / "work", site.options, site.base_stream(stream), site.template(site.options.template)
    )
    return place if built else None
