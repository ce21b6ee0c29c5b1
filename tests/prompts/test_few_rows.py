"""A product of a few sparse rows against the one that SciPy gives: equal to the bit on a grid, also of empty rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from regraft.prompts.few_rows import product_of_few


@pytest.mark.parametrize("few", [[3, 17, 17, 2], [7], [], [0, 1]])
def test_it_is_the_product_of_the_rows_to_the_bit(few: list[int]) -> None:
    rows = csr_array(random_array((30, 500), density=0.02, rng=np.random.default_rng(0), dtype=np.float64))
    rows.data = np.rint(rows.data * 2**11) / 2**11
    rows = csr_array(rows.astype(np.float32))
    rows.data[rows.indptr[0] : rows.indptr[2]] = 0
    rows.eliminate_zeros()  # rows 0 and 1 are empty
    some = np.array([0, 3, 29, 7, 7])
    expected = (rows[some] @ rows[np.array(few, dtype=int)].T).toarray()
    assert (expected > 0).any() or few in ([], [0, 1])
    np.testing.assert_array_equal(product_of_few(rows, some, np.array(few, dtype=int)), expected)
