"""Amazon Reviews 2023, in the published layout."""

from __future__ import annotations

import json
from pathlib import Path

from regraft.data.readers import amazon_2023 as reader

REVIEW = {
    "rating": 4.0,
    "title": "Such a lovely scent",
    "text": "This spray is really nice.",
    "images": [{"small_image_url": "https://example.org/a.jpg"}],
    "asin": "B00YQ6X8EO",
    "parent_asin": "B00YQ6X8E0",
    "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
    "timestamp": 1588687728923,
    "helpful_vote": 0,
    "verified_purchase": True,
}
META = [
    {
        "parent_asin": "B1",
        "title": "香水",
        "store": "Howard",
        "categories": ["Beauty", "Scent"],
        "main_category": "X",
    },
    {"parent_asin": "B2", "title": "Plain", "store": None, "categories": [], "main_category": "All Beauty"},
]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_published_review_line_is_read_to_the_millisecond(tmp_path: Path) -> None:
    path = write(tmp_path / "All_Beauty.jsonl", REVIEW)
    row = next(reader.interactions(path)).rows.row(0, named=True)
    assert (row["user_id"], row["item_id"], row["value"]) == (REVIEW["user_id"], "B00YQ6X8E0", 4.0)
    assert row["timestamp"].isoformat() == "2020-05-05T14:08:48.923000+00:00"


def test_store_is_the_brand_and_the_main_category_stands_in(tmp_path: Path) -> None:
    path = write(tmp_path / "All_Beauty.jsonl", REVIEW)
    write(tmp_path / "meta_All_Beauty.jsonl", *META)
    items = reader.items(path).collect()
    assert items.columns == ["item_id", "title", "brand", "category"]
    assert items.rows() == [("B1", "香水", "Howard", "Beauty, Scent"), ("B2", "Plain", None, "All Beauty")]


def test_reviews_of_2018_are_not_this_format(tmp_path: Path) -> None:
    review = {"reviewerID": "A", "asin": "B", "overall": 5.0, "unixReviewTime": 1515024000}
    assert reader.sniff(write(tmp_path / "log.json", review)) is None
