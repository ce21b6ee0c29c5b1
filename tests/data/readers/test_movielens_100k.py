"""MovieLens-100K: u.item, and the real data where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from regraft.data.readers import movielens_100k as reader

SHARED = Path(os.environ.get("REGRAFT_DATA") or Path(__file__).parents[4] / "shared" / "data")
REAL = SHARED / "ml-100k.zip"


def movie(number: int, title: str, *genres: str) -> str:
    flags = "|".join(str(int(genre in genres)) for genre in reader.GENRES)
    return f"{number}|{title}|01-Jan-1995||http://example.org/?{number}|{flags}\n"


def world(folder: Path, movies: bytes) -> Path:
    (folder / "u.data").write_text("196\t242\t3\t881250949\n")
    (folder / "u.item").write_bytes(movies)
    return folder


def test_genre_flags_become_words(tmp_path: Path) -> None:
    text = movie(1, "Toy Story (1995)", "Animation", "Comedy") + movie(2, "unknown") + movie(3, "Odd", "unknown")
    assert reader.items(world(tmp_path, text.encode())).collect().rows() == [
        ("1", "Toy Story (1995)", "Animation, Comedy"),
        ("2", "unknown", None),
        ("3", "Odd", "unknown"),
    ]


@pytest.mark.parametrize(
    ("title", "encoding"), [("Misérables, Les (1995)", "iso-8859-1"), ("七人の侍", "utf-8"), ("A|B", "ascii")]
)
def test_titles_of_any_kind_arrive_whole(title: str, encoding: str, tmp_path: Path) -> None:
    items = reader.items(world(tmp_path, movie(7, title, "Drama").encode(encoding))).collect()
    assert items.rows() == [("7", title, "Drama")]


def test_the_items_of_a_log_file_lie_beside_it(tmp_path: Path) -> None:
    world(tmp_path, movie(1, "One").encode())
    assert reader.items(tmp_path / "u.data").collect()["title"].to_list() == ["One"]
    assert reader.sources(tmp_path / "u.data") == [tmp_path / "u.data", tmp_path / "u.item"]


def test_without_u_item_there_are_no_items(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n")
    assert reader.items(tmp_path).collect().shape == (0, 3)


@pytest.mark.skipif(not REAL.exists(), reason="ml-100k.zip is not at hand (set REGRAFT_DATA)")
def test_the_real_data_set_is_read_whole() -> None:
    assert reader.sniff(REAL)
    batches = list(reader.interactions(REAL))
    rows = pl.concat([batch.rows for batch in batches])
    assert rows.height == 100_000
    assert rows["user_id"].n_unique() == 943
    assert sum(batch.rejected.height for batch in batches) == 0
    assert reader.items(REAL).collect().row(1) == ("2", "GoldenEye (1995)", "Action, Adventure, Thriller")
