"""What the page of measures says, in English and Japanese. The English meaning of a measure is its docstring."""

from __future__ import annotations

DECLARED = """measures:
  conversion: event == "purchase"        # what a list should lead to in the end
  satisfied: ["rating >= 4"]             # any of these; rules about values speak of the event rating
  dissatisfied: ["rating <= 2", 'event == "return"', 'event == "complaint"']
  worth: {purchase: value}               # what an event earns; empty: a day with activity counts 1
  quiet: 14                              # days of silence after which a person counts as gone
prices:
  currency: JPY
  update_hour: 30                        # an hour of the machine that updates
  serving_hour: 20
  storage_gb_month: 3
  click: 4                               # margin that one more click is worth
  lift: 0.01                             # share of clicks that 0.01 more AUC brings: an assumption, until a pilot says it
"""

PAGE = {
    "en": {
        "title": "Which measure means what",
        "intro": (
            "`regraft update` writes these numbers when a day is closed; `regraft metrics SITE` prints the newest, the dashboard draws them. "
            "Each has a 95 % interval where it is an estimate, and the number of people behind it (n). With fewer than 30 people there is no interval; "
            "with fewer than 10 the number is hidden, so that nobody can be seen in it.\n\n"
            "Numbers are of everybody, of each arm of a pilot, of each version (`version=`), of each contender (`contender=`), and of people by their days with "
            "activity in the 28 days before: `people=new` (none), `people=light` (1 to 7), `people=heavy` (8 or more). Segments of a pilot are cut as of its first list: `new` was never seen, `heavy` on 4 or more of the 28 days before.\n\n"
            "AUC, UAUC, log-loss and calibration of an arm are those of its own version on the rows of the people whom it served that day, before it learnt "
            "from them. The arms' lists differ, and so do the rows: a version that ranks well leaves itself the harder ones. To compare versions on the same rows "
            "read `contender=`.\n\n"
            "**Read short and long together.** A list that is clicked more today can drive people away: clicks rise at once, returns fall weeks later. "
            "Decide on the short-term number only where the long-term ones are known not to fall; where they are too early, wait."
        ),
        "short": ("Short term", "Known on the day. They say what was shown and what came of it at once."),
        "long": (
            "Long term",
            "Known days or weeks later, or seen over weeks. They say whether people stay, are content, and still see varied lists.",
        ),
        "cost": (
            "Cost",
            "Prices are those of the section `prices` of regraft.yaml; events and what they earn are declared under `measures`.",
        ),
        "declared": "What counts, and what things cost, is declared in regraft.yaml. These are examples; what is left out has a default (`regraft schema`).",
        "table": ("measure", "name", "unit", "better"),
        "better": {"higher": "higher", "lower": "lower", "one": "near 1", "": ""},
        "computed": "Computed by",
    },
    "ja": {
        "title": "指標の意味",
        "intro": (
            "これらの値は、一日を締めるときに `regraft update` が書き込みます。`regraft metrics SITE` は最新の値を表示し、ダッシュボードは図にします。"
            "推定値には 95 % 区間と、もとになった人数（n）が付きます。30 人未満では区間を示さず、10 人未満では個人が分からないよう値を隠します。\n\n"
            "値は全員のほか、パイロットの群ごと、バージョンごと（`version=`）、候補ごと（`contender=`）、直前 28 日間の活動日数で分けた人ごと"
            "（`people=new` は 0 日、`people=light` は 1〜7 日、`people=heavy` は 8 日以上）に計算します。試験のセグメントは最初のリストの時点で分けます（`new` は初めての人、`heavy` は直前 28 日間に 4 日以上）。\n\n"
            "群ごとの AUC、UAUC、対数損失、較正は、その日に群がリストを表示した人の行を、群のバージョンが学習前にどれだけ予測できたかです。群によってリストが違い、"
            "行も違います。よく並べるバージョンほど、残る行は難しくなります。同じ行での比較は `contender=` を見てください。\n\n"
            "**短期と長期を合わせて読んでください。** 今日よく押されるリストが、人を遠ざけることがあります。クリックはすぐ増え、再訪は数週間後に減ります。"
            "長期の指標が下がらないと分かっているときだけ、短期の指標で決めてください。まだ早いときは待ってください。"
        ),
        "short": ("短期", "その日のうちに分かります。何を表示し、すぐに何が起きたかを示します。"),
        "long": ("長期", "数日から数週間後に分かります。人が残るか、満足しているか、リストが多様なままかを示します。"),
        "cost": ("費用", "単価は regraft.yaml の `prices`、行動の意味と価値は `measures` で宣言します。"),
        "declared": "何を数え、何がいくらかかるかは regraft.yaml で宣言します。以下は例で、書かないものには既定値があります（`regraft schema`）。",
        "table": ("指標", "名前", "単位", "望ましい向き"),
        "better": {"higher": "大きいほど良い", "lower": "小さいほど良い", "one": "1 に近いほど良い", "": ""},
        "computed": "計算",
    },
}

