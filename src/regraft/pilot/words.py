"""The sentences of a pilot, in English and Japanese. Values in braces are filled in."""

from __future__ import annotations

import re

from regraft.errors import ConfigError

LANGUAGES = ("en", "ja")

PHRASES: dict[str, tuple[str, str]] = {
    "roll-out": ("Roll out.", "全体に展開してください。"),
    "extend": ("Extend the pilot.", "試験を続けてください。"),
    "stop": ("Stop the pilot.", "試験を終了してください。"),
    "mismatch": (
        "The arms have {control:,} and {treatment:,} users; a fair split gives such a difference less than once in "
        "{once:,} pilots. Assignment or logging is broken, so no number here can be trusted.",
        "各群の利用者数は {control:,} 人と {treatment:,} 人です。公平な割り当てでこの差が出るのは {once:,} 回に "
        "1 回未満です。割り当てか記録に誤りがあり、ここの数値はどれも信頼できません。",
    ),
    "too few": (
        "Only {n:,} users of the smaller arm have been followed to the end of their window; "
        "intervals begin at {least:,}.",
        "観察期間を終えた利用者は、少ない方の群で {n:,} 人だけです。区間を示せるのは {least:,} 人からです。",
    ),
    "first week": (
        "What would change it: users have entered for {days:.1f} days only; a whole week is needed.",
        "判断が変わる条件：利用者の参加開始からまだ {days:.1f} 日です。曜日による違いがあるため、1 週間が必要です。",
    ),
    "primary better": (
        "{metric} is better in the treatment: {lift} {interval}.",
        "{metric} は処置群の方が良くなりました（{lift} {interval}）。",
    ),
    "primary worse": (
        "{metric} is worse in the treatment: {lift} {interval}.",
        "{metric} は処置群の方が悪くなりました（{lift} {interval}）。",
    ),
    "primary too small": (
        "{metric} can hardly reach the lift that would be worth it, {minimum}: {lift} {interval}.",
        "{metric} は、展開に値する改善（{minimum}）に届く見込みがほとんどありません（{lift} {interval}）。",
    ),
    "primary unclear": (
        "Whether {metric} is better in the treatment is not clear yet: {lift} {interval}.",
        "{metric} が処置群で良くなったかは、まだ分かりません（{lift} {interval}）。",
    ),
    "guardrail kept": (
        "{metric} keeps its margin: {lift} {interval}, at most {margin} may be lost.",
        "{metric} は許容範囲内です（{lift} {interval}、許容される低下は {margin} まで）。",
    ),
    "guardrail broken": (
        "{metric} loses more than it may: {lift} {interval}, at most {margin} may be lost.",
        "{metric} の低下は許容範囲を超えています（{lift} {interval}、許容される低下は {margin} まで）。",
    ),
    "guardrail unclear": (
        "Whether {metric} keeps its margin is not clear yet: {lift} {interval}, at most {margin} may be lost.",
        "{metric} が許容範囲内かは、まだ分かりません（{lift} {interval}、許容される低下は {margin} まで）。",
    ),
    "segment worse": (
        "In the segment {segment} {metric} is worse in the treatment: {lift} {interval}, corrected for all that was "
        "compared.",
        "セグメント {segment} では、{metric} は処置群の方が悪くなりました（{lift} {interval}、"
        "比較した数に応じて補正済み）。",
    ),
    "no variation": (
        "All users have the same value of {metric} so far, so nothing can be said about it.",
        "{metric} は今のところ全利用者で同じ値のため、何も言えません。",
    ),
    "needs": (
        "If the effects stay as they are, {n:,} users per arm settle it: about {weeks} more of new users.",
        "効果がこのままなら、各群 {n:,} 人で決着します。新しい利用者の参加があと約 {weeks}必要です。",
    ),
    "needs plan": (
        "What would change it: {left:,} more users per arm reach the planned {n:,}: about {weeks} of new users.",
        "判断が変わる条件：計画した各群 {n:,} 人まであと {left:,} 人、新しい利用者の参加であと約 {weeks}です。",
    ),
    "needs too many": (
        "The planned {n:,} users per arm are there, and more than twice as many would be needed to settle it.",
        "計画した各群 {n:,} 人に達しましたが、決着にはその 2 倍を超える人数が必要です。",
    ),
    "change mismatch": (
        "What would change it: find the cause, mend it, and begin again with new users.",
        "判断が変わる条件：原因を見つけて直し、新しい利用者でやり直してください。",
    ),
    "change stop": (
        "What would change it: another challenger; more days of this one will not.",
        "判断が変わる条件：別の候補が必要です。この候補で日数を増やしても変わりません。",
    ),
    "change stop size": (
        "What would change it: a pilot planned for more users, or a larger effect.",
        "判断が変わる条件：より多くの利用者での計画、またはより大きな効果です。",
    ),
    "change roll-out": (
        "What would change it: nothing in these numbers; keep a holdout to see whether it lasts.",
        "判断が変わる条件：これらの数値の中にはありません。効果の持続を見るため、ホールドアウトを残してください。",
    ),
    "measured own": (
        "Measured: in a simulated world with a true lift of {true} % arms that learnt like this showed {shown} %, an "
        "error of {error:+} points [{low:+}, {high:+}], n = {n} worlds (docs/results/contamination.md).",
        "測定：真の改善が {true} % のシミュレーション世界で、この学習方法の試験は {shown} % を示しました。誤差は "
        "{error:+} ポイント [{low:+}, {high:+}]、n = {n} 世界（docs/results/contamination.md）。",
    ),
    "measured control-only": (
        "Measured: in a simulated world with a true lift of {true} % arms that learnt like this showed {shown} %, an "
        "error of {error:+} points [{low:+}, {high:+}], n = {n} worlds (docs/results/contamination.md): what a "
        "challenger gains by what it tries out itself is not seen.",
        "測定：真の改善が {true} % のシミュレーション世界で、この学習方法の試験は {shown} % を示しました。誤差は "
        "{error:+} ポイント [{low:+}, {high:+}]、n = {n} 世界（docs/results/contamination.md）。候補自身の試行から"
        "得られる改善は見えません。",
    ),
    "measured shared": (
        "Measured: in a simulated world with a true lift of {true} %, where {mixed} % of the control's rows were the "
        "treatment's, arms that learnt like this showed {shown} %, an error of {error:+} points [{low:+}, {high:+}], "
        "n = {n} worlds (docs/results/contamination.md): a pilot shows less than is true.",
        "測定：真の改善が {true} % で、対照群の行の {mixed} % が処置群のものだったシミュレーション世界で、この学習"
        "方法の試験は {shown} % を示しました。誤差は {error:+} ポイント [{low:+}, {high:+}]、n = {n} 世界"
        "（docs/results/contamination.md）。試験は実際より小さい改善を示します。",
    ),
    "design": (
        "To see a lift of {lift} in {metric} with a chance of {power}, {n:,} users per arm are needed: {weeks} in "
        "which users enter, and {days} days until the last window ends.",
        "{metric} の {lift} の改善を {power} の確率で捉えるには、各群 {n:,} 人が必要です。利用者の参加に "
        "{weeks}、最後の観察期間の終了までさらに {days} 日かかります。",
    ),
    "design margins": (
        "The lift alone would be seen in {weeks}; it takes longer to tell whether every margin is kept.",
        "改善だけなら {weeks}で捉えられますが、すべての許容範囲の判定にはより長くかかります。",
    ),
    "design margin out of reach": (
        "In {weeks} nobody can tell whether {metric} keeps its margin of {margin}; the smallest margin that can "
        "be told, with {n:,} users per arm, is {reach}.",
        "{weeks}では {metric} が許容範囲（{margin}）内かを判定できません。各群 {n:,} 人で判定できる最小の"
        "許容範囲は {reach} です。",
    ),
    "design out of reach": (
        "In {weeks} a lift of {lift} in {metric} cannot be seen; the smallest that can, with {n:,} users per arm,"
        " is {reach}.",
        "{weeks}では {metric} の {lift} の改善は捉えられません。各群 {n:,} 人で捉えられる最小の改善は "
        "{reach} です。",
    ),
}  # fmt: skip


def say(lang: str, key: str, **values: object) -> str:
    """One sentence of one language; `weeks` is a number of them."""
    if lang not in LANGUAGES:
        raise ConfigError("language", f"found '{lang}'", f"one of {', '.join(LANGUAGES)}")
    if isinstance(weeks := values.get("weeks"), int):
        values["weeks"] = f"{weeks} 週間" if lang == "ja" else f"{weeks} week{'' if weeks == 1 else 's'}"
    return closed_up(PHRASES[key][LANGUAGES.index(lang)].format(**values))


def closed_up(text: str) -> str:
    """Without the blanks between two Japanese characters that a name leaves behind which may be Latin, too."""
    return re.sub("(?<=[\u3040-\u30ff\u4e00-\u9fff]) (?=[\u3040-\u30ff\u4e00-\u9fff])", "", text)


def percent(share: float, signed: bool = True) -> str:
    """0.0123 as +1.2 %; a dash where there is no number."""
    if share != share:
        return "–"
    return f"{100 * share:+.1f} %" if signed else f"{100 * share:.3g} %"


def interval(low: float, high: float) -> str:
    """[-0.4 %, +2.8 %]; a dash where there is none."""
    return "–" if low != low or high != high else f"[{percent(low)}, {percent(high)}]"
