"""What a template can be made of: the items and the label rule of a site, or of a log that is no site yet."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from regraft.setup.config import SITE_FILE
from regraft.setup.site import Site


def material(place: Path) -> tuple[pl.DataFrame, str]:
    """(items, rule of what is liked) of a site's folder or a log's path."""
    if (place / SITE_FILE).is_file():
        site = Site.open(place)
        return site.catalogue(), site.options.data.label
    from regraft.data.ingest import ingest
    from regraft.data.propose import label_rule

    log = ingest(place)
    return log.items, label_rule(log.interactions).value