# title, unit and meaning of every measure
JAPANESE = {
    "lists": ("リスト数", "件", "その日にサーバーが返したリストの数。"),
    "people": ("人数", "人", "その日に行動またはリストのあった人の数。"),
    "people_served": ("配信を受けた人数", "人", "その日に一つ以上のリストを受け取った人の数。"),
    "rows": ("行数", "行", "その日の行動と、表示されたが反応のなかった項目の数。"),
    "clicks": ("クリック数", "件", "表示された項目のうちクリックされた数。一つのリストの同じ項目は一度だけ数えます。"),
    "ctr": (
        "クリック率（CTR）",
        "割合",
        "クリックされた項目 ÷ 表示された項目。一日を締めた後に届いた反応は数えません。区間は人を単位とするデルタ法（Deng ほか 2018）。",
    ),
    "conversion": (
        "コンバージョン率",
        "割合",
        "リストのあと一度以上購入などに至った人 ÷ リストを見た人。何を数えるかは `measures.conversion` で宣言します。区間は Wilson 法。",
    ),
    "auc": (
        "AUC",
        "確率",
        "好まれた行の得点が、そうでない行の得点より高い確率。0.5 は情報なし、1 は完全。その日をまだ学んでいない、公開中のバージョンで測ります。区間は人を単位とする再抽出。",
    ),
    "uauc": ("UAUC", "確率", "同じ値を一人の行の中で計算し、両方の行を持つ人について行数で重み付けして平均した値。"),
    "log_loss": (
        "対数損失",
        "ナット",
        "実際に起きたことへ与えた予測確率の -log の平均。0 以上で、0.693 は硬貨投げと同じ。",
    ),
    "calibration": (
        "較正",
        "比",
        "予測された「好き」の数 ÷ 実際の「好き」の数。1 が正しく、1 を超えると約束しすぎです。",
    ),
    "latency_p95": (
        "リストの応答秒数",
        "秒",
        "95 % のリストがこの秒数以内に作られました。要求の到着から順位付きのリストができるまで。",
    ),
    "return_7": (
        "7 日以内の再訪率",
        "割合",
        "その日に訪れ、続く 7 日間にまた訪れた人 ÷ その日に訪れた人。7 日後に確定します。区間は Wilson 法。",
    ),
    "return_28": (
        "28 日以内の再訪率",
        "割合",
        "その日に訪れ、続く 28 日間にまた訪れた人 ÷ その日に訪れた人。28 日後に確定します。区間は Wilson 法。",
    ),
    "cohort_return": (
        "新しい人の再訪率",
        "割合",
        "ある週に新しく来た人のうち、k 週間後の週（k = 1〜12）にも訪れた人の割合。新しく来た週の月曜日の値として示します。新しい人とは、その週に訪れ、直前の 4 週間には（ログのある範囲で）訪れていない人です。そのためログの最初の週は全員が新しい人になり、長い休みのあとに戻った人も新しい人に数えます。週は日曜日（UTC）に終わり、終わってから数えます。区間は Wilson 法。",
    ),
    "repeat_rate": ("リピート率", "割合", "直近 28 日に二日以上訪れた人 ÷ 一日以上訪れた人。区間は Wilson 法。"),
    "staying": (
        "残存率",
        "確率",
        "最初の日から d 日後にまだいる確率（カプラン・マイヤー法、帯は log-log）。`measures.quiet` 日間活動がないと、最後の活動の翌日から「去った」とみなします。最後の `quiet` 日間はまだ判断できないので、観察はその前で打ち切ります。",
    ),
    "lifetime_value": (
        "最初の 28 日間の価値",
        "価値",
        "28 日目までの各日について、残存率 × 滞在 1 日あたりの価値を足した値。28 日間観察された人がいないうちは「早すぎる」として値を出しません。区間は人を単位とする再抽出。28 日より先については何も言わない代理指標です。",
    ),
    "lifetime_gain": (
        "28 日間の価値の差",
        "価値",
        "一人あたりの最初の 28 日間の価値の差（処置群 − 対照群）。`gain_so_far` の曲線の終点です。両群に 28 日間観察された人がいないうちは「早すぎる」として値を出しません。区間は群ごとに人を単位とする再抽出、n は少ない方の群の人数です。28 日より先については何も言わない代理指標です。",
    ),
    "gain_so_far": (
        "これまでの価値の差",
        "価値",
        "最初の日から d 日後（d = 0〜28）までの一人あたりの価値の差（処置群 − 対照群）。各群の価値は、各日の残存率 × 滞在 1 日あたりの価値を d 日目まで足した値です。どちらかの群で観察された人がいなくなる日で曲線は終わります。区間は群ごとに人を単位とする再抽出、n は少ない方の群の人数です。",
    ),
    "dormant": (
        "休眠中の人",
        "割合",
        "直近 56 日に訪れた人のうち、最後の `measures.quiet` 日間活動のない人の割合。区間は Wilson 法。",
    ),
    "satisfaction": (
        "満足度",
        "割合",
        "直近 28 日の、満足を示す行動 ÷（満足 + 不満を示す行動）。どの行動がそれに当たるか（評価、返品、苦情など）は `measures` で宣言します。",
    ),
    "complaints": ("不満を示した人", "割合", "直近 28 日に不満を示す行動のあった人 ÷ 訪れた人。区間は Wilson 法。"),
    "diversity": (
        "リスト内の多様性",
        "割合",
        "リスト内の異なる二項目の、1 − 属性のコサイン類似度の平均。0 はすべて同じ、1 は共通点なし（Ziegler ほか 2005）。",
    ),
    "concentration": (
        "集中度",
        "ジニ係数",
        "カタログの各項目が表示された回数のジニ係数。0 はすべて等しく、1 は一項目が独占。",
    ),
    "retained": (
        "記憶の保持",
        "AUC",
        "新しいバージョンの AUC − 公開中のバージョンの AUC。学習に使っていない、最新の期間より古い行で測ります。0 未満は忘却を示します。",
    ),
    "retained_week": (
        "一週間の記憶の保持",
        "AUC",
        "新しいバージョンの AUC − 一週間前に公開されていたバージョンの AUC。一日では小さすぎる損失がここで積み重なって見えます。",
    ),
    "promoted": ("公開", "有無", "その日のバージョンが公開されたら 1、前のものが残ったら 0。"),
    "update_seconds": ("更新の秒数", "秒", "すべての候補がその日から学ぶのにかかった実時間。"),
    "update_cost": ("更新の費用", "金額", "すべての候補の学習秒数 × 機械 1 時間の単価 ÷ 3600。"),
    "seconds_per_1000": (
        "リスト 1,000 件の秒数",
        "秒",
        "要求の到着から順位付きのリストができるまでの平均秒数 × 1,000。",
    ),
    "cost_per_1000": (
        "リスト 1,000 件の費用",
        "金額",
        "リスト 1 件の平均秒数 × 1,000 × 配信機械 1 時間の単価 ÷ 3600。一件ずつ順に作った場合の値です。",
    ),
    "storage_bytes": ("保存容量", "バイト", "更新後のデータ、バージョン、キャッシュの合計。"),
    "storage_cost": (
        "保存の費用",
        "金額",
        "データ、バージョン、キャッシュのバイト数 ÷ 10^9 × 1 GB を 30 日保存する単価。",
    ),
}
