"""What a run says, in plain sentences; every comparison is paired, on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regraft.metrics.intervals import FEW_USERS
from regraft.report.ladder_verdict import ladder_sentences
from regraft.report.list_verdict import list_sentences
from regraft.report.report_words import Words

if TYPE_CHECKING:
    from regraft.metrics.intervals import Difference, Interval
    from regraft.report.standings import Paired, Standing, Summary


def verdict(summary: Summary, lang: str = "en") -> list[str]:
    """Sentences in order of importance: what to serve, which rungs pay and what they cost, then what that rests on."""
    words = Words(lang)
    if not summary.compared:
        return [words("nothing", planned=summary.cells_planned)]
    return [
        *list_sentences(summary, words),  # on a log without dislikes, lists are judged first
        *ladder_sentences(summary, words),
        *_finished(summary, words),
        *_can_rank(summary, words),
        *_best(summary, words),
        *_llm_or_baseline(summary, words),
        *_forgets(summary, words),
        *_advice(summary, words),
    ]


def _finished(summary: Summary, words: Words) -> list[str]:
    if summary.finished:
        return []
    periods = words.span(summary.compared_periods)
    said = [words("unfinished", done=summary.cells_done, planned=summary.cells_planned, periods=periods)]
    partial = [s.name for s in summary.standings if not s.compared]
    begun = {s.name for s in summary.standings}
    waiting = [c["name"] for c in summary.run["contenders"] if c["name"] not in begun]
    for key, names in (("left_out", partial), ("not_begun", waiting)):
        if names:
            said.append(words(key, names=words.listed(names)))
    return said


def _can_rank(summary: Summary, words: Words) -> list[str]:
    gap = summary.gap
    if summary.best_llm is None:
        return []
    if summary.why_unknown == "missing" or gap is None:
        missing = [name for name in ("never", "full-retrain") if summary.used(name) is None]
        return [words("rank_missing", missing=words.listed(missing or ["never", "full-retrain"]))]
    if (few := summary.few_users()) is not None:
        return [words("rank_few_users", gap=f"{gap.estimate:+.4f}", n=few, needed=FEW_USERS)]
    values = _gap(words, gap, None)
    if summary.can_rank is None:
        said = [words("rank_one_seed", **values)]
    else:
        sd = summary.seed_sd
        values |= {"sd": f"{sd:.4f}", "times": words.times(abs(gap.estimate) / sd if sd else np.inf)}
        said = [words("rank_yes" if summary.can_rank else "rank_no", **values)]
    return [*said, words("gap_zero")] if gap.low <= 0 <= gap.high else said


def _best(summary: Summary, words: Words) -> list[str]:
    best, inside = summary.best("auc"), summary.best("uauc")
    if best is None:
        return []
    few, few_inside = summary.few_users(), summary.few_users("uauc")
    auc = _with_interval(words, best.auc, few)
    if inside is not None and inside.name == best.name:
        said = [words("best_both", name=best.name, auc=auc, uauc=_with_interval(words, best.uauc, few_inside))]
    else:
        said = [words("best_auc", name=best.name, auc=auc)]
    gaps = summary.against(best.name)
    if gaps and few is not None:
        said.append(words("best_few_users", n=few, needed=FEW_USERS))
    elif gaps:
        near = [name for name, paired in gaps.items() if paired.relation in ("same", "unknown")]
        said.append(words("best_shared", names=words.listed(near)) if near else words("best_alone"))
    if inside is not None and inside.name != best.name:
        said.append(words("best_uauc", name=inside.name, uauc=_with_interval(words, inside.uauc, few_inside)))
    return said


def _llm_or_baseline(summary: Summary, words: Words) -> list[str]:
    llm, baseline = summary.best_llm, summary.best_baseline
    if baseline is None:
        return [words("no_baseline")]
    if llm is None:
        return [words("no_llm")] if summary.finished else []
    winner, key = beats_every_llm(summary), "baseline_beats_all"
    if winner is not None:
        baseline = winner
        key = "rates_beats_all" if winner.use == "rates" else key
    paired = summary.against(baseline.name)[llm.name]
    if winner is None:
        key = f"llm_{paired.relation}"
    said = [words(key, llm=llm.name, baseline=baseline.name, **_gap(words, paired.difference, summary.few_users()))]
    corrected = _only_by_correction(paired)
    inside, reference = summary.best("uauc", "strategy"), summary.best("uauc", "baseline")
    if inside is not None and reference is not None:
        paired = summary.against(reference.name, "uauc")[inside.name]
        gap = _gap(words, paired.difference, summary.few_users("uauc"))
        said.append(words(f"uauc_{paired.relation}", llm=inside.name, baseline=reference.name, **gap))
        corrected = corrected or _only_by_correction(paired)
    return [*said, words("corrected", n=str(len(summary.compared)))] if corrected else said


def _only_by_correction(paired: Paired) -> bool:
    """An interval without zero that Holm's correction still calls luck: said, or it reads as a contradiction."""
    gap = paired.difference
    return paired.relation == "same" and not gap.low <= 0 <= gap.high


def beats_every_llm(summary: Summary) -> Standing | None:
    """A baseline above every LLM contender in AUC: `rates`, the simplest, where it is; else the best one."""
    llms = [s.name for s in summary.compared if s.is_llm]
    for baseline in (summary.used("rates"), summary.best_baseline):
        if baseline is not None and not baseline.is_llm and llms:
            gaps = summary.against(baseline.name)
            if all(gaps[name].relation == "below" for name in llms):
                return baseline
    return None


def _forgets(summary: Summary, words: Words) -> list[str]:
    changing = [s for s in summary.compared if s.is_llm and s.moves and s.forgetting.n]
    if not changing:
        return [words("forgetting_unknown")] if summary.best_llm else []
    ordered = sorted(changing, key=lambda s: s.forgetting.value)
    least, most = ordered[0], ordered[-1]
    values = {"name": least.name, "least": f"{least.forgetting.value:.4f}"}
    if len(ordered) == 1:
        return [words("forgets_one", **values)]
    return [words("forgets", **values, other=most.name, most=f"{most.forgetting.value:.4f}")]


def _advice(summary: Summary, words: Words) -> list[str]:
    """What to run next to know more."""
    if not summary.finished:
        return []
    if summary.best_baseline is None:
        return [words("advice_no_baseline")]
    if summary.best_llm is None:
        return [words("advice_no_llm")]
    said = []
    if summary.can_rank is False and summary.served and not summary.served.classical:
        said.append(words("advice_no_order"))
    if summary.why_unknown == "one seed":
        said.append(words("advice_seeds"))
    return said


def _gap(words: Words, gap: Difference, few: int | None) -> dict[str, str]:
    said = words.interval(gap.low, gap.high, signed=True) if few is None else words("few_users", n=few)
    return {"gap": f"{gap.estimate:+.4f}", "interval": said}


def _with_interval(words: Words, interval: Interval, few: int | None) -> str:
    """The estimate with its interval; `few` is the number of users where they are too few for one."""
    said = words.interval(interval.low, interval.high) if few is None else words("few_users", n=few)
    return f"{interval.estimate:.4f} {said}"
