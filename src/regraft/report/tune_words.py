"""What a tuning says in sentences, in English and Japanese; every number comes from its tune.json."""

from __future__ import annotations

from typing import Any

from regraft.report.report_words import LANGUAGES, Words

TUNE: dict[str, tuple[str, str]] = {
    "title": ("How much history, how often, how much replay", "履歴の長さ・更新の間隔・リプレイの量"),
    "advice": (
        "{name}: keep {days}, update every {every}{share}. {exposed} of {people} people are exposed.",
        "{name}：{days}を保持し、{every}更新してください{share}。データが使われる人は {people} 人中 {exposed} 人です。",
    ),
    "replay": (", replay {share} old examples per new one", "（新しい例 1 件につき過去の例 {share} 件）"),
    "no replay": (", replay nothing", "（リプレイなし）"),
    "frequency": ("updated every {every}", "{every}更新"),
    "days": ("{n} days of history", "{n} 日分の履歴"),
    "all": ("all history", "すべての履歴"),
    "period": ("period", "期間ごとに"),
    "periods": ("{n} periods", "{n} 期間ごとに"),
    "why": (
        "It is the least that surely loses at most {margin} AUC against the best setting of periods {chosen} "
        "({best}): {gap} {interval}.",
        "期間 {chosen} で最も良い設定（{best}）との差が確実に AUC {margin} 以内に収まる、最も控えめな設定です：{gap} {interval}。",
    ),
    "why best": (
        "It was the best setting of periods {chosen}; none that asks for less surely loses at most {margin} AUC.",
        "期間 {chosen} で最も良い設定です。より控えめで、差が確実に AUC {margin} 以内の設定はありません。",
    ),
    "not told": (
        "The stream cannot tell the settings apart: on periods {chosen} none is worse than the best by more than chance.",
        "このデータでは設定の優劣を区別できません。期間 {chosen} で、最も良い設定に偶然以上に劣る設定はありません。",
    ),
    "undecided": (
        "Whether less would do cannot be told (undecided settings: {n}); the least of them: {least}, {gap} {interval}.",
        "より控えめな {n} 個の設定で足りるかどうかは判断できません。最も控えめなのは {least}：{gap} {interval}。",
    ),
    "held best": (
        "On the later periods {checked} it was the best setting too.",
        "後の期間 {checked} でも最も良い設定でした。",
    ),
    "held yes": (
        "On the later periods {checked} the advice held: {gap} {interval} against the best there.",
        "後の期間 {checked} でも助言は保たれました。そこで最も良い設定との差は {gap} {interval} です。",
    ),
    "held no": (
        "On the later periods {checked} the advice did not hold: {gap} {interval} against the best there ({best}).",
        "後の期間 {checked} では助言は保たれませんでした。そこで最も良い設定（{best}）との差は {gap} {interval} です。",
    ),
    "held undecided": (
        "Whether it held on the later periods {checked} cannot be told: {gap} {interval} against the best there.",
        "後の期間 {checked} で保たれたかどうかは判断できません。そこで最も良い設定との差は {gap} {interval} です。",
    ),
    "pays": (
        "Updating every {every} instead of every {other} gains {gap} {interval} AUC and takes {seconds} more per period{money}.",
        "{other}の代わりに{every}更新すると AUC は {gap} {interval} 上がり、1 期間あたり {seconds} 多くかかります{money}。",
    ),
    "worth": (
        " ({money}); it pays where 0.01 AUC in a period is worth more than {worth}",
        "（{money}）。1 期間の AUC 0.01 の価値が {worth} を超えれば見合います",
    ),
    "loses": (
        "Updating every {every} instead of every {other} loses AUC here: {gap} {interval}, for {seconds} more per period.",
        "{other}の代わりに{every}更新すると、ここでは AUC が下がります：{gap} {interval}、1 期間あたり {seconds} 増。",
    ),
    "gains nothing": (
        "Updating every {every} instead of every {other} gains nothing that can be told: {gap} {interval} AUC, for "
        "{seconds} more per period.",
        "{other}の代わりに{every}更新しても、区別できる効果はありません：AUC {gap} {interval}、1 期間あたり {seconds} 増。",
    ),
    "waiting": ("Not finished: {n} settings wait for their cells.", "未完了：{n} 個の設定が計算待ちです。"),
    "left out": ("Not compared: {what}", "比較していないもの：{what}"),
    # the page
    "advice title": ("Advice", "助言"),
    "facts": (
        "Chosen on periods {chosen}, checked on periods {checked}, {days} days each; {people} people in the log by then.",
        "期間 {chosen} で選び、期間 {checked} で確かめました（1 期間 {days} 日）。それまでのログの利用者は {people} 人です。",
    ),
    "axis days": ("days of history kept", "保持する履歴の日数"),
    "axis persons": ("people exposed", "データが使われる人数"),
    "axis seconds": ("seconds of renewal per period", "1 期間あたりの更新時間（秒）"),
    "axis share": ("old examples per new one", "新しい例 1 件あたりの過去の例"),
    "axis lost": ("old examples per new one; AUC lost on old rows", "新しい例 1 件あたりの過去の例（過去の行で失った AUC）"),
    "figures note": (
        "AUC is the mean over all tested periods, lines are 95 % intervals from resampled people. The filled mark is the "
        "advised setting; what an axis does not show is as advised. Intervals of two marks may overlap although their "
        "paired difference is clear: see the table.",
        "AUC は評価した全期間の平均、線は 95 % 区間（利用者の再標本化）です。塗りつぶした印は助言する設定で、軸にない項目は助言どおりです。"
        "二つの区間が重なっていても、対応のある差は明らかな場合があります。表をご覧ください。",
    ),
    "column days": ("Days kept", "保持日数"),
    "column every": ("Update every", "更新間隔"),
    "column share": ("Replay", "リプレイ"),
    "column earlier": ("Against the best, earlier", "最良との差（前半）"),
    "column later": ("Against the best, later", "最良との差（後半）"),
    "column forgetting": ("Forgetting", "忘却"),
    "column seconds": ("Time per period", "1 期間の時間"),
    "column money": ("Cost per period", "1 期間の費用"),
    "column rows": ("Rows kept", "保持行数"),
    "column storage": ("Storage", "保存容量"),
    "column kept": ("People kept", "保持している人"),
    "column model": ("People in the model", "モデルに入っている人"),
    "column exposed": ("People exposed", "データが使われる人"),
    "table note": (
        "Differences in AUC are paired: the same rows, the same resampled people. Forgetting is the AUC that the last model "
        "lost on rows of earlier periods that nothing was trained on. People and rows are those when the last period "
        "began; a model that goes on from an earlier one holds what that one had learnt. A setting may be advised that "
        "surely loses at most {margin} AUC.",
        "AUC の差は対応のある差です（同じ行、同じ再標本）。忘却は、学習に使っていない過去の期間の行で最後のモデルが失った AUC です。"
        "人数と行数は最後の期間が始まった時点のものです。前のモデルから続けて学習したモデルには、前のモデルが学んだものが残ります。"
        "確実に AUC {margin} 以内の差に収まる設定を助言します。",
    ),
}  # fmt: skip


