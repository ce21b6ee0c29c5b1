"""Whether updates pay, in sentences, English and Japanese."""

from __future__ import annotations

from regraft.report.pays import Assumptions, Pair, Swing

NAMES = {
    "update_hour": ("the price of an hour of the updating machine", "更新する機械 1 時間の価格"),
    "lists": ("lists per {period}", "1 {period}あたりのリスト数"),
    "clicks": ("clicks per list", "リスト 1 件あたりのクリック数"),
    "lift": ("the share of clicks that 0.01 AUC brings", "AUC 0.01 がもたらすクリックの割合"),
    "click": ("the worth of a click", "クリック 1 回の価値"),
}
PERIODS = {"day": ("day", "日"), "period": ("period", "期間")}
OFTEN = {1: ("Daily", "毎日"), 7: ("weekly", "毎週"), 28: ("every four weeks", "4 週ごと")}


def in_words(pair: Pair, given: Assumptions, lang: str = "en", period: str = "day") -> str:
    """ "Daily costs 0.12 USD a day more than weekly and earns 0.50 USD [0.10, 0.90] more: it pays." """
    often, rarer = _often(pair.often, lang, period), _often(pair.rarer, lang, period)
    costs, earns = money(abs(pair.costs), given), money(abs(pair.earns), given)
    known = pair.low == pair.low
    interval = f" [{_number(pair.low)}, {_number(pair.high)}]" if known else ""
    if lang == "ja":
        more = ("多く", "少なく")
        verdict = {True: "見合います", False: "見合いません", None: "見合うかどうかは、まだ言えません"}[pair.pays]
        return (
            f"{often}の更新は、{rarer}より 1 {PERIODS[period][1]}あたり {costs} {more[pair.costs < 0]}かかり、"
            f"{earns}{interval} {more[pair.earns < 0]}稼ぎます。{verdict}。"
        )
    verdict = {True: "it pays", False: "it does not pay", None: "whether it pays cannot be told yet"}[pair.pays]
    more = ("more", "less")
    text = (
        f"{often} costs {costs} a {PERIODS[period][0]} {more[pair.costs < 0]} than {rarer} and earns "
        f"{earns}{interval} {more[pair.earns < 0]}: {verdict}."
    )
    return text[0].upper() + text[1:]


def what_tips(swing: Swing, best: int, given: Assumptions, lang: str = "en", period: str = "day") -> str:
    """What would have to change for another frequency to be the best."""
    name = NAMES[swing.name][lang == "ja"].format(period=PERIODS[period][lang == "ja"])
    if swing.tips != swing.tips:
        told = f"{_often(swing.half, lang, period)} / {_often(swing.twice, lang, period)}"
        return f"{name}：半分 / 2 倍なら {told}。" if lang == "ja" else f"{name}: at half / twice, {told} is best."
    way = swing.name == "update_hour"
    if lang == "ja":
        return f"{_often(best, lang, period)}が最善なのは、{name}が {_number(swing.tips)} {'未満' if way else '超'}のとき（現在 {_number(swing.now)}）。"
    side = "below" if way else "above"
    text = (
        f"{_often(best, lang, period)} is best while {name} is {side} {_number(swing.tips)} (now {_number(swing.now)})."
    )
    return text[0].upper() + text[1:]


def money(amount: float, given: Assumptions) -> str:
    """0.012 USD"""
    return f"{_number(amount)} {given.currency}"


def _often(every: int, lang: str, period: str) -> str:
    if period == "day" and every in OFTEN:
        return OFTEN[every][lang == "ja"]
    unit = PERIODS[period]
    return (
        f"{every} {unit[1]}ごと" if lang == "ja" else f"every {every} {unit[0]}s" if every > 1 else f"every {unit[0]}"
    )


def _number(value: float) -> str:
    """Three digits that count, and no exponent."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 or not value else f"{value:.7f}".rstrip("0")
