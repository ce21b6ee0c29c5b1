"""A results folder from simulated scores: what each contender knows, forgets and costs is chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Player:
    """A contender whose scores are the true log-odds in noise.

    `noise` is the noise of a fresh model; it grows by `stale` per period a model is behind and by `fades`
    per period it has moved on; `frozen` players keep the model of the first update. `seed_noise` shifts the
    noise of each seed. `sharpness` multiplies the log-odds: 1 = calibrated, without noise.
    """

    name: str
    kind: str = "strategy"
    noise: float = 1.0
    stale: float = 0.15
    fades: float = 0.05
    frozen: bool = False
    seed_noise: float = 0.0
    cpu: float = 20.0
    tokens: int = 400_000
    sharpness: float = 1.0
    use: str = ""
    sees: int = 0  # of the items below this number it knows more than others do
    rung: str = ""  # empty: run.json does not say it, as older runs do not


DEFAULT = (
    Player("never", noise=0.9, stale=0.2, frozen=True, cpu=2.0),
    Player("full-retrain", noise=0.9, fades=0.0, cpu=60.0),
    Player("fine-tune", noise=1.0, fades=0.12, cpu=12.0),
    Player("rates", "baseline", noise=1.2, stale=0.02, cpu=0.2, tokens=0),
)


def write_results(
    folder: Path,
    players: Sequence[Player] = DEFAULT,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    n_users: int = 150,
    rows_per_period: int = 600,
    n_periods: int = 10,
    first_update: int = 5,
    slice_share: float = 0.3,
    seed: int = 0,
    name: str = "simulated",
) -> Path:
    """Writes a finished run into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    cases, truth = _cases(rng, n_users, rows_per_period, n_periods, slice_share)
    updates = list(range(first_update, n_periods))
    scores, costs = [], []
    for number, player in enumerate(players):
        for s in seeds if player.kind == "strategy" else seeds[:1]:
            own = np.random.default_rng([seed, number, s])
            shift = player.seed_noise * own.normal()
            fixed = own.normal(size=cases.height)
            for update in updates:
                scores.append(_scored(player, s, update, shift, fixed, own, cases, truth, updates[0]))
                costs.append(_cost(player, s, update, update == updates[0]))
    cases.write_parquet(folder / "cases.parquet")
    pl.concat(scores).write_parquet(folder / "scores.parquet")
    pl.DataFrame(costs, infer_schema_length=None).write_parquet(folder / "costs.parquet")
    described = _run(name, players, seeds, updates, cases, n_periods)
    (folder / "run.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    return folder


def unfinish(folder: Path, drop: pl.Expr) -> Path:
    """Takes away the cells (contender, seed, update) that match, as a run that was stopped would lack them."""
    for name in ("scores", "costs"):
        path = folder / f"{name}.parquet"
        frame = pl.read_parquet(path).filter(~drop)
        frame.write_parquet(path) if frame.height else path.unlink()
    described = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(described | {"finished": False}), encoding="utf-8")
    return folder


def _cases(
    rng: np.random.Generator, n_users: int, rows: int, n_periods: int, slice_share: float
) -> tuple[pl.DataFrame, np.ndarray]:
    n = rows * n_periods
    user, item = rng.integers(n_users, size=n), rng.integers(80, size=n)
    period = np.repeat(np.arange(1, n_periods + 1), rows)
    taste = rng.normal(size=(n_users, 4)) @ rng.normal(size=(4, 80)) * 0.6
    truth = taste[user, item] + rng.normal(size=80)[item] * 0.8 + rng.normal(size=n_users)[user] * 0.5
    label = rng.random(n) < 1 / (1 + np.exp(-truth))
    history = _earlier(user)
    frame = pl.DataFrame(
        {
            "case": np.arange(n),
            "period": period.astype(np.int32),
            "user": user.astype(np.int32),
            "item": item.astype(np.int32),
            "user_id": [f"u{u}" for u in user],
            "item_id": [f"i{i}" for i in item],
            "label": label.astype(np.int8),
            "eval_row": rng.random(n) < slice_share,
            "user_group": np.select([history == 0, user % 7 == 0], ["new", "dormant"], "continuing"),
            "item_group": np.select([item % 11 == 0, item % 5 == 0], ["cold", "new"], "warm"),
            "history": history.astype(np.int32),
            "item_count": _earlier(item).astype(np.int32),
        }
    )
    return frame, truth


