"""Closing a period: the one path by which a blend is renewed, in the arena and in the daily update alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from regraft.baselines.logistic import fit_logistic
from regraft.baselines.stack import Stack
from regraft.cost import Cost, Renewal, measured
from regraft.data.stream import Stream
from regraft.lm.blend import Blend, Calibration
from regraft.strategies.blind_stack import score_in_full
from regraft.strategies.protocol import Lab, Strategy
from regraft.strategies.remembered import drop_gone, signed

CalibrationKind = Literal["none", "logistic", "stack"]
CALIBRATION_PERIODS = 3  # earlier test periods on which a calibration is fitted
UNTIL = "until"  # [known_at, row id] of the newest example that the blend was renewed with
WITNESSES = 64  # examples by which a blend knows its log again


@dataclass(frozen=True)
class Closed:
    """What closing a period gives.

    `held` are the row ids of the newest period's examples that nothing was trained on in this close: rows on which
    the new blend can be judged.
    """

    blend: Blend
    renewal: Renewal
    held: np.ndarray


def close_period(
    strategy: Strategy, blend: Blend | None, past: Stream, lab: Lab, calibration: CalibrationKind = "none",
    *, fit_calibration: bool = True,
) -> Closed:  # fmt: skip
    """The new blend and what it took. `past` ends at the cut; equal arguments give equal blends, to the bit.

    The lab's generator is seeded by lab.seed and the period. A calibration is fitted on what the served blends said
    about earlier periods before they learnt from them: `logistic` on the log-odds alone, `stack` on the log-odds
    beside the columns of the stack baseline, which is renewed here and goes into the blend. `fit_calibration`
    False scores what a calibration would be fitted on and fits none: for counting what a close would ask for.

    Raises ModelError where the blend remembers rows of another log.
    """
    newest = int(past.targets[-1])
    stored = getattr(strategy, "stored", None)
    kept_rows = stored(past) if stored else len(past)
    lab.rng = np.random.default_rng([lab.seed, int(past.period[newest])])  # a resumed run draws the same
    for told in (lab.notes, lab.trained):
        told.clear()
    lab.meter.reset()
    with measured() as other:
        if blend is not None:
            blend = drop_gone(blend, past, lab.notes)
            if tuple(_until(past)) <= tuple(blend.state.get(UNTIL, [-(2**62), 0])):
                return _unchanged(blend, past, kept_rows, lab)
        served = {} if calibration == "none" else _served(blend, past, lab)
        cost = lab.meter.reset()
        new = strategy.update(blend, past, lab)
        cost = cost + lab.meter.reset()
    if calibration != "none" and fit_calibration:
        with measured() as fitting:
            new = _calibrated(new, served, past, lab, calibration)
        cost = cost + lab.meter.reset() + fitting
    cost.peak_memory = max(cost.peak_memory, other.peak_memory)
    cost.adapter_bytes = new.bytes
    cost.stored_interactions = kept_rows
    witnesses = np.unique(np.linspace(0, len(past) - 1, WITNESSES).astype(np.int64))
    new = new.with_state(**served, **{UNTIL: _until(past), "closed.rows": past.ids[witnesses]})
    new = replace(signed(new, past), notes=tuple(lab.notes))
    return Closed(new, Renewal(cost, tuple(lab.notes)), _held(past, lab))


def _unchanged(blend: Blend, past: Stream, kept_rows: int, lab: Lab) -> Closed:
    lab.notes.append("no new examples since the last close: the blend stays as it is")
    notes = tuple(lab.notes)
    cost = Cost(adapter_bytes=blend.bytes, stored_interactions=kept_rows)
    return Closed(replace(blend, notes=notes), Renewal(cost, notes), np.zeros(0, np.int64))


def _until(past: Stream) -> np.ndarray:
    return np.array([past.known_at[past.targets[-1]], past.ids[-1]])


def _held(past: Stream, lab: Lab) -> np.ndarray:
    newest, _ = past.split_last()
    trained = np.concatenate([np.zeros(0, np.int64), *lab.trained])
    return newest.ids[~np.isin(newest.ids, trained)]


def _served(old: Blend | None, past: Stream, lab: Lab) -> dict[str, np.ndarray]:
    """Rows of the last CALIBRATION_PERIODS and the log-odds, not calibrated, that served blends gave them."""
    if old is None:
        return {}
    newest, _ = past.split_last()
    rows = np.concatenate([old.state.get("served.rows", np.zeros(0, np.int64)), newest.ids])
    said = np.concatenate([old.state.get("served.log_odds", np.zeros(0)), score_in_full(old, newest, lab)])
    period = past.period[past.positions(rows)]
    recent = period > past.period[newest.targets[-1]] - CALIBRATION_PERIODS
    return {"served.rows": rows[recent], "served.log_odds": said[recent]}


def _calibrated(
    new: Blend, served: dict[str, np.ndarray], past: Stream, lab: Lab, kind: CalibrationKind
) -> Blend:  # fmt: skip
    if served:
        view = past.only(np.isin(past.ids, served["served.rows"]))
        at = past.positions(served["served.rows"])
        said = served["served.log_odds"][np.searchsorted(at, view.targets)]
    else:  # nothing was served yet: the rows held out of training stand in
        _, view = past.hold_out(lab.options.hold_out)
        if not len(view):
            lab.notes.append(f"calibration {kind}: no row was held out to fit it on yet")
            return new
        said = score_in_full(new, view, lab)
    names: tuple[str, ...] = ()
    columns, fitted = said[:, None], {}
    if kind == "stack":
        stack = Stack(lab.regime, lab.seed)
        stack.renew(past)
        names, fitted = stack.names, stack.arrays()
        columns = np.column_stack([said, stack.seen_before(past, view)])
    bias, weights = fit_logistic(columns, view.labels, f"calibration {kind}").plain
    lab.notes.append(f"calibration {kind}: weight {weights[0]:.3f} on the model's log-odds, {len(view)} rows")
    calibration = Calibration(bias, tuple(map(float, weights)), names)
    return replace(new, calibration=calibration, fitted={**new.fitted, **fitted})
