"""Closing a period: the one path by which a blend is renewed, in the arena and in the daily update alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from regraft.baselines.logistic import fit_logistic
from regraft.baselines.protocol import named
from regraft.cost import Cost, Renewal, measured
from regraft.data.stream import Stream
from regraft.lm.anchored import Served, fit_anchored
from regraft.lm.blend import Blend, Calibration
from regraft.prompts.facts import fact_table
from regraft.strategies.blind_stack import PREFIX, fitted_stack, saved_stack, score_in_full, stack_scores
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
    about earlier periods before they learnt from them: `logistic` is a scale and a shift of the model's log-odds;
    `stack` makes the model a shrunken correction of the stack baseline (lm/anchored.py), which is fitted here on the
    whole past and goes into the blend. `fit_calibration` False asks the model for what a calibration would be fitted
    on and fits none: for counting what a close would ask for.

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
        stacked = calibration == "stack" and fit_calibration
        served = {} if calibration == "none" else _served(blend, past, lab, stacked)
        cost = lab.meter.reset()
        new = strategy.update(blend, past, lab)
        cost = cost + lab.meter.reset()
    if calibration != "none" and fit_calibration:
        new, fitting = (_anchored if stacked else _logistic)(new, served, past, lab)
        cost = cost + lab.meter.reset() + fitting
    cost.peak_memory = max(cost.peak_memory, other.peak_memory)
    cost.adapter_bytes = new.bytes
    cost.stored_interactions = max(kept_rows, cost.stored_interactions)
    witnesses = np.unique(np.linspace(0, len(past) - 1, WITNESSES).astype(np.int64))
    carried = {name: values for name, values in new.state.items() if not name.startswith("served.")}
    marks = {UNTIL: _until(past), "closed.rows": past.ids[witnesses]}
    new = replace(new, state=carried | served | marks)
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


def _served(old: Blend | None, past: Stream, lab: Lab, stacked: bool) -> dict[str, np.ndarray]:
    """Rows of the last CALIBRATION_PERIODS and the log-odds, not calibrated, that served blends gave them.

    `stacked`: beside them those of the stacks in the served blends.
    """
    stack = saved_stack(old.fitted, lab) if old is not None and stacked else None
    if old is None or (stacked and stack is None):
        return {}
    newest = _not_seen(old, past.split_last()[0])
    said = {"served.rows": newest.ids, "served.log_odds": score_in_full(old, newest, lab)}
    if stack is not None:
        said["served.stack"] = stack_scores(stack, newest, lab)
    if said.keys() <= old.state.keys():
        said = {name: np.concatenate([old.state[name], values]) for name, values in said.items()}
    period = past.period[past.positions(said["served.rows"])]
    recent = period > past.period[newest.targets[-1]] - CALIBRATION_PERIODS
    return {name: values[recent] for name, values in said.items()}


def _not_seen(old: Blend, newest: Stream) -> Stream:
    """The examples that came after those the old blend was renewed with: all, unless its period went on."""
    known_at, row = old.state.get(UNTIL, (-(2**62), 0))
    at = newest.known_at[newest.targets]
    return newest.only((at > known_at) | ((at == known_at) & (newest.ids > row)))


def _logistic(new: Blend, served: dict[str, np.ndarray], past: Stream, lab: Lab) -> tuple[Blend, Cost]:
    """(the blend with a scale and a shift, what fitting them took)."""
    with measured() as cost:
        if served:
            view = past.only(np.isin(past.ids, served["served.rows"]))
            at = past.positions(served["served.rows"])
            said = served["served.log_odds"][np.searchsorted(at, view.targets)]
        else:  # nothing was served yet: the rows held out of training stand in
            _, view = past.hold_out(lab.options.hold_out)
            if not len(view):
                lab.notes.append("calibration logistic: no row was held out to fit it on yet")
                return new, cost
            said = score_in_full(new, view, lab)
        bias, weights = fit_logistic(said[:, None], view.labels, "calibration logistic").plain
    lab.notes.append(f"calibration logistic: weight {weights[0]:.3f} on the model's log-odds, {len(view)} rows")
    return replace(new, calibration=Calibration(bias, tuple(map(float, weights)))), cost


def _anchored(new: Blend, served: dict[str, np.ndarray], past: Stream, lab: Lab) -> tuple[Blend, Cost]:
    """(the blend as a correction of the stack, which it carries; what that took beside the fit of the stack)."""
    stack = fitted_stack(past, lab)
    with measured() as cost:
        at = past.positions(served.get("served.rows", np.zeros(0, np.int64)))
        facts = fact_table(past, lab.regime)[at]
        calibration, why = fit_anchored(
            Served(
                log_odds=served.get("served.log_odds", np.zeros(0)),
                stack=served.get("served.stack", np.zeros(0)),
                label=past.label[at],
                item_count=facts["item_count"].to_numpy(),
                history_length=facts["user_count"].to_numpy(),
                period=past.period[at],
            )
        )
        lab.notes.append(f"calibration stack: {why}")
        others = {name: values for name, values in new.fitted.items() if not name.startswith(f"{PREFIX}.")}
        new = replace(new, calibration=calibration, fitted=others | named(PREFIX, stack.arrays()))
    return new, cost
