"""Rows of a log that repeat an earlier row, and rows that contradict one."""

from __future__ import annotations

import polars as pl

from regraft.data.interactions import EVENT_ID

KEY = ("user_id", "item_id", "timestamp", "event", "value")  # what makes two rows without EVENT_ID copies of each other


def copies_of_earlier(rows: pl.DataFrame) -> pl.Series:
    """bool per row: its event_id stood in an earlier row; where it has none, all that it says did.

    A row with neither an event_id nor a value is never a copy: in a log of clicks, a repeat is a second click.
    """
    valued = rows["value"].is_not_null()
    if EVENT_ID not in rows.columns:
        return _repeats(rows, KEY, valued)
    named = rows[EVENT_ID].is_not_null()
    return _repeats(rows, (EVENT_ID,), named) | _repeats(rows, KEY, valued & ~named)


def _repeats(rows: pl.DataFrame, columns: tuple[str, ...], among: pl.Series) -> pl.Series:
    """bool per row: it is one of `among`, and an earlier one of these has the same in all columns."""
    none = pl.repeat(False, rows.height, eager=True)
    if not among.any() or (hashes := rows.select(columns).hash_rows()).n_unique() == rows.height:
        return none
    # Only rows whose hash occurs twice need the slow, exact comparison.
    twice = rows.with_row_index("index").filter(hashes.is_duplicated() & among)
    copies = twice.filter(~pl.struct(columns).is_first_distinct())["index"]
    return none.scatter(copies, True)


def contradictions(rows: pl.DataFrame) -> list[str]:
    """Rows that give one user, item, instant and event another value than an earlier row."""
    valued = rows.filter(pl.col("value").is_not_null()) if rows["value"].null_count() else rows
    again = valued.height - valued.select(*KEY[:-1]).hash_rows().n_unique()
    what = "rows rate an item that their user rated at the same instant with another value; all of them are kept"
    return [f"{again:,} {what}"] if again else []
