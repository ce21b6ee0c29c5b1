"""MovieLens-1M: movies.dat, half stars, and the real data where it is at hand."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from regraft.data.readers import movielens_1m as reader

SHARED = Path(os.environ.get("REGRAFT_DATA") or Path(__file__).parents[4] / "shared" / "data")
REAL = SHARED / "ml-1m.zip"
real_data = pytest.mark.skipif(not REAL.exists(), reason="ml-1m.zip is not at hand (set REGRAFT_DATA)")


def items(folder: Path, movies: bytes) -> list[tuple[str | None, ...]]:
    (folder / "movies.dat").write_bytes(movies)
    return reader.items(folder).collect().rows()


def test_genres_are_joined_with_commas(tmp_path: Path) -> None:
    assert items(tmp_path, b"1::Toy Story (1995)::Animation|Comedy\n2::None::\n") == [
        ("1", "Toy Story (1995)", "Animation, Comedy"),
        ("2", "None", None),
    ]


@pytest.mark.parametrize(
    ("title", "encoding"),
    [("Misérables, Les", "iso-8859-1"), ("七人の侍", "utf-8"), ("A::B", "ascii"), ("Dots\x85", "iso-8859-1")],
)
def test_titles_of_any_kind_arrive_whole(title: str, encoding: str, tmp_path: Path) -> None:
    assert items(tmp_path, f"7::{title}::Drama\r\n".encode(encoding)) == [("7", title, "Drama")]


def test_a_movie_line_without_genres_keeps_its_title(tmp_path: Path) -> None:
    assert items(tmp_path, b"7::Lost\n") == [("7", "Lost", None)]


def test_half_stars_of_movielens_10m_are_read(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::122::4.5::838985046\n")
    assert reader.sniff(tmp_path)
    assert next(reader.interactions(tmp_path)).rows["value"].to_list() == [4.5]


@real_data
def test_the_real_data_set_is_read_whole() -> None:
    batches = list(reader.interactions(REAL))
    rows = pl.concat([batch.rows for batch in batches])
    assert rows.height == 1_000_209
    assert rows["user_id"].n_unique() == 6040
    assert sum(batch.rejected.height for batch in batches) == 0
    when = datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)
    assert rows.row(0) == ("1", "1193", when, "rating", 5.0, 1)
    movies = reader.items(REAL).collect()
    assert movies.height == 3883
    assert movies.row(72) == ("73", "Misérables, Les (1995)", "Drama, Musical")


@real_data
def test_a_million_ratings_are_read_in_a_few_seconds_at_most() -> None:
    # Half a second on two cores; the room is for a busy machine. A loop over rows would not fit.
    start = time.perf_counter()
    list(reader.interactions(REAL))
    assert time.perf_counter() - start < 3
