import re
import string
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from regraft.errors import ConfigError
from regraft.report.drawing import far_out, labels_apart, spread
from regraft.report.figures import pareto
from regraft.report.ladder_words import LADDER
from regraft.report.list_words import LISTS
from regraft.report.page_words import PAGE
from regraft.report.report import write_report
from regraft.report.report_words import PHRASES, Words
from regraft.report.results import Results
from regraft.report.summary import summarise, verdict
from regraft.report.verdict_words import VERDICT
from report.synthetic_results import DEFAULT, Player, unfinish, write_results

SECTIONS = [
    "verdict",
    "ladder",
    "seeds",
    "leaderboard",
    "periods",
    "matrix",
    "cost",
    "memory",
    "groups",
    "calibration",
    "run",
]
HOSTILE = '<script>alert("1")</script>&amp;{{7*7}}$x_1$ 日本語'


class Page(HTMLParser):
    """Tags that are open at the end, ids, text, and everything a browser would fetch."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = write_results(tmp_path_factory.mktemp("run"))
    results = Results.load(folder)
    summary = summarise(results, 100)
    return {
        lang: write_report(results, folder / f"{lang}.html", lang, summary=summary).read_text(encoding="utf-8")
        for lang in ("en", "ja")
    }


def report(folder: Path) -> str:
    return write_report(folder, folder, n_resamples=50).read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_is_well_formed_and_has_every_section(pages: dict[str, str], lang: str) -> None:
    page = Page(pages[lang])
    assert page.open == []
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_fetches_nothing_and_runs_nothing(pages: dict[str, str], lang: str) -> None:
    page = Page(pages[lang])
    assert all(link.startswith("#") for link in page.links)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "image"}
    assert "http:" not in pages[lang]
    assert "https:" not in pages[lang]
    assert "@import" not in pages[lang]
    assert not re.search(r"url\((?!#)", pages[lang])


def test_no_identifier_occurs_twice_and_every_reference_has_its_target(pages: dict[str, str]) -> None:
    page = Page(pages["en"])
    assert len(page.ids) == len(set(page.ids))
    references = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]+)\)", pages["en"]))
    assert references <= set(page.ids)


def test_figures_hold_real_text_in_the_colours_of_the_theme(pages: dict[str, str]) -> None:
    figures = re.findall(r"<svg viewBox.*?</svg>", pages["en"], flags=re.S)
    assert len(figures) > 20
    assert any("<text" in figure and "tested period" in figure for figure in figures)
    assert not re.search(r"#0101[01]\d", pages["en"])
    assert "font-family" not in "".join(figures)


def test_the_japanese_page_says_so_and_speaks_japanese(pages: dict[str, str]) -> None:
    assert '<html lang="ja">' in pages["ja"]
    text = " ".join(Page(pages["ja"]).text)
    assert "順位表" in text
    assert "Leaderboard" not in text


def test_the_verdict_stands_on_the_page(pages: dict[str, str]) -> None:
    assert "This stream can rank strategies" in pages["en"]
    assert "このデータで戦略の順位を付けられます" in pages["ja"]


def test_hashes_versions_and_machine_are_on_the_page(pages: dict[str, str]) -> None:
    for fact in (
        "4-bit original (Q4_1)",
        "0b7be79d00cb",
        "5f0c6a1e",
        "2.13.0",
        "a simulated processor",
        "judge-timeline-facts",
    ):
        assert fact in pages["en"]


def test_twelve_contenders_over_ten_updates_stay_under_two_megabytes(tmp_path: Path) -> None:
    players = [Player(f"strategy-{i}", noise=0.8 + 0.1 * i) for i in range(9)]
    players += [Player(f"baseline-{i}", "baseline", noise=0.9 + 0.3 * i) for i in range(3)]
    folder = write_results(
        tmp_path, players, seeds=(0,), n_periods=14, first_update=4, rows_per_period=60, slice_share=0.4
    )
    assert len(report(folder).encode()) < 2_000_000


def test_names_are_data_and_never_markup(tmp_path: Path) -> None:
    players = (Player(HOSTILE), Player("full-retrain"), Player("x" * 200, "baseline"))
    folder = write_results(tmp_path, players, seeds=(0,), name=HOSTILE, n_periods=6, first_update=4)
    text = report(folder)
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&amp;amp;{{7*7}}$x_1$ 日本語" in text
    assert HOSTILE in " ".join(page.text)


def test_a_run_that_is_not_finished_has_a_report_that_says_so(tmp_path: Path) -> None:
    folder = write_results(tmp_path, DEFAULT, seeds=(0, 1))
    late = (pl.col("contender") == "fine-tune") & (pl.col("update") > 6)
    text = report(unfinish(folder, late | (pl.col("contender") == "rates")))
    assert Page(text).open == []
    assert "not finished: 24 of 35 cells" in text
    assert "not compared: 2 of 5 periods" in text


def test_a_run_without_any_score_has_a_report(tmp_path: Path) -> None:
    text = report(unfinish(write_results(tmp_path), pl.lit(True)))
    page = Page(text)
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert "Nothing has been scored yet" in text


@pytest.mark.parametrize(
    "settings", [{"slice_share": 0.0}, {"first_update": 9}, {"players": (Player("rates", "baseline"),)}]
)
def test_what_was_not_measured_is_left_out_without_a_crash(tmp_path: Path, settings: dict[str, object]) -> None:
    world = {"seeds": (0,), "players": DEFAULT[1:], "rows_per_period": 200, **settings}
    folder = write_results(tmp_path, **world)  # type: ignore[arg-type]
    assert Page(report(folder)).open == []


def test_a_run_of_one_class_has_a_report(tmp_path: Path) -> None:
    folder = write_results(tmp_path, seeds=(0,), n_periods=6, first_update=4)
    path = folder / "cases.parquet"
    pl.read_parquet(path).with_columns(label=pl.lit(0, pl.Int8)).write_parquet(path)
    assert "nan" not in " ".join(Page(report(folder)).text).lower().split()


def test_notes_of_updates_are_shown(tmp_path: Path) -> None:
    folder = write_results(tmp_path, DEFAULT[:1], seeds=(0,), n_periods=6, first_update=4)
    path = folder / "costs.parquet"
    pl.read_parquet(path).with_columns(notes=pl.lit("kept the old blend")).write_parquet(path)
    assert "kept the old blend" in report(folder)


# -- words -----------------------------------------------------------------------------------------


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(PHRASES))
def test_every_phrase_has_both_languages_with_the_same_places(key: str) -> None:
    english, japanese = PHRASES[key]
    assert english.strip()
    assert japanese.strip()
    assert placeholders(english) == placeholders(japanese)


def test_no_phrase_is_defined_twice() -> None:
    assert len(PHRASES) == len(PAGE) + len(LADDER) + len(VERDICT) + len(LISTS)


def test_every_phrase_is_used_somewhere() -> None:
    room = Path(write_report.__code__.co_filename).parent
    used = "".join(
        path.read_text(encoding="utf-8")
        for path in room.iterdir()
        if path.suffix in (".py", ".jinja") and not path.name.endswith("_words.py")
    )
    families = ("llm_", "uauc_", "can rank ", "rung ", "on ")
    groups = re.compile(r"(new|continuing|dormant|cold|warm) (user|item)$")
    used = used.replace("'", '"')
    free = [k for k in PHRASES if f'"{k}"' not in used and not k.startswith(families) and not groups.match(k)]
    spoken_by_value = {"user", "item", "item_count", "history", "strategy", "baseline", "above", "below", "same"} | {
        "unknown",
        "no interval",
    }
    assert set(free) - spoken_by_value == set()


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="one of en, ja"):
        Words("fr")


def test_numbers_are_written_for_people() -> None:
    w = Words("en")
    assert w.seconds(0.012) == "12\u00a0ms"
    assert w.seconds(7.25) == "7.2\u00a0s"
    assert w.seconds(300) == "5.0\u00a0min"
    assert w.count(1_234_567) == "1.23\u00a0M"
    assert w.size(300_000) == "293\u00a0KiB"
    assert w.number(-0.00001) == "0.0000"
    assert w.number(float("nan")) == "–"
    assert w.interval(-0.01, 0.02, signed=True) == "[-0.0100, +0.0200]"
    assert w.listed(["a", "b", "c"]) == "a, b and c"
    assert Words("ja").listed(["a", "b"]) == "a、b"
    assert w.span([11, 12, 13]) == "11–13"
    assert w.span([11, 13]) == "11, 13"


def test_both_languages_say_as_many_sentences(tmp_path: Path) -> None:
    summary = summarise(Results.load(write_results(tmp_path)), 50)
    assert len(verdict(summary, "en")) == len(verdict(summary, "ja"))


# -- places of labels ------------------------------------------------------------------------------


def test_labels_end_up_apart_and_inside_the_frame() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(90, 160, size=(14, 2))
    centres = labels_apart(points, (20, 14), (0, 0, 300, 250))
    for i in range(14):
        for j in range(i):
            gap = np.abs(centres[i] - centres[j])
            assert gap[0] >= 20 or gap[1] >= 14
    assert (centres[:, 0] >= 10).all()
    assert (centres[:, 0] <= 290).all()


def test_labels_of_lines_keep_their_order_and_distance() -> None:
    places = spread([0.5, 0.5, 0.51, 0.9], gap=0.1, low=0.0, high=1.0)
    assert (np.diff(places[[0, 1, 2, 3]]) >= 0.1 - 1e-4).all()
    assert places.min() >= 0.0
    assert places.max() <= 1.0


def test_a_value_far_below_the_others_does_not_set_the_scale() -> None:
    assert far_out([0.75, 0.76, 0.77, 0.76, 0.75, 0.5]) > 0.5
    assert far_out([0.7, 0.75]) < 0.7


def test_the_pareto_line_joins_what_nothing_cheaper_equals() -> None:
    assert pareto([1.0, 2.0, 3.0, 3.0], [0.7, 0.6, 0.8, 0.75]) == [0, 2]
