"""Words of the page Updates and of one job."""

from __future__ import annotations

WORDS = {
    "waits title": ("Waits for a decision", "判断待ち"),
    "waits": (
        "The gate holds the data of {day}: nothing has learnt from it. Look at the reasons, then accept or skip the day.",
        "ゲートが {day} のデータを保留しています。まだ何も学習していません。理由を確認し、受け入れるか除外してください。",
    ),
    "log title": ("Update log", "更新の記録"),
    "jobs title": ("Jobs that were asked for here", "ここで依頼されたジョブ"),
    "no jobs": ("None yet.", "まだありません。"),
    "failures title": ("Steps that failed", "失敗した手順"),
    "failure": ("{at}: {kind} ended with {error}", "{at}：{kind} が {error} で終了"),
    "failure next": ("Run it again, with its message:", "もう一度実行するとメッセージが出ます："),
    "outcome": ("Outcome", "結果"),
    "took": ("Took", "所要時間"),
    "version": ("Version", "バージョン"),
    "reasons": ("What the gate said", "ゲートの判定"),
    "checks": ("{n} checks", "チェック {n} 件"),
    "foreseen": ("AUC before learning", "学習前の AUC"),
    "foreseen cell": ("{auc} on {rows} rows", "{auc}（{rows} 行）"),
    "promoted": ("went live", "公開"),
    "kept": ("old one kept", "旧版を維持"),
    "held": ("waits", "保留"),
    "skipped": ("skipped", "除外"),
    "superseded": ("judged anew", "再判定"),
    "running": ("running", "実行中"),
    "waiting": ("waiting", "待機中"),
    "done": ("done", "完了"),
    "failed": ("failed", "失敗"),
    "gone": ("ended without a word", "途中で終了"),
    "none": ("no update", "更新なし"),
    "asked by": ("Asked by", "依頼者"),
    "job": ("Job", "ジョブ"),
    "state": ("State", "状態"),
}  # fmt: skip
