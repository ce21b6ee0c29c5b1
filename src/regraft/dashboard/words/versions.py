"""Words of the pages Versions and one version, and of the ledger."""

from __future__ import annotations

WORDS = {
    "aliases title": ("In service", "公開中"),
    "versions title": ("Versions", "バージョン一覧"),
    "versions note": ("{n} in all, the newest first. “Saw nothing from”: no row known on or after that day.", "全 {n} 件、新しい順。「学習範囲」の日以降のデータは見ていません。"),
    "contender": ("Contender", "候補"),
    "alias": ("Alias", "役割"),
    "saw nothing from": ("Saw nothing from", "学習範囲（この日より前）"),
    "good": ("good", "良好"),
    "rejected": ("rejected", "不合格"),
    "damaged": ("damaged", "破損"),
    "destroyed": ("destroyed", "破棄"),
    "champion": ("champion", "公開中"),
    "challenger": ("challenger", "挑戦者"),
    "holdout": ("holdout", "固定版"),
    "ledger title": ("Ledger", "台帳"),
    "ledger about": (
        "Every decision, in order. Each entry is bound to the one before by a hash; all {n} were checked just now. Newest hash:",
        "すべての決定を順に記録しています。各記録は前の記録とハッシュで結ばれ、{n} 件すべてを今確認しました。最新のハッシュ：",
    ),
    "entry": ("Entry", "記録"),
    "kind": ("Kind", "種類"),
    "about": ("About", "内容"),
    "facts title": ("What it is", "概要"),
    "cost title": ("What it took", "費用"),
    "proof title": ("For whoever checks: run, hashes, parent", "検証用：実行、ハッシュ、元のバージョン"),
    "no findings": ("Nothing: the first version of a site has none before it to be compared with.", "なし。最初のバージョンには比較する相手がありません。"),
    "examples": ("Examples learnt from", "学習した例"),
    "cost wall_seconds": ("Seconds", "秒"), "cost cpu_seconds": ("CPU seconds", "CPU 秒"), "cost peak_memory": ("Memory at most", "最大メモリ"),
    "cost adapter_bytes": ("Size of its adapter", "アダプターの容量"), "cost cache_bytes": ("Kept for the next time", "次回のための保存量"),
    "cost stored_interactions": ("Rows it must keep", "保持が必要な行"), "cost targets_trained": ("Answers trained on", "学習した答え"),
    "cost tokens_forward": ("Tokens read", "読んだトークン"), "cost tokens_backward": ("Tokens learnt from", "学習したトークン"),
    "cost tokens_trunk": ("Tokens of layers that are kept", "保持する層のトークン"), "cost flops": ("Floating-point operations", "浮動小数点演算"),
    "made from": ("Data it was made from", "学習したデータ"),
    "made from note": ("The newest of {n} batches.", "{n} 件のうち新しいもの。"),
}  # fmt: skip
