"""What keeping a recommender fresh costs: money from seconds, bytes and prices."""

from __future__ import annotations

HOUR, GIGABYTE, MONTH = 3600.0, 1e9, 30.0


def update_cost(seconds: float, hour: float) -> float:
    """Money per update: seconds of learning of all contenders x price of an hour of the machine / 3600."""
    return seconds * hour / HOUR


def cost_per_thousand(seconds: float, hour: float) -> float:
    """Money per 1,000 lists: mean seconds per list x 1,000 x price of an hour of the serving machine / 3600.

    As if one list were made after the other; a machine that answers several at once, or waits, costs otherwise.
    """
    return 1000 * seconds * hour / HOUR


def storage_cost(size: float, gigabyte_month: float) -> float:
    """Money per 30 days: bytes of data, versions and cache / 10^9 x price of a gigabyte for 30 days."""
    return size / GIGABYTE * gigabyte_month
