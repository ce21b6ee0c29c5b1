import pytest

from regraft.counted import counted


@pytest.mark.parametrize(
    ("n", "told"), [(0, "0 data files"), (1, "1 data file"), (2, "2 data files"), (20_000, "20,000 data files")]
)
def test_one_thing_is_told_in_the_singular(n: int, told: str) -> None:
    assert counted(n, "data files") == told
