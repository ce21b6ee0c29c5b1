"""Arena: the reports of comparisons that lie in the site's folder."""

from __future__ import annotations

from typing import Any

from regraft.dashboard.dashboard_words import DashboardWords
from regraft.dashboard.standing import Standing
from regraft.dashboard.view import View
from regraft.release.runs import date_of
from regraft.setup.site import Site


def content(site: Site, view: View, words: DashboardWords, now: Standing) -> dict[str, Any]:
    paths = sorted(site.reports.rglob("*.html"), key=lambda path: path.stat().st_mtime, reverse=True)
    return {
        "reports": [
            {
                "name": str(path.relative_to(site.reports)), "size": path.stat().st_size,
                "day": date_of(round(path.stat().st_mtime * 1000)),
            }
            for path in paths
        ]
    }  # fmt: skip
