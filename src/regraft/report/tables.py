"""The leaderboard as rows of a CSV file and as a Markdown table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from regraft.files import whole
from regraft.metrics.intervals import FEW_USERS, Interval
from regraft.report.list_tables import list_cells, list_head, list_note, listed

if TYPE_CHECKING:
    from regraft.report.standings import Paired, Standing, Summary

CSV_COLUMNS = (
    *("contender", "base", "template", "history", "information", "share", "seeds", "n"),
    *("auc", "auc_low", "auc_high", "uauc", "uauc_low", "uauc_high", "ece", "forgetting"),
    *("cpu_seconds", "tokens_forward", "tokens_backward", "adapter_bytes"),
)
MARK = "^" + ",".join(CSV_COLUMNS)  # how a leaderboard begins


def results_csv(
    summary: Summary,
    path: Path | str,
    *,
    information: str | None = None,
    share: float | None = None,
    template: str | None = None,
    base: str | None = None,
    history: str | None = None,
) -> Path:
    """Writes one row per compared contender, up the ladder and inside a rung by AUC: CSV_COLUMNS, then further columns.

    What is not given is taken from the run: `history` is the regime, `base` and `template` are empty for
    baselines, which have neither. `seeds` is how many; costs are sums over the updates, averaged over
    seeds. `pays` is given for the best contender of each rung. `ece` is as measured, `ece_excess` what is left of
    it above its noise floor. Unknown: empty.
    """
    run, stream = summary.run, summary.run["stream"]
    of_run: dict[str, Any] = {
        "history": history if history is not None else stream.get("regime"),
        "information": information if information is not None else stream.get("information"),
        "share": share if share is not None else stream.get("share"),
    }
    of_llm = {
        "base": base if base is not None else (run.get("base") or {}).get("path"),
        "template": template if template is not None else (run.get("template") or {}).get("name"),
    }
    rows = []
    pays = {step.best.name: "yes" if step.pays else "no" for step in summary.ladder}
    for standing in summary.compared:
        place = of_run | (of_llm if standing.is_llm else dict.fromkeys(of_llm))
        row = (
            {"contender": standing.name}
            | place
            | _numbers(standing)
            | {"pays": pays.get(standing.name)}
            | _differences(summary, standing)
            | listed(summary, standing.name)
        )
        rows.append({name: row[name] for name in [*CSV_COLUMNS, *(n for n in row if n not in CSV_COLUMNS)]})
    frame = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=list(CSV_COLUMNS))
    floats = pl.selectors.float()
    path = Path(path)
    whole(path, frame.with_columns(floats.fill_nan(None).round_sig_figs(8)).write_csv)
    return path


def _numbers(standing: Standing) -> dict[str, Any]:
    spent = standing.spent
    costs = spent._asdict() if spent else {}
    row: dict[str, Any] = {"seeds": len(standing.seeds), "n": standing.auc.n}
    for name, interval in standing.values.items():
        row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    row |= {
        "ece": standing.ece,
        "ece_excess": standing.ece_excess,
        "kind": standing.kind,
        "rung": standing.rung,
        "periods": len(standing.periods),
        "seed_sd": standing.seed_sd,
    }
    for name in ("learning", "retained", "backward", "forward", "forgetting", "churn"):
        row[name] = getattr(standing, name).value
    row |= {"updates": costs.get("updates"), "cpu_seconds_per_1000_requests": standing.cpu_per_1000}
    for name in (
        *("cpu_seconds", "wall_seconds", "tokens_forward", "tokens_backward", "flops", "adapter_bytes"),
        *("cache_bytes", "stored_interactions", "peak_memory", "score_cpu_seconds"),
        *("prompt_tokens_per_request", "forward_passes_per_request"),
    ):
        row[name] = costs.get(name)
    return row


def _differences(summary: Summary, standing: Standing) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for label, versus in (("best_baseline", summary.vs_baseline), ("full_retrain", summary.vs_full)):
        for statistic in ("auc", "uauc"):
            paired = versus[statistic].get(standing.name)
            row |= _difference(f"{statistic}_minus_{label}", paired)
    return row


def _difference(name: str, paired: Paired | None) -> dict[str, float | None]:
    gap = paired.difference if paired else None
    return {
        name: gap.estimate if gap else None,
        f"{name}_low": gap.low if gap else None,
        f"{name}_high": gap.high if gap else None,
        f"{name}_p_holm": paired.p_holm if paired else None,
    }


def markdown_table(summary: Summary) -> str:
    """The leaderboard for a page of documentation: compared contenders up the ladder, inside a rung by AUC."""
    head = [
        "contender",
        "kind",
        "rung",
        "seeds",
        "AUC",
        "UAUC",
        "log-loss",
        "ECE above floor",
        "forgetting",
        "CPU s per update",
        "CPU s per 1,000 requests",
        "tokens per update",
        "adapter MiB",
    ]
    head += list_head(summary)
    lines = [_line(head), _line(["---"] * 4 + ["---:"] * (len(head) - 4))]
    for s in summary.compared:
        costs: tuple[str, ...] = ("",) * 4
        if s.spent:
            seconds = _short(s.spent.cpu_per_update), _short(s.cpu_per_1000)
            costs = (*seconds, _plain(s.spent.tokens_per_update), _short(s.spent.adapter_bytes / 2**20))
        measured = [
            *(_with_interval(s.values[name]) for name in ("auc", "uauc")),
            _plain(s.values["log_loss"].estimate, 4),
            _plain(s.ece_excess, 4),
            _plain(s.forgetting.value, 4),
        ]
        kind = "LLM" if s.is_llm else "baseline"
        lines.append(
            _line([_cell(s.name), kind, s.rung, str(len(s.seeds)), *measured, *costs, *list_cells(summary, s.name)])
        )
    note = (
        f"{summary.rows:,} test rows of {summary.users:,} users in {len(summary.compared_periods)} periods; "
        f"mean over periods, 95 % intervals from {summary.n_resamples:,} resamples of users."
    )
    if (few := summary.few_users()) is not None:
        note += f" Too few users for an interval (n = {few}, {FEW_USERS} are needed)."
    note += list_note(summary)
    if not summary.finished:
        note += f" The run is not finished: {summary.cells_done} of {summary.cells_planned} cells."
    return "\n".join([*lines, "", note, ""])


def _with_interval(interval: Interval) -> str:
    estimate, low, high, _ = interval
    return f"{estimate:.4f}" + (f" [{low:.4f}, {high:.4f}]" if low == low else "")


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """Data inside a Markdown table: nothing in it may end the cell or become markup."""
    for character in "\\`*_[]|<>":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _plain(value: float, digits: int = 0) -> str:
    return "" if value != value else f"{value:,.{digits}f}"


def _short(value: float) -> str:
    """Three digits."""
    return "" if value != value else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