class TuneWords(Words):
    """Words of the report, and those of a tuning."""

    def tune(self, key: str, **values: object) -> str:
        return TUNE[key][LANGUAGES.index(self.lang)].format(**values)

    def days(self, days: object) -> str:
        return self.tune("all") if days == "all" else self.tune("days", n=days)

    def every(self, every: int) -> str:
        return self.tune("period") if every == 1 else self.tune("periods", n=every)

    def frequency(self, every: int) -> str:
        return self.tune("frequency", every=self.every(every))

    def place(self, setting: dict[str, Any]) -> str:
        """A setting in few words."""
        return f"{self.days(setting['days'])}, {self.frequency(setting['every'])}{self.replay(setting)}"

    def replay(self, setting: dict[str, Any]) -> str:
        share = setting["share"]
        return "" if share is None else self.tune("replay", share=f"{share:g}") if share else self.tune("no replay")

    def gap(self, difference: dict[str, Any]) -> dict[str, str]:
        """`gap` and `interval` of a difference."""
        return {"gap": self.number(difference["estimate"], 4, True), "interval": self.bounds(difference, True)}

    def bounds(self, value: dict[str, Any], signed: bool = False) -> str:
        """The interval of a value."""
        low, high = (float("nan") if value[k] is None else value[k] for k in ("low", "high"))
        return self.interval(low, high, signed)


def sentences(found: dict[str, Any], lang: str = "en") -> list[str]:
    """The advice of every contender, how it did on later periods, what more frequent updates are worth."""
    w = TuneWords(lang)
    said = [line for advice in found["advice"] for line in _of_contender(found, advice, w)]
    if found["waiting"]:
        said.append(w.tune("waiting", n=len(found["waiting"])))
    return said + [w.tune("left out", what=what) for what in found["left_out"]]


def _of_contender(found: dict[str, Any], advice: dict[str, Any], w: TuneWords) -> list[str]:
    advised, best = advice["advised"], advice["best_earlier"]
    spans = {"chosen": w.span(found["chosen_on"]), "checked": w.span(found["checked_on"])}
    said = [
        w.tune(
            "advice", name=advice["contender"], days=w.days(advised["days"]), every=w.every(advised["every"]),
            share=w.replay(advised), exposed=f"{advised['persons_exposed']:,}", people=f"{found['persons']:,}",
        )
    ]  # fmt: skip
    gap = w.gap(next(c["gap"] for c in advice["against_best"]["earlier"] if _same(c, advised)))
    why = "why best" if _same(best, advised) else "why"
    said.append(w.tune(why, margin=found["margin"], best=w.place(best), **spans, **gap))
    if not advice["told_apart"]:
        said.append(w.tune("not told", **spans))
    if less := advice["undecided"]:
        said.append(w.tune("undecided", n=len(less), least=w.place(less[0]), **w.gap(less[0]["gap"])))
    later = w.gap(advice["later"]["gap"])
    held = "best" if _same(advice["best_later"], advised) else advice["held"]
    said.append(w.tune(f"held {held}", best=w.place(advice["best_later"]), **spans, **later))
    return said + [_step(step, found["price_per_hour"], w) for step in advice["break_even"]]


def _step(step: dict[str, Any], price: float, w: TuneWords) -> str:
    worth = step["worth_per_point"]
    money = ""
    if price and worth is not None:
        money = w.tune("worth", money=f"{step['money_per_period']:.3g}", worth=f"{worth:.3g}")
    low, high = (step["gain"][k] or 0 for k in ("low", "high"))
    return w.tune(
        "pays" if low > 0 else "loses" if high < 0 else "gains nothing", every=w.every(step["every"]), other=w.every(step["instead_of"]),
        seconds=w.seconds(step["seconds_per_period"]), money=money, **w.gap(step["gain"]),
    )  # fmt: skip


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[k] == other[k] for k in ("share", "every", "days"))
