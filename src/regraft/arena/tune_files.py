"""The files of a tuning: tune.json holds all of it, and the page, the table and the YAML say the same in their way."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from regraft.arena.collect import machine, versions
from regraft.arena.tune import Tuning
from regraft.arena.tune_advice import Advice, BreakEven, Compared
from regraft.arena.tune_grid import Setting
from regraft.arena.tune_measures import Measured
from regraft.files import whole, write_text
from regraft.metrics.intervals import Difference, Interval
from regraft.report.tune_page import write_page
from regraft.report.tune_words import sentences

JSON, TABLE, ADVICE, PAGE = "tune.json", "tune.csv", "advice.yaml", "tune.html"
FORMAT = 1  # of tune.json


@dataclass(frozen=True)
class Tuned:
    """What a tuning found so far: one advice per contender all of whose settings are measured."""

    tuning: Tuning
    settings: tuple[Measured, ...]
    waiting: tuple[Setting, ...]
    advice: tuple[Advice, ...]


def write_all(found: Tuned, lang: str = "en") -> Path:
    """Writes tune.json, tune.csv, advice.yaml and tune.html into the folder of the run; gives the page."""
    folder, all_of_it = found.tuning.folder, described(found)
    write_text(folder / JSON, json.dumps(all_of_it, indent=2, ensure_ascii=False, default=str))
    whole(
        folder / TABLE, pl.DataFrame([_flat(row) for row in all_of_it["settings"]], infer_schema_length=None).write_csv
    )
    write_text(folder / ADVICE, advice_yaml(all_of_it, lang))
    return write_page(all_of_it, folder / PAGE, lang)


def described(found: Tuned) -> dict[str, Any]:
    """All that was found, as JSON can hold it; what is not known is null."""
    t = found.tuning
    people = len(set(t.stream.user[: len(t.stream.until(t.tested[-1]).time)].tolist()))
    return {
        "format": FORMAT,
        "name": t.config.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "finished": not found.waiting,
        "stream": {"describe": t.stream.describe(), "fingerprint": t.stream.fingerprint, "share": t.config.data.share},
        "chosen_on": list(t.chosen_on),
        "checked_on": list(t.tested)[len(t.chosen_on) :],
        "period_days": _period_days(t),
        "persons": people,
        "margin": t.config.tune.margin,
        "price_per_hour": t.config.update_hour,
        "axes": {"every": t.every, "days": ["all" if d is None else d for d in t.days]},
        "settings": [_setting(one, t.config.update_hour) for one in found.settings],
        "advice": [_advice(one) for one in found.advice],
        "waiting": [one.as_dict() for one in found.waiting],
        "left_out": t.left_out,
        "base": t.base,
        "machine": t.machine or machine(),
        "versions": versions(),
    }


def advice_yaml(all_of_it: dict[str, Any], lang: str = "en") -> str:
    """The advice to read and to copy: the words as comments, the settings as YAML."""
    own = ("contender", "share", "every", "days")
    advised = [
        {k: one["advised"][k] for k in own if one["advised"][k] is not None}
        | {k: one[k] for k in ("told_apart", "held")}
        | {"persons_exposed": one["advised"]["persons_exposed"]}
        for one in all_of_it["advice"]
    ]
    said = [f"# {line}" for line in sentences(all_of_it, lang)]
    return "\n".join([*said, yaml.safe_dump({"advice": advised}, sort_keys=False, allow_unicode=True)])


def _period_days(t: Tuning) -> float:
    """Mean length of a tested period."""
    return (t.stream.cuts[t.tested[-1]] - t.stream.cuts[t.tested[0] - 1]) / len(t.tested) / 86_400_000


def _setting(one: Measured, price_per_hour: float) -> dict[str, Any]:
    cost = vars(one.cost) | {}
    seconds = cost.pop("seconds")
    return {
        **one.setting.as_dict(),
        "rung": one.rung,
        "auc": {part: _interval(one.quality.interval(part)) for part in one.quality.values},
        "forgetting": _difference(one.forgetting),
        "seconds_per_period": seconds,
        "money_per_period": seconds / 3600 * price_per_hour,
        **cost,
    }


def _advice(one: Advice) -> dict[str, Any]:
    advised = one.on_later(one.advised)
    return {
        "contender": one.contender,
        "advised": _place(one.advised),
        "best_earlier": _place(one.best),
        "best_later": _place(one.best_later),
        "told_apart": one.told_apart,
        "undecided": [_place(c.measured) | _compared(c) for c in one.undecided],
        "held": one.held,
        "later": _compared(advised),
        "against_best": {
            "earlier": [_place(c.measured) | _compared(c) for c in one.earlier],
            "later": [_place(c.measured) | _compared(c) for c in one.later],
        },
        "break_even": [_break_even(step) for step in one.break_even],
    }


def _place(one: Measured) -> dict[str, Any]:
    return one.setting.as_dict() | {"persons_exposed": one.cost.persons_exposed}


def _compared(one: Compared) -> dict[str, Any]:
    return {"gap": _difference(one.gap), "p_holm": _number(one.p), "status": one.status}


def _break_even(step: BreakEven) -> dict[str, Any]:
    return {
        "every": step.every, "instead_of": step.instead_of, "gain": _difference(step.gain),
        "seconds_per_period": step.seconds, "money_per_period": step.money, "worth_per_point": step.worth,
    }  # fmt: skip


def _interval(one: Interval) -> dict[str, Any]:
    return {"estimate": _number(one.estimate), "low": _number(one.low), "high": _number(one.high), "n": one.n}


def _difference(one: Difference) -> dict[str, Any]:
    return _interval(Interval(one.estimate, one.low, one.high, one.n)) | {"p": _number(one.p)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """One line of the table: what is inside goes beside it, under joined names."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        inner = _flat(value) if isinstance(value, dict) else None
        found |= {f"{name}_{key}": v for key, v in inner.items()} if inner is not None else {name: value}
    return found
