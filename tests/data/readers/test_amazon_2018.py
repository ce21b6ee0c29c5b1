"""Amazon reviews of 2014 and 2018, in the published layout."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from regraft.data.readers import amazon_2018 as reader
from regraft.errors import DataError

REVIEW = {
    "overall": 5.0,
    "vote": "25",
    "verified": True,
    "reviewTime": "01 4, 2018",
    "reviewerID": "A3Q",
    "asin": "B01",
    "style": {"Size:": "Large"},
    "reviewText": 'It is\n"fine"',
    "unixReviewTime": 1515024000,
}
META = {"asin": "B01", "title": "[Rare] 歌", "brand": "", "category": ["Beauty", "Hair Care"], "price": "$9"}


def write(path: Path, *rows: object) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_a_published_review_line_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "All_Beauty_5.json.gz", REVIEW)
    row = next(reader.interactions(path)).rows.row(0, named=True)
    assert (row["user_id"], row["item_id"], row["value"]) == ("A3Q", "B01", 5.0)
    assert row["timestamp"].isoformat() == "2018-01-04T00:00:00+00:00"


@pytest.mark.parametrize(
    ("log", "meta"),
    [
        ("All_Beauty.json", "meta_All_Beauty.json"),
        ("All_Beauty_5.json.gz", "meta_All_Beauty.json.gz"),
        ("reviews_All_Beauty_5.json.gz", "meta_All_Beauty.json.gz"),
    ],
)
def test_metadata_are_found_beside_the_log(log: str, meta: str, tmp_path: Path) -> None:
    path = write(tmp_path / log, REVIEW)
    write(tmp_path / meta, META)
    assert reader.items(path).collect().rows() == [("B01", "[Rare] 歌", None, "Beauty, Hair Care")]
    assert reader.sources(path) == [path, tmp_path / meta]


def test_metadata_of_another_name_are_passed(tmp_path: Path) -> None:
    path, meta = write(tmp_path / "log.json", REVIEW), write(tmp_path / "items.json", META)
    assert reader.items(path).collect().is_empty()
    assert reader.items(path, file=meta).collect()["item_id"].to_list() == ["B01"]


def test_metadata_that_are_not_json_are_an_error(tmp_path: Path) -> None:
    path, meta = write(tmp_path / "log.json", REVIEW), tmp_path / "items.json"
    meta.write_text("asin,title\nB01,Tea\n")
    with pytest.raises(DataError, match="holds no JSON objects"):
        reader.items(path, file=meta)


def test_metadata_as_python_prints_them_are_read(tmp_path: Path) -> None:
    path, meta = write(tmp_path / "log.json", REVIEW), tmp_path / "items.json"
    meta.write_text(
        "{'asin': 'B01', 'title': \"Toy's box\", 'categories': [['Toys']], 'brand': u'Caf\\xe9'}\n{'asin'\n"
    )
    found = reader.catalogue(path, file=meta)
    assert found.items.select("item_id", "title", "brand").rows() == [("B01", "Toy's box", "Café")]
    assert found.rejected.rows() == [("items.json", 2, "not-json", "{'asin'")]


def test_reviews_of_2023_are_not_this_format(tmp_path: Path) -> None:
    review = {"user_id": "A", "parent_asin": "B", "asin": "B", "rating": 5.0, "timestamp": 1588687728923}
    assert reader.sniff(write(tmp_path / "log.jsonl", review)) is None
