"""The rungs of the ladder: how much model a contender uses, from the cheapest to the dearest."""

RUNGS = (
    "counts", "rates", "neighbours", "content columns", "text vectors",
    "model as it came", "adapted", "renewed",
)  # fmt: skip


CLASSICAL = RUNGS[: RUNGS.index("model as it came")]  # without a language model


def height(rung: str) -> int:
    """Place of a rung on the ladder, from 0."""
    return RUNGS.index(rung)
