from __future__ import annotations

import numpy as np
import pytest

from regraft.errors import ConfigError
from regraft.prompts.similarity.protocol import checked, known, on_grid, similarity_of


def test_a_setting_names_a_similarity_and_its_rung() -> None:
    assert [similarity_of(name).rung for name in ("columns", "tfidf")] == ["content columns", "text vectors"]
    assert checked("none") == "none"
    assert known() == ["none", "columns", "encoder:PATH", "tfidf"]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("words", "similarity 'words': is unknown\nExpected one of none, columns, encoder:PATH, tfidf"),
        ("encoder", "similarity 'encoder': missing 1 required positional argument: 'path'"),
        ("tfidf:big", "similarity 'tfidf:big': takes 1 positional argument but 2 were given"),
        ("encoder:nowhere", "similarity 'encoder:nowhere': there is nothing at this path"),
    ],
)
def test_what_is_no_setting_is_refused(setting: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(setting)
    assert str(caught.value).startswith(told)


def test_dot_products_of_vectors_on_the_grid_are_the_same_in_any_order() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 256)).astype(np.float32)
    vectors = on_grid(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    order = rng.permutation(256)
    whole = vectors @ vectors.T
    np.testing.assert_array_equal(vectors[:, order] @ vectors[:, order].T, whole)
    np.testing.assert_array_equal(np.stack([vectors @ row for row in vectors]), whole)
