"""A site as a run of the arena: its own rows and closed days, its contenders, and the cheap rungs beside them.

The site is only read. Where a run's data is the folder `data` of a site, its rows are those that the site lists.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from regraft.arena.claim import kept_cuts
from regraft.arena.proposal import ladder
from regraft.data.source import open_stream
from regraft.data.stream import Stream
from regraft.setup.config import SITE_FILE, ArenaConfig, ModelOptions

if TYPE_CHECKING:
    from regraft.setup.site import Site

PLACE = Path("reports") / "arena"  # of runs, in a site


def is_site(folder: Path) -> bool:
    """Whether a folder holds a site."""
    return (folder / SITE_FILE).is_file()


def site_config(folder: Path) -> ArenaConfig:
    """Champion and challengers of the site, then the classical rungs below them that they do not name already."""
    from regraft.setup.site import Site  # needs the extra `site`, which other runs do without

    site = Site.open(folder)
    options = site.options
    own: list[Any] = [
        {**one.model_dump(mode="json"), "template": _placed(site, one.template)} for one in options.contenders
    ]
    labels = {one.label for one in options.contenders}
    cheap = [one.given for one in ladder(site.catalogue()) if not one.llm]
    own += [one for one in cheap if (one if isinstance(one, str) else one["name"]) not in labels]
    read = options.model_dump(mode="json", include=set(ModelOptions.model_fields))
    read["template"] = _placed(site, options.template)
    data = {
        "path": str(site.data.resolve()), "label": options.data.label, "negatives": options.data.negatives,
        "seed": options.seed, "periods": {"by": "calendar", "every": "1d"},
    }  # fmt: skip
    own_name = {"name": options.name, "seeds": [options.seed], "eval_share": options.eval_share}
    return ArenaConfig.parse({**read, **own_name, "data": data, "contenders": own}, str(folder / SITE_FILE))


def _placed(site: Site, template: str | None) -> str | None:
    """A file of the site by its path; names of the library stay what they are."""
    return str((site.folder / template).resolve()) if template and (site.folder / template).is_file() else template


def open_log(config: ArenaConfig, folder: Path) -> Stream:
    """The stream of a configuration, cut where the run in the folder was cut; a site's where its days were closed."""
    path = config.data.path
    if path is None or path.name != "data" or not is_site(path.parent):
        return open_stream(config.data, kept_cuts(folder, config.data.periods))
    from regraft.setup.site import Site
    from regraft.state.database import transaction

    site = Site.open(path.parent)
    with transaction(site.engine) as connection:
        cuts = site.closed_cuts(connection)
    return site.stream(cuts)
