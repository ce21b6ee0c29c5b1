"""The pictures of the owner's guide, taken of a demo as a browser shows it.

regraft dashboard --demo demo-site
python bench/guide_pictures.py demo-site

Needs Chromium, and Playwright of the extra `dev`. Numbers that the guide says of the pictures are to be read off them.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from common import ROOT
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from regraft.dashboard.app import make_app
from regraft.dashboard.demo import SITE
from regraft.setup.site import Site
from regraft.state import keys
from regraft.state.database import transaction

IMAGES = ROOT / "docs" / "images"
WIDTH = 1180
PICTURES = {  # name: address, height
    "overview": ("/?weeks=4", 725), "pilot": ("/pilot?", 798), "long-term": ("/long-term?weeks=4&arm=each", 945),
    "confirm": ("/act/decide?pilot=first", 500),
}  # fmt: skip
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
OWNER = "owner"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("demo", type=Path, help="folder of a demo that is made")
    asked.add_argument("--out", type=Path, default=IMAGES)
    given = asked.parse_args()
    out = given.out.resolve()
    os.chdir(given.demo.parent)  # commands on the pages name the site as a reader beside it would
    site = Site.open(Path(given.demo.name) / SITE)
    with transaction(site.engine) as connection:
        key = keys.make(connection, OWNER, ("operate",))
    try:
        with served(site) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            for lang, ending in {"en": "", "ja": ".ja"}.items():
                for name, (path, height) in PICTURES.items():
                    page = browser.new_page(viewport={"width": WIDTH, "height": height})
                    page.goto(f"{address}{path}&lang={lang}")
                    save(whole(page, key), out / f"dashboard-{name}{ending}.png")
                    page.close()
    finally:
        with transaction(site.engine) as connection:
            keys.revoke(connection, OWNER)


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of the dashboard, as long as this is open."""
    server = uvicorn.Server(uvicorn.Config(make_app(site), port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def whole(page: Page, key: str) -> bytes:
    """The page once its numbers are worked out; a key is given where one is asked for."""
    if page.locator("#key").count():
        page.locator("#key").fill(key)
        page.locator("form.sign-in button").click()
    while page.locator("body[data-refresh]").count():  # numbers of the pilot are being worked out
        time.sleep(2)
        page.reload()
    return page.screenshot()


def save(picture: bytes, path: Path) -> None:
    """As a PNG of few colours: half the size, and no eye sees it."""
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(128).save(path, optimize=True)
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