def _earlier(codes: np.ndarray) -> np.ndarray:
    """How many earlier rows have the same code."""
    order = np.argsort(codes, kind="stable")
    found = np.empty(len(codes), dtype=np.int64)
    found[order] = np.arange(len(codes)) - np.searchsorted(codes[order], codes[order])
    return found


def _scored(
    player: Player,
    seed: int,
    update: int,
    shift: float,
    fixed: np.ndarray,
    rng: np.random.Generator,
    cases: pl.DataFrame,
    truth: np.ndarray,
    first: int,
) -> pl.DataFrame:
    """Half of the noise stays from update to update, except for frozen players, where all of it does."""
    period = cases["period"].to_numpy()
    learned = first if player.frozen else update
    behind = np.maximum(period - learned - 1, 0) * player.stale + np.maximum(learned - period, 0) * player.fades
    moving = fixed if player.frozen else (fixed + rng.normal(size=len(fixed))) / np.sqrt(2)
    noise = np.where(cases["item"].to_numpy() < player.sees, 0.2, player.noise + shift + behind)
    score = player.sharpness * (truth + noise * moving)
    kept = (period == update + 1) | cases["eval_row"].to_numpy()
    return pl.DataFrame(
        {
            "contender": pl.repeat(player.name, int(kept.sum()), eager=True),
            "seed": np.full(kept.sum(), seed, np.int32),
            "update": np.full(kept.sum(), update, np.int32),
            "period": period[kept],
            "case": cases["case"].to_numpy()[kept],
            "score": score[kept],
        }
    )


def _cost(player: Player, seed: int, update: int, is_first: bool) -> dict[str, Any]:
    works = is_first or not player.frozen
    strategy = player.kind == "strategy"
    return {
        "contender": player.name,
        "seed": seed,
        "update": update,
        "cpu_seconds": player.cpu * works,
        "wall_seconds": player.cpu * works / 2,
        "tokens_forward": player.tokens * works,
        "tokens_backward": player.tokens * works // 2,
        "flops": 1e9 * player.tokens * works,
        "targets_trained": 1000 * works,
        "adapter_bytes": 300_000 if strategy else 0,
        "cache_bytes": 1_000_000 if strategy else 0,
        "stored_interactions": 5000,
        "peak_memory": 600 * 2**20,
        "score_cpu_seconds": 1.5 if strategy else 0.05,
        "score_tokens": 60_000 if strategy else 0,
        "prompt_tokens_per_request": 90.0 if strategy else 0.0,
        "forward_passes_per_request": 1.0 if strategy else 0.0,
        "notes": "",
    }


def _run(
    name: str,
    players: Sequence[Player],
    seeds: Sequence[int],
    updates: list[int],
    cases: pl.DataFrame,
    n_periods: int,
) -> dict[str, Any]:
    day = 86_400_000
    return {
        "name": name,
        "created": "2024-05-01T12:00:00+00:00",
        "finished": True,
        "config": {
            "template": "judge-timeline-facts",
            "eval_row": 0.3,
            "contenders": [{"use": p.use or p.name, "name": p.name, "calibration": "none"} for p in players],
        },
        "stream": {
            "describe": f"simulated: {cases.height:,} rows, {n_periods} periods",
            "n_periods": n_periods,
            "cuts": [1_700_000_000_000 + 7 * day * i for i in range(n_periods + 1)],
            "rows": cases.height,
            "examples": cases.height,
            "users": cases["user"].n_unique(),
            "items": cases["item"].n_unique(),
            "share": 1.0,
            "information": "full",
            "regime": "fresh",
        },
        "base": {
            "path": "nano-labels",
            "hash": "0b7be79d00cb",
            "objective": "labels",
            "original": "4-bit original (Q4_1)",
            "parameters": 1_300_000,
            "dtype": "float32",
        },
        "template": {"name": "judge-timeline-facts", "hash": "5f0c6a1e"},
        "timeline": [20, 20],
        "seeds": list(seeds),
        "contenders": [
            {"name": p.name, "kind": p.kind, "summary": f"What {p.name} does."} | ({"rung": p.rung} if p.rung else {})
            for p in players
        ],
        "scored_periods": [u + 1 for u in updates],
        "updates": updates,
        "versions": {"python": "3.11.2", "regraft": "0.1.0", "torch": "2.13.0"},
        "machine": {"cpu": "a simulated processor", "cores": 2, "memory_gib": 8.0, "platform": "Linux"},
    }
