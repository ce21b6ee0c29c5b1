"""MovieLens CSV files (20M and later), in the published layout."""

from __future__ import annotations

import zipfile
from pathlib import Path

from regraft.data.readers import movielens_csv as reader

RATINGS = "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147868817\n"
MOVIES = (
    """movieId,title,genres
296,"American President, The (1995)",Comedy|Drama|Romance
306,七人の侍 (1954),Action
307,"""
    + '"""Quoted"" (2000)",(no genres listed)\n'
)
EXPECTED = [
    ("296", "American President, The (1995)", "Comedy, Drama, Romance"),
    ("306", "七人の侍 (1954)", "Action"),
    ("307", '"Quoted" (2000)', None),
]


def test_quoted_titles_and_genres_are_read(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text(MOVIES, encoding="utf-8")
    assert reader.items(tmp_path).collect().rows() == EXPECTED


def test_the_published_zip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ml-latest-small.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml-latest-small/ratings.csv", RATINGS)
        archive.writestr("ml-latest-small/movies.csv", MOVIES)
    rows = next(reader.interactions(path)).rows
    assert rows["item_id"].to_list() == ["296", "306"]
    assert rows["value"].to_list() == [5.0, 3.5]
    assert reader.items(path).collect().rows() == EXPECTED
    assert reader.sources(path) == [path]


def test_another_header_is_not_this_format(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,tag,timestamp\n1,296,5.0,1147880044\n")
    assert reader.sniff(tmp_path) is None


def test_files_written_again_with_quotes_row_numbers_and_other_columns_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text('"","movieId","userId","rating","timestamp"\n"1",296,7,5,1147880044\n')
    (tmp_path / "movies.csv").write_text('"","movieId","title","genres"\n"1",296,"Heat, The","Drama|War"\n')
    assert reader.sniff(tmp_path) is not None
    assert next(reader.interactions(tmp_path)).rows.select("user_id", "item_id").rows() == [("7", "296")]
    assert reader.items(tmp_path).collect().rows() == [("296", "Heat, The", "Drama, War")]


def test_movies_that_cannot_be_read_are_set_aside_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,Heat\n2,Up,Drama\n")
    assert reader.catalogue(tmp_path).rejected.rows() == [("movies.csv", 2, "field-count", "1,Heat")]


def test_without_movies_csv_there_are_no_items(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    assert reader.items(tmp_path).collect().is_empty()
