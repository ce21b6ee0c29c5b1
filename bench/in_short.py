"""What a study of several parts comes to: which rung is enough on its log, what language models added to it, and why.

Read from the study and its table alone, so that a part that was run on another machine takes part as well.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from regraft.setup.config import ContenderOptions

WAYS = {
    "as it came": "the frozen model as it came, asked by a prompt",
    "head": "a closed-form head on the frozen model's states, renewed every period",
    "adapters": "LoRA adapters, trained once or renewed every period",
}
CLASSICAL = "classical"


def in_short(parts: dict[str, dict[str, Any]], table: pl.DataFrame) -> list[str]:
    """Lines of a page; none where the table lacks the classical part or every part with a language model."""
    tried = _tried(parts, table)
    if not tried or CLASSICAL not in table["part"]:
        return []
    ladder = table.filter(part=CLASSICAL)
    enough = ladder.filter(pays="yes").row(-1, named=True)
    judged = "NDCG@10 of its lists" if enough.get("ndcg_10_retrieved") else "AUC"
    rows = [_row(way, tried[way]) for way in WAYS if way in tried]
    most = max(one["gain"] for one in tried.values())
    alone = max(one["alone"] - float(one["classical"]["auc"]) for one in tried.values())
    return [
        "## In short",
        "",
        f"- Enough on this log: **{enough['contender']}** ({enough['rung']}), the last rung that pays among the classical "
        f"ones, by {judged}, on {int(enough['n']):,} test rows.",
        f"- A language model was tried in {len(rows)} ways of different kinds, each beside the best classical contender on "
        "the same rows. The best of each way:",
        "",
        "| way | part | rows | AUC by itself | of the best classical | with the stack | minus the best classical "
        "| CPU s per update | of the best classical |",
        "|---|---|--:|--:|--:|---|---|--:|--:|",
        *rows,
        "",
        f"- Why: by itself the best way stands at {alone:+.4f} AUC against the best classical contender, which has as "
        "counts, neighbours and similarities of text what a prompt tells the model; what the model knows beyond that "
        f"changes AUC by at most {most:+.4f}. The best of each way is chosen with hindsight; the lines G0 below choose on "
        "earlier periods.",
        *_head_and_retraining(parts, table),
        "",
    ]  # fmt: skip


def _head_and_retraining(parts: dict[str, dict[str, Any]], table: pl.DataFrame) -> list[str]:
    """G1: the head and full retraining by themselves and with the stack, where one part has all four."""
    for part, raw in parts.items():
        found = {(one.use, one.on_stack): row for one, row in _named(raw, table.filter(part=part))}
        pairs = [[found.get((use, joined)) for use in ("analytic", "full-retrain")] for joined in (False, True)]
        if all(row for pair in pairs for row in pair):
            said = [" against ".join(f"{row['contender']} {float(row['auc']):.4f} ({_per_update(row):.3g} CPU s per update)"
                                     for row in pair if row) for pair in pairs]  # fmt: skip
            return [f"- The head against full retraining (G1, part {part}, AUC): by themselves {said[0]}; with the stack "
                    f"{said[1]}."]  # fmt: skip
    return []


def _tried(parts: dict[str, dict[str, Any]], table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """By way, in the part with the most rows: its best contender by itself and its best with the stack."""
    found: dict[str, dict[str, Any]] = {}
    for part, raw in parts.items():
        named = _named(raw, table.filter(part=part))
        for way in WAYS:
            of_way = [(one, row) for one, row in named if one.kind == "strategy" and _way(one) == way]
            alone = [row for one, row in of_way if not one.on_stack]
            joined = [row for one, row in of_way if one.on_stack and row["auc_minus_best_baseline"]]
            if alone and joined:
                best = max(joined, key=lambda row: float(row["auc_minus_best_baseline"]))
                one = {
                    "part": part, "n": int(best["n"]), "alone": max(float(row["auc"]) for row in alone), "best": best,
                    "gain": float(best["auc_minus_best_baseline"]), "classical": _best_classical(row for _, row in named),
                }  # fmt: skip
                if way not in found or one["n"] > found[way]["n"]:
                    found[way] = one
    return found


def _row(way: str, one: dict[str, Any]) -> str:
    best, classical = one["best"], one["classical"]
    low, high = (float(best[f"auc_minus_best_baseline_{end}"]) for end in ("low", "high"))
    return (
        f"| {WAYS[way]} | {one['part']} | {one['n']:,} | {one['alone']:.4f} | {float(classical['auc']):.4f} | "
        f"{best['contender']} | {one['gain']:+.4f} [{low:+.4f}, {high:+.4f}] | {_per_update(best):.3g} | "
        f"{_per_update(classical):.3g} |"
    )


def _best_classical(rows: Any) -> dict[str, Any]:
    return max((row for row in rows if row["kind"] == "baseline"), key=lambda row: float(row["auc"]))


def _per_update(row: dict[str, Any]) -> float:
    return float(row["cpu_seconds"]) / int(row["updates"])


def _named(raw: dict[str, Any], table: pl.DataFrame) -> list[tuple[ContenderOptions, dict[str, Any]]]:
    """The contenders of a part that stand in its table, each with its row."""
    rows = {row["contender"]: row for row in table.iter_rows(named=True)}
    options = (ContenderOptions(**({"use": c} if isinstance(c, str) else c)) for c in raw["contenders"])
    return [(one, rows[one.label]) for one in options if one.label in rows]


def _way(contender: ContenderOptions) -> str:
    if contender.use == "analytic":
        return "head"
    return "as it came" if contender.settings.get("bare") else "adapters"
