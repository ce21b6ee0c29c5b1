from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from regraft.prompts.similarity.columns import Columns
from regraft.prompts.similarity.terms import values
from regraft.prompts.similarity.tfidf import Tfidf

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Red cable", "Blue cable", "Lamp", "red RED lamp"],
        "genres": ["Music, Horror", "Music", "Horror", None],
    }
)
both = pytest.mark.parametrize("kind", [Columns, Tfidf])


def test_an_attribute_with_commas_has_several_values() -> None:
    assert values(["title", "genres", "brand"], ("A, B", "Music, Horror ", None)) == ["genres=music", "genres=horror"]


def test_items_that_share_a_value_are_alike_and_a_rare_value_counts_more() -> None:
    similarity = Columns()
    similarity.fit(ITEMS)
    cosine = (similarity.vectors(ITEMS) @ similarity.vectors(ITEMS).T).toarray()
    assert cosine[0, 1] == pytest.approx(1 / np.sqrt(2)) and cosine[0, 1] == cosine[0, 2]
    assert cosine[1, 2] == 0
    assert (cosine[3] == 0).all()  # it has no attribute


def test_words_are_compared_in_lower_case() -> None:
    similarity = Tfidf()
    similarity.fit(ITEMS)
    cosine = (similarity.vectors(ITEMS) @ similarity.vectors(ITEMS).T).toarray()
    assert cosine[3, 0] > 0 and cosine[3, 2] > 0 and cosine[3, 1] == 0


@both
def test_rows_have_length_one_and_depend_on_their_own_item_alone(kind: type[Columns | Tfidf]) -> None:
    similarity = kind()
    similarity.fit(ITEMS)
    vectors = similarity.vectors(ITEMS).toarray()
    lengths = np.linalg.norm(vectors, axis=1)
    assert all(length == pytest.approx(1, abs=1e-6) or length == 0 for length in lengths)
    for number in range(len(ITEMS)):
        np.testing.assert_array_equal(similarity.vectors(ITEMS[number]).toarray()[0], vectors[number])


@both
def test_a_term_that_no_known_item_had_is_left_out(kind: type[Columns | Tfidf]) -> None:
    similarity = kind()
    similarity.fit(ITEMS[:2])
    strange = pl.DataFrame({"item_id": ["x"], "title": ["Fridge"], "genres": ["Kitchen"]})
    assert similarity.vectors(strange).nnz == 0


@both
def test_without_known_items_all_vectors_are_zero(kind: type[Columns | Tfidf]) -> None:
    similarity = kind()
    similarity.fit(ITEMS[:0])
    assert similarity.vectors(ITEMS).shape[0] == 4 and similarity.vectors(ITEMS).nnz == 0


@both
@pytest.mark.parametrize("n", [0, 4])
def test_restored_from_its_arrays_it_gives_the_same_vectors_to_the_bit(kind: type[Columns | Tfidf], n: int) -> None:
    similarity, other = kind(), kind()
    similarity.fit(ITEMS[:n])
    other.restore(similarity.arrays())
    assert other.vectors(ITEMS).toarray().tobytes() == similarity.vectors(ITEMS).toarray().tobytes()
