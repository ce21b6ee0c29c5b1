"""What a base model is built from."""

from __future__ import annotations

from regraft.data.periods import Periods
from worlds import tiny_stream


def test_the_warm_up_of_an_implicit_log_holds_its_sampled_negatives() -> None:
    rows = " ".join(f"u{n % 3}:i{(n * 5) % 7}+@{100 * n}" for n in range(40))
    stream = tiny_stream(rows, label="implicit", negatives=1, periods=Periods(by="count", n=2, warm_up=0.5))
    warm_up = stream.warm_up()
    assert 0.4 < warm_up.labels.mean() < 0.7
    assert (warm_up.period == 0).all()
