"""The report as a browser shows it: not blank, not wider than the screen, in both languages and themes."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from browser.chromium import BROWSER
from regraft.report.report import write_report
from regraft.report.results import Results
from regraft.report.summary import summarise
from report.synthetic_results import DEFAULT, Player, write_results

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
A4 = 703  # pixels between the margins
LONG = Player("a-contender-with-a-name-that-somebody-made-far-too-long-for-any-table-or-legend-on-a-phone")
MEASURE = """<!doctype html><meta charset="utf-8"><body>
<iframe src="{page}" style="width:{width}px;height:900px;border:0"></iframe>
<script>
addEventListener("load", () => {{
  const inside = document.querySelector("iframe").contentDocument;
  const outside = [...inside.querySelectorAll("body *")].filter(element =>
    element.getBoundingClientRect().right > {width} + 1 && !element.closest("{may_scroll}"));
  document.title = `measured ${{inside.documentElement.scrollWidth}} ${{outside.length}}`;
}});
</script></body>"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = write_results(tmp_path_factory.mktemp("run"), (*DEFAULT, LONG), seeds=(0, 1))
    results = Results.load(folder)
    summary = summarise(results, 50)
    return {lang: write_report(results, folder / f"{lang}.html", lang, summary=summary) for lang in ("en", "ja")}


def chromium(profile: Path, *arguments: str) -> str:
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
    fixed += ["--disable-background-networking", "--virtual-time-budget=2000", f"--user-data-dir={profile}"]
    command = [str(BROWSER), *fixed, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def picture(page: Path, width: int, *arguments: str) -> np.ndarray:
    """Grey values 0 to 1 [height, width]."""
    path = page.with_name(f"{page.stem}-{width}.png")
    size = f"--window-size={width},2600"
    chromium(page.parent / "profile", size, f"--screenshot={path}", *arguments, page.as_uri())
    return np.asarray(imread(path))[:, :, :3].mean(axis=2)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_first_screens_are_neither_blank_nor_full(reports: dict[str, Path], lang: str) -> None:
    grey = picture(reports[lang], 1366)
    paper = np.median(grey)
    assert paper > 0.95
    inked = np.abs(grey - paper) > 0.2
    assert 0.01 < inked.mean() < 0.3
    bands = inked.reshape(13, 200, -1).mean(axis=(1, 2))
    assert (bands > 0.001).sum() >= 11  # text or figures nearly everywhere, top to bottom


def test_the_dark_theme_is_dark_and_readable(reports: dict[str, Path]) -> None:
    grey = picture(reports["en"], 1366, "--blink-settings=preferredColorScheme=0")
    assert np.median(grey) < 0.15
    assert (grey > 0.7).mean() > 0.005


def too_wide(page: Path, width: int, may_scroll: str) -> tuple[int, int]:
    """Width that the page takes on a screen of that width, and how many elements reach beyond the screen."""
    wrapper = page.with_name(f"measure-{page.stem}-{width}.html")
    wrapper.write_text(MEASURE.format(page=page.name, width=width, may_scroll=may_scroll), encoding="utf-8")
    dom = chromium(page.parent / "profile", "--allow-file-access-from-files", "--dump-dom", wrapper.as_uri())
    found = re.search(r"<title>measured (\d+) (\d+)</title>", dom)
    assert found, dom[:500]
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("width", [390, 768, 1366])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_nothing_is_wider_than_the_screen(reports: dict[str, Path], lang: str, width: int) -> None:
    taken, outside = too_wide(reports[lang], width, ".scroll, svg, pre")
    assert taken <= width
    assert outside == 0


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_no_column_is_lost_on_paper(reports: dict[str, Path], lang: str) -> None:
    text = reports[lang].read_text(encoding="utf-8")
    assert "@media print" in text
    screen_only = re.sub(r"@media \((max-width|prefers)", r"@media speech and (\1", text)
    paper = reports[lang].with_name(f"paper-{lang}.html")
    paper.write_text(screen_only.replace("@media print", "@media all"), encoding="utf-8")
    taken, outside = too_wide(paper, A4, "svg, pre, details")
    assert taken <= A4
    assert outside == 0


def test_the_report_prints_on_a_handful_of_pages(reports: dict[str, Path]) -> None:
    page = reports["en"]
    pdf = page.with_suffix(".pdf")
    chromium(page.parent / "profile", "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri())
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    assert 4 <= pages <= 14
