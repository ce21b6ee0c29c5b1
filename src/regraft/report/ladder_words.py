"""The words of the ladder, in English and Japanese: rungs, sentences of the verdict, its table and figure."""

from __future__ import annotations

LADDER: dict[str, tuple[str, str]] = {
    "rung counts": ("counts", "件数"),
    "rung rates": ("rates", "比率"),
    "rung neighbours": ("neighbours", "近傍"),
    "rung content columns": ("content columns", "内容の列"),
    "rung text vectors": ("text vectors", "テキストベクトル"),
    "rung model as it came": ("model as it came", "元のままのモデル"),
    "rung adapted": ("adapted", "適応済みモデル"),
    "rung renewed": ("renewed", "更新するモデル"),
    # verdict
    "advice": ("Advice: {answer}", "助言：{answer}"),
    "advice_so_far": (
        "Advice so far, with {done} of {planned} cells: {answer}",
        "ここまでの助言：{answer}（{planned} セル中 {done} セル）",
    ),
    "serve_classical": (
        "serve {name}, a classical model: {rung} is the last rung that pays here.",
        "{name} を使ってください。言語モデルを使わない古典的なモデルで、費用に見合う最後の段は「{rung}」です。",
    ),
    "serve_llm": (
        "serve {name}: {rung} is the last rung that pays here. Prove it on a pilot group before everyone gets it.",
        "{name} を使ってください。費用に見合う最後の段は「{rung}」です。全員に広げる前にパイロット群で確かめてください。",
    ),
    "serve_only": (
        "serve {name} until other rungs are compared: {rung} is the only one that was.",
        "他の段を比較するまでは {name} を使ってください。比較した段は「{rung}」だけです。",
    ),
    "serve_few_users": (
        "serve {name}, the lowest rung ({rung}), until there are events of {needed} users to compare on (n = {n}): which "
        "rung pays is unknown.",
        "どの段が費用に見合うかは不明です（n = {n}）。{needed} 人の利用者のデータがそろうまでは、最も低い段（{rung}）の {name} "
        "を使ってください。",
    ),
    "ladder_gain": (
        "{name} ({rung}) pays: {gap} {measure} {interval} against {below}, the best of the rungs below it.",
        "{name}（{rung}）は費用に見合います。下の段で最も良い {below} との差は {measure} {gap} {interval} です。",
    ),
    "ladder_higher": (
        "No rung above it pays. Against it: {steps}.",
        "その上の段は費用に見合いません。それとの差：{steps}。",
    ),
    "ladder_step": ("{name} ({rung}) {gap} {interval}", "{name}（{rung}）{gap} {interval}"),
    "ladder_cost": (
        "CPU time per update and per 1,000 requests, best of each rung: {prices}.",
        "各段で最も良いものの CPU 時間（更新 1 回、1,000 要求）：{prices}。",
    ),
    "ladder_price": ("{name} {update} and {requests}", "{name} {update}・{requests}"),
    "ladder_elsewhere": (
        "Where a higher rung pays although the mean does not show it: {places}.",
        "平均には現れないものの、上の段が費用に見合うところ：{places}。",
    ),
    "ladder_place": (
        "{name} ({rung}) on {group}, {gap} AUC {interval}, n = {n}",
        "{group}での {name}（{rung}）AUC {gap} {interval}、n = {n}",
    ),
    "ladder_nowhere": (
        "Nor does a higher rung pay in any group of rows by earlier rows of the item or of the user.",
        "アイテムや利用者の以前の行数で分けたどのグループでも、上の段は費用に見合いません。",
    ),
    "on item_count": ("items with {group} earlier rows", "以前の行が {group} 件のアイテム"),
    "on history": ("users with {group} earlier rows", "以前の行が {group} 件の利用者"),
    # page
    "ladder title": ("The ladder", "はしご"),
    "ladder note": (
        "The best contender of each rung, cheapest rung first. A rung pays where it is above the best of the paying rungs "
        "below it: paired interval, Holm-adjusted over all contenders. Bars are 95 % intervals.",
        "各段で最も良い候補を、安い段から順に示します。下の費用に見合う段で最も良いものを上回れば、その段は費用に見合います"
        "（対応のある区間、候補全体での Holm 補正）。縦線は 95 % 区間です。",
    ),
    "brief": (
        "A report between two rungs: its other figures are drawn at the end of the run, or now by: {command}",
        "段と段の間の報告書です。ほかの図は実行の最後に描きます。今すぐ描くには：{command}",
    ),
    "rung": ("Rung", "段"),
    "against below": ("Against the best below", "下の段の最良との差"),
    "pays": ("Pays", "費用に見合うか"),
    "pays yes": ("yes", "はい"),
    "pays no": ("no", "いいえ"),
    "pays first": ("lowest rung", "最も低い段"),
    "per 1,000": ("CPU per 1,000 requests", "CPU／1,000 要求"),
    "served here": ("serve this", "これを使う"),
    "cpu per 1,000": ("CPU seconds per 1,000 requests (log scale)", "1,000 要求の CPU 秒（対数目盛）"),
    "figure ladder": ("Line chart: {measure} of each rung against its cost", "折れ線図：各段の {measure} と費用"),
}
