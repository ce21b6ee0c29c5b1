"""The rungs of the ladder: how much model a contender uses, from the cheapest to the dearest."""

RUNGS = (
    "counts", "rates", "neighbours", "content columns", "text vectors",
    "model as it came", "adapted", "renewed",
)  # fmt: skip


def height(rung: str) -> int:
    """Place of a rung on the ladder, from 0."""
    return RUNGS.index(rung)
