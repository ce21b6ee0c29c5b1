"""What a sampler of negatives gives away: AUC of two numbers alone, under both samplers.

    python bench/tell_tale.py amazon-2014-books.interactions.parquet complete-journey-2017.interactions.parquet

`item_count` is how many events the item had before, `no earlier event` whether it had none, `bought before` whether
this user had this item before. A fair sampler leaves taste in them, an unfair one says which of two rows was drawn.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from common import data_file

from regraft.data.regimes import Regime
from regraft.data.source import DataOptions, open_stream
from regraft.data.stream import Stream
from regraft.metrics.binary import auc
from regraft.prompts.facts import fact_table


def bought_before(stream: Stream) -> np.ndarray:
    """bool per row: whether its user has an earlier event with its item."""
    key = stream.user.astype(np.int64) * (int(stream.item.max()) + 1) + stream.item
    real = np.flatnonzero(stream.happened)
    pairs, first = np.unique(key[real], return_index=True)
    at = np.minimum(np.searchsorted(pairs, key), len(pairs) - 1)
    return (pairs[at] == key) & (stream.time[real[first[at]]] < stream.time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("logs", nargs="+", help="files of the data folder, without ratings")
    options = parser.parse_args()
    print(
        "| log | sampler | rows | item_count alone | no earlier event: chosen / drawn | alone | bought before alone |"
    )
    print("|---|---|--:|--:|--:|--:|--:|")
    for name in options.logs:
        for sampler in ("untouched", "period"):
            periods: dict[str, Any] = {"by": "count", "n": 8, "warm_up": 0.3}
            data = {"path": str(data_file(name)), "label": "implicit", "sampler": sampler, "periods": periods}
            stream = open_stream(DataOptions.model_validate(data))
            scored = stream.targets[stream.period[stream.targets] > 4]
            count = fact_table(stream, Regime())["item_count"].to_numpy()[scored]
            label, before = stream.label[scored], bought_before(stream)[scored]
            unseen = count == 0
            shares = " / ".join(f"{unseen[label == y].mean():.3f}" for y in (1, 0))
            alone = [f"{auc(label, column.astype(float)):.4f}" for column in (count, unseen, before)]
            numbers = f"{alone[0]} | {shares} | {alone[1]} | {alone[2]}"
            log = name.split(".")[0]
            print(f"| {log} | {sampler} | {len(scored):,} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
