"""Words of the page Cost and return."""

from __future__ import annotations

WORDS = {
    "title cost": ("Cost and return", "費用と効果"),
    "cost lead": ("In the last 30 days shown, updates cost {updates} and storage {storage}; 1,000 lists cost {lists}.", "表示中の直近 30 日で、更新に {updates}、保存に {storage} かかりました。リスト 1,000 件は {lists} です。"),
    "per day": ("per day: {money}", "1 日あたり {money}"),
    "prices title": ("Assumptions", "前提"),
    "prices note": ("From the section prices of regraft.yaml; change them there.", "regraft.yaml の prices で変更できます。"),
    "update_hour": ("An hour of the machine that updates", "更新機械の 1 時間"),
    "serving_hour": ("An hour of the machine that serves", "配信機械の 1 時間"),
    "storage_gb_month": ("A gigabyte for 30 days", "1 GB の 30 日保存"),
    "price": ("Price", "価格"),
    "sensitivity title": ("If a price changes", "価格が変わると"),
    "sensitivity note": ("Cost of 30 days with each price halved and doubled, the others as they are.", "各価格を半分・2 倍にしたときの 30 日の費用（ほかはそのまま）。"),
    "halved": ("halved", "半分"),
    "as it is": ("as it is", "現在"),
    "doubled": ("doubled", "2 倍"),
    "frequency title": ("How often should it be updated?", "更新の頻度"),
    "frequency note": ("Earnings follow from an assumption, the share of clicks that better foresight brings, and from prices in regraft.yaml; a pilot can measure it. What would have to change:", "収入は、予測の改善がもたらすクリックの割合という仮定と regraft.yaml の価格から計算します。仮定はパイロットで測れます。何が変われば結論が変わるか："),
    "frequency none": ("The worth of updating less often has not been measured on this site yet.", "更新頻度を下げた場合の価値は、このサイトではまだ測っていません。"),
}  # fmt: skip
