"""Closing a period: the one path by which a blend is renewed, in the arena and in the daily update alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from regraft.baselines.features import fit_logistic
from regraft.baselines.stack import Stack
from regraft.cost import Cost, Renewal, measured
from regraft.data.stream import Stream
from regraft.lm.blend import Blend, Calibration
from regraft.strategies.protocol import Strategy

if TYPE_CHECKING:
    from regraft.lm.lab import Lab

CalibrationKind = Literal["none", "logistic", "stack"]
CALIBRATION_PERIODS = 3  # earlier test periods on which a calibration is fitted
LAST = "closed.row"  # newest example that the blend was renewed with


def close_period(
    strategy: Strategy, blend: Blend | None, past: Stream, lab: Lab, calibration: CalibrationKind = "none",
    stack: Stack | None = None,
) -> tuple[Blend, Renewal]:  # fmt: skip
    """The new blend and what it took. `past` ends at the cut.

    A calibration is fitted on what the served blends said about earlier periods before they learnt from
    them: `logistic` on the log-odds alone, `stack` on the log-odds beside the columns of the stack baseline.
    """
    lab.meter.reset()
    lab.notes.clear()
    newest = int(past.targets[-1])
    stored = getattr(strategy, "stored", None)
    kept_rows = stored(past) if stored else len(past)
    if blend is not None and newest <= blend.state.get(LAST, [-1])[0]:
        note = "no new examples since the last close: the blend stays as it is"
        return replace(blend, notes=(note,)), Renewal(
            Cost(adapter_bytes=blend.bytes, stored_interactions=kept_rows), (note,)
        )
    with measured() as other:
        heard = {} if calibration == "none" else _hear(blend, past, lab)
        lab_cost = lab.meter.reset()
        new = strategy.update(blend, past, lab)
        update_cost = lab.meter.reset()
    if calibration != "none":
        with measured() as fitting:
            new = _calibrated(new, heard, past, lab, calibration, stack)
        fitting_cost = lab.meter.reset() + fitting
    cost = lab_cost + update_cost
    if calibration != "none":
        cost = cost + fitting_cost
    cost.peak_memory = max(cost.peak_memory, other.peak_memory)
    cost.adapter_bytes = new.bytes
    cost.stored_interactions = kept_rows
    new = new.with_state(**{LAST: np.array([newest])})
    return replace(new, notes=tuple(lab.notes)), Renewal(cost, tuple(lab.notes))


def _hear(old: Blend | None, past: Stream, lab: Lab) -> dict[str, np.ndarray]:
    """What was said about earlier test periods, with the newest added: rows and uncalibrated log-odds."""
    if old is None:
        return {}
    newest, _ = past.split_last()
    rows = np.concatenate([old.state.get("heard.rows", np.zeros(0, np.int64)), newest.targets])
    said = np.concatenate([old.state.get("heard.said", np.zeros(0)), lab.score(old, newest)])
    recent = past.period[rows] > past.period[newest.targets[-1]] - CALIBRATION_PERIODS
    return {"heard.rows": rows[recent], "heard.said": said[recent]}


def _calibrated(
    new: Blend, heard: dict[str, np.ndarray], past: Stream, lab: Lab, kind: CalibrationKind, stack: Stack | None
) -> Blend:
    if heard:
        view = past.only(np.isin(past.targets, heard["heard.rows"]))
        said = heard["heard.said"][np.searchsorted(heard["heard.rows"], view.targets)]
    else:  # nothing was served yet: the rows held out of training stand in
        _, view = past.hold_out(lab.options.hold_out)
        if not len(view):
            lab.notes.append(f"calibration {kind}: no row was held out to fit it on yet")
            return new
        said = lab.score(new, view)
    names: tuple[str, ...] = ()
    columns = said[:, None]
    if kind == "stack" and stack is not None:
        names = stack.names
        columns = np.column_stack([said, stack.seen_before(past, view)])
    model = fit_logistic(columns, view.labels, f"calibration {kind}")
    scaler, logistic = model.steps[0][1], model.steps[1][1]
    weights = logistic.coef_[0] / scaler.scale_
    bias = float(logistic.intercept_[0] - (weights * scaler.mean_).sum())
    lab.notes.append(f"calibration {kind}: weight {weights[0]:.3f} on the model's log-odds, {len(view)} rows")
    return replace(new.with_state(**heard), calibration=Calibration(bias, tuple(map(float, weights)), names))
