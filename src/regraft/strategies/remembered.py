"""Rows that a blend remembers from period to period: by id, and with a check that tells its own log from another.

An array `X.rows` of a blend's state holds row ids; arrays `X.*` of the same length belong to those rows. Each such
group carries `X.checks`, hashes of who, what and when (data/row_checks.py). A row that is gone from the log, be it by
a rule of retention or by an erasure, is dropped from all arrays of its group; a row whose id means something else
now shows that the log is another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from regraft.data.row_checks import row_checks
from regraft.data.stream import Stream
from regraft.errors import ModelError
from regraft.lm.blend import Blend

ROWS, CHECKS = ".rows", ".checks"


def signed(blend: Blend, past: Stream) -> Blend:
    """The blend with a check beside every row id that it remembers."""
    checks = {
        group + CHECKS: row_checks(past, past.positions(blend.state[group + ROWS])) for group in _groups(blend.state)
    }
    return blend.with_state(**checks)


def drop_gone(blend: Blend, past: Stream, notes: list[str]) -> Blend:
    """The blend without what it remembers of rows that are gone; how many that are is noted.

    Raises ModelError where a remembered id names another row in this log, or where no remembered row is left.
    """
    state, left, gone = dict(blend.state), set(), set()
    for group in _groups(blend.state):
        ids = blend.state[group + ROWS]
        at = past.positions(ids)
        here = at >= 0
        checks = blend.state.get(group + CHECKS)
        wrong = 0 if checks is None else int((checks[here] != row_checks(past, at[here])).sum())
        if wrong:
            raise _foreign(past, f"{wrong:,} of {len(ids):,} rows that it remembers are other rows there")
        left.update(ids[here].tolist())
        gone.update(ids[~here].tolist())
        for name, values in blend.state.items():
            if name.startswith(f"{group}.") and len(values) == len(ids):
                state[name] = values[here]
    if not gone:
        return blend
    if not left:
        raise _foreign(past, f"none of the {len(gone):,} rows that it remembers is there")
    notes.append(
        f"{len(gone):,} of {len(gone) + len(left):,} remembered rows are gone from the log: goes on without them"
    )
    return replace(blend, state=state)


def _groups(state: Mapping[str, np.ndarray]) -> list[str]:
    return sorted(name.removesuffix(ROWS) for name in state if name.endswith(ROWS))


def _foreign(past: Stream, why: str) -> ModelError:
    return ModelError(
        f"blend, asked to go on with the stream '{past.name}'", f"was made on another log: {why}",
        "the log it was renewed with, grown or with rows taken out", "Begin with no blend: a new run folder",
    )  # fmt: skip
