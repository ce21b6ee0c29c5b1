"""What a run leaves for its readers: four files, gathered from its finished cells."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from regraft.arena.lists import RETRIEVER
from regraft.data.negatives import in_words
from regraft.errors import ResultsError
from regraft.files import whole, write_text
from regraft.metrics.groups import item_groups, user_groups
from regraft.plugins import plugins
from regraft.prompts.facts import fact_table

if TYPE_CHECKING:
    from regraft.arena.compare import Arena

BASE = "base.json"  # the base model in words
DORMANT = 2  # periods without an event after which a user counts as dormant


def collect(arena: Arena) -> list[str]:
    """Writes run.json, cases.parquet, scores.parquet and costs.parquet from the finished cells.

    Gives what is damaged and was left out, in words: such a cell counts as not finished.
    """
    scores, costs, ranks, problems = [], [], [], []
    planned = arena.cells()
    for cell in planned:
        if not cell.finished(arena.folder):
            continue
        named = {"contender": cell.contender.label, "seed": cell.seed, "update": cell.update}
        columns = [pl.lit(v, pl.Int32 if isinstance(v, int) else pl.String).alias(k) for k, v in named.items()]
        try:
            cost, own, lists = cell.cost(arena.folder), cell.scores(arena.folder), cell.lists(arena.folder)
        except ResultsError as error:
            problems.append(f"{error.where}: {error.found}; {cell} is left out. {error.next_step}")
            continue
        costs.append(named | cost)
        scores.append(own.select(*columns, "period", "case", "score"))
        ranks.append(lists.select(*columns, pl.all()))
    if scores:
        whole(arena.folder / "scores.parquet", pl.concat(scores).write_parquet)
        whole(arena.folder / "costs.parquet", pl.DataFrame(costs, infer_schema_length=None).write_parquet)
    if any(map(len, ranks)):
        whole(arena.folder / "ranks.parquet", pl.concat(ranks).write_parquet)
    whole(arena.folder / "cases.parquet", _cases(arena).write_parquet)
    described = json.dumps(_described(arena, len(costs) == len(planned)), indent=2, ensure_ascii=False, default=str)
    write_text(arena.folder / "run.json", described)
    return problems


def _cases(arena: Arena) -> pl.DataFrame:
    """Every example with the groups it belongs to as of its own period's cut.

    `history` and `item_count` are earlier rows of its user and of its item that were known as of the row itself.
    """
    frames = []
    known = arena.stream.order.known(arena.stream.user, arena.regime.known(arena.stream))
    item_count = fact_table(arena.stream, arena.regime)["item_count"].to_numpy()
    for period in range(1, arena.stream.n_periods + 1):
        cases, past = arena.stream.cases(period), arena.stream.until(period)
        rows = cases.targets
        real = past.happened
        frames.append(
            pl.DataFrame(
                {
                    "case": rows,
                    "period": np.full(len(rows), period, np.int32),
                    "user": cases.users.astype(np.int32),
                    "item": cases.item[rows].astype(np.int32),
                    "user_id": cases.user_ids.gather(cases.users),
                    "item_id": cases.items["item_id"].gather(cases.item[rows]),
                    "label": cases.labels.astype(np.int8),
                    "eval_row": arena.eval_rows[rows],
                    "user_group": user_groups(cases.users, past.user[real], past.period[real], period - 1, DORMANT),
                    "item_group": item_groups(cases.item[rows], past.item[real], past.period[real], period - 1),
                    "history": known[rows].astype(np.int32),
                    "item_count": item_count[rows].astype(np.int32),
                }
            )
        )
    return pl.concat(frames)


def _described(arena: Arena, finished: bool) -> dict[str, Any]:
    stream, config = arena.stream, arena.config
    summaries = {p.name: p.summary for kind in ("strategies", "baselines") for p in plugins(kind)}
    return {
        "name": config.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "finished": finished,
        "config": json.loads(config.model_dump_json(exclude={"data": {"path"}})),
        "stream": {
            "describe": stream.describe(), "n_periods": stream.n_periods, "cuts": list(stream.cuts),
            "rows": len(stream.time), "examples": len(stream), "users": len(np.unique(stream.users)),
            "items": len(np.unique(stream.item[stream.targets])), "share": config.data.share,
            "information": config.data.information, "regime": str(arena.regime), "fingerprint": stream.fingerprint,
            "negatives": in_words(config.data.sampler, config.data.negatives) if stream.implicit else None,
        },
        "ranking": config.lists.model_dump() | {"retriever": RETRIEVER} if config.lists else None,
        "base": arena.base or _base(arena),
        "template": {"name": arena.template.name, "hash": arena.template.hash},
        "timeline": [config.timeline.context, config.timeline.targets],
        "seeds": list(config.seeds),
        "contenders": [
            {"name": c.label, "kind": c.kind, "rung": arena.rungs[c.label], "summary": summaries[c.use]}
            for c in config.contenders
        ],
        "scored_periods": [u + 1 for u in arena.updates],
        "updates": list(arena.updates),
        "versions": versions(),
        "machine": arena.machine or machine(),
    }  # fmt: skip


def _base(arena: Arena) -> Any:
    """The base model in words, as the process that opened it wrote them down; None where none was."""
    path = arena.folder / BASE
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except ValueError:  # damaged: it is in no number
        return None


def versions() -> dict[str, str]:
    """Versions of what results depend on."""
    found = {"python": platform.python_version()}
    for package in ("regraft", "torch", "transformers", "peft", "polars", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines(Path("/proc/meminfo")) if line.startswith("MemTotal")), 0)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**20, 1),
        "platform": platform.platform(),
    } | _gpu()


def _gpu() -> dict[str, str]:
    """The name of the GPU where there is one; PyTorch is not loaded to find out."""
    torch = sys.modules.get("torch")
    return {"gpu": torch.cuda.get_device_name()} if torch and torch.cuda.is_available() else {}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
