"""The words of the report outside the verdict, in English and Japanese, by section."""

from __future__ import annotations

PAGE: dict[str, tuple[str, str]] = {
    "title": ("Arena report", "アリーナ報告書"),
    "contents": ("Contents", "目次"),
    "verdict": ("Verdict", "結論"),
    "seeds title": ("Can this stream rank strategies?", "このデータで順位を付けられるか"),
    "leaderboard": ("Leaderboard", "順位表"),
    "periods title": ("Quality over periods", "期間ごとの品質"),
    "matrix title": ("Every model on every period", "すべてのモデルをすべての期間で"),
    "cost title": ("Quality against cost", "品質と費用"),
    "memory title": ("Learning and forgetting", "学習と忘却"),
    "groups title": ("Who gains, who loses", "誰が得をし、誰が損をするか"),
    "calibration title": ("Calibration", "確率の正しさ"),
    "run title": ("What was run", "実行の内容"),
    # status
    "can rank yes": ("can rank strategies", "順位を付けられる"),
    "can rank no": ("cannot rank strategies", "順位を付けられない"),
    "can rank one seed": ("unknown: one seed", "不明（シードが 1 つ）"),
    "can rank few users": ("unknown: too few users", "不明（利用者が少なすぎる）"),
    "can rank missing": ("unknown: never or full-retrain is missing", "不明（never か full-retrain がない）"),
    "not finished": ("not finished: {done} of {planned} cells", "未完了：{planned} セル中 {done} セル"),
    "finished": ("finished", "完了"),
    # facts
    "facts": (
        "{rows} test rows of {users} users in periods {periods}; {contenders} contenders; seeds: {seeds}.",
        "評価データ {rows} 行、利用者 {users} 人、期間 {periods}、候補 {contenders} 個、シード {seeds} 個。",
    ),
    "intervals": (
        "Intervals are 95 %, from {draws} resamples of users; they speak for other users, not for other seeds. Below "
        "{few} users none is given. AUC is the mean over periods; every contender is scored on the same rows and none "
        "is dropped.",
        "区間は 95 %（利用者の再標本化 {draws} 回）。別の利用者に対する不確かさであり、シードの違いは含みません。"
        "利用者が {few} 人に満たない場合、区間は示しません。"
        "AUC は期間ごとの値の平均です。どの候補も同じ行で評価し、1 行も除いていません。",
    ),
    # 2
    "gap tile": ("full-retrain minus never, AUC", "full-retrain − never（AUC）"),
    "sd tile": ("spread between seeds (standard deviation)", "シードによるばらつき（標準偏差）"),
    "times tile": ("gap in seed deviations; 3 are needed", "ばらつきの何倍か（3 倍が必要）"),
    "seeds note": (
        "Retraining from everything against never updating is about the most that a strategy can be worth here. "
        "Where it is less than three times what another seed changes, the order of strategies is luck.",
        "全データでの再学習と、まったく更新しない場合との差は、戦略で得られるほぼ最大の効果です。"
        "それがシードによる変化の 3 倍に満たなければ、戦略の順位は偶然です。",
    ),
    "seed sd": ("SD between seeds", "標準偏差"),
    # 3
    "leaderboard note": (
        "Up the ladder, inside a rung by AUC. Filled circle: LLM contender. Hollow square: baseline without an LLM. The line is the "
        "interval; the dashed line marks the best baseline; ◂: far below the scale.",
        "段の低い順、同じ段では AUC の順。塗りつぶした丸は LLM の候補、白抜きの四角は LLM を使わないベースライン。"
        "横線は区間、破線は最も良いベースライン、◂ は目盛りのはるか下です。",
    ),
    "differences note": (
        "Differences are paired; above / below: Holm-adjusted p under 0.05 over the contenders; otherwise not "
        "distinguishable (≈).",
        "差は対応のある比較です。「上」「下」は候補全体での Holm 補正後の p が 0.05 未満、それ以外は区別できません（≈）。",
    ),
    "contender": ("Contender", "候補"),
    "kind": ("Kind", "種類"),
    "strategy": ("LLM", "LLM"),
    "baseline": ("baseline", "ベースライン"),
    "interval column": ("AUC, interval", "AUC の区間"),
    "seeds": ("Seeds", "シード"),
    "vs baseline": ("AUC against {name}", "{name} との AUC の差"),
    "vs full": ("AUC against {name}", "{name} との AUC の差"),
    "reference": ("reference", "基準"),
    "above": ("above", "上"),
    "below": ("below", "下"),
    "same": ("not distinguishable", "区別できない"),
    "unknown": ("unknown", "不明"),
    "no interval": ("(no interval)", "（区間なし）"),
    "log loss": ("Log-loss", "対数損失"),
    "brier": ("Brier", "Brier"),
    "ece excess": ("ECE above chance", "ECE 超過分"),
    "pooled": ("pooled {value}", "全期間一括 {value}"),
    "other rows": (
        "not compared: {done} of {all} periods",
        "比較外：{all} 期間中 {done} 期間のみ",
    ),
    "swipe": ("Swipe the table for more columns ↔", "表は横に動かせます ↔"),
    # cost
    "cost table": ("What it takes", "必要な費用"),
    "cpu each": ("CPU per update", "CPU／更新"),
    "cpu total": ("CPU, all updates", "CPU 合計"),
    "cpu scoring": ("CPU, scoring", "CPU 評価"),
    "tokens forward": ("Tokens forward", "トークン（順伝播）"),
    "tokens backward": ("Tokens backward", "トークン（逆伝播）"),
    "flops": ("FLOPs", "FLOPs"),
    "adapter": ("Adapter", "アダプター"),
    "cache": ("Cache", "キャッシュ"),
    "memory": ("Peak memory", "最大メモリ"),
    "stored": ("Stored interactions", "保存する行"),
    "prompt tokens": ("Prompt tokens per request", "入力トークン／要求"),
    "passes": ("Forward passes per request", "順伝播／要求"),
    "cost note": (
        "Sums over updates, means over seeds; work that contenders share is charged to each in full.",
        "更新の合計、シードの平均。候補が共有した計算は、それぞれに全額を計上しています。",
    ),
    # 4
    "periods note": (
        "Each point is the model after one update, tested on the next period. Bands: 95 % intervals. Thin lines: "
        "the other contenders.",
        "各点は、ある更新の後のモデルを次の期間で評価した値です。帯は 95 % 区間、細い線は他の候補です。",
    ),
    "each contender": ("Each contender in front of the others", "候補ごとの表示（細い線は他の候補）"),
    "numbers": ("The numbers", "数値"),
    "rows": ("rows", "行数"),
    # 5
    "matrix note": (
        "Row: the model after an update. Column: the period it is tested on{eval_rows}. A white dot marks what users "
        "would get: the period right after the update. Left of it is the past (forgetting), right of it the future "
        "(going stale). Brighter is better.",
        "行は更新後のモデル、列は評価した期間です{eval_rows}。白い点は実際に利用者が受ける期間（更新の直後）。"
        "その左は過去（忘却）、右は未来（古くなる様子）です。明るいほど良い値です。",
    ),
    "on eval rows": (", on rows that nothing was trained on", "（学習に一切使っていない行）"),
    "no eval rows": (
        "No rows were kept out of training (eval_share: 0), so models were tested on the next period only.",
        "学習から除いた行がないため（eval_share: 0）、次の期間だけで評価しています。",
    ),
    "staleness title": ("What a late update costs", "更新の遅れの代償"),
    "staleness note": (
        "AUC of a model that is k periods late minus that of the fresh model, on the same rows; below zero: the "
        "late one is worse. Contenders whose line stays at zero gain nothing from updates.",
        "k 期間遅れたモデルの AUC から、同じ行での新しいモデルの AUC を引いた値。0 より下は、遅れた方が悪いことを示します。"
        "線が 0 のままの候補は、更新で何も得ていません。",
    ),
    # 6
    "cost figure note": (
        "Higher and further left is better. The dotted line joins what nothing cheaper reaches. Numbers are places "
        "in the leaderboard.",
        "左上ほど良い。点線は、より安いものでは届かない品質を結びます。数字は順位表の番号です。",
    ),
    "no costs": ("No costs were recorded.", "費用の記録がありません。"),
    # 7
    "memory note": (
        "Learning: the newest model on the newest period's rows that it was not trained on. Forgetting: how far the "
        "last model is below the best one ever, on earlier periods; as a maximum over noisy cells it is a little above "
        "zero even where nothing is forgotten. Best corner: top right.",
        "学習は、最新のモデルを最新期間の（学習に使っていない）行で評価した値。忘却は、過去の期間で最後のモデルが歴代最良から"
        "どれだけ下がったか。誤差のあるセルの最大値を使うため、何も忘れていなくても 0 より少し大きくなります。右上ほど良い。",
    ),
    "no memory": (
        "Not measured: that takes rows that nothing was trained on (eval_share) and at least two updates.",
        "測定されていません。学習に使わない行（eval_share）と、2 回以上の更新が必要です。",
    ),
    "learning": ("Learning accuracy", "学習精度"),
    "retained": ("Retained accuracy", "保持精度"),
    "balance": ("Harmonic mean", "調和平均"),
    "backward": ("Backward transfer", "後方転移"),
    "forward": ("Forward transfer", "前方転移"),
    "forgetting": ("Forgetting", "忘却"),
    "churn": ("Churn", "予測の変化"),
    "churn note": (
        "Churn: mean change of the predicted probability on the same request from one model to the next. n: cells "
        "(or pairs of models) behind the number.",
        "予測の変化は、同じ要求に対する予測確率がモデルの交代で平均どれだけ変わるか。n は元になるセル（モデルの組）の数です。",
    ),
    # 8
    "groups note": (
        "AUC over all test rows of the group, as of its own cut. Numbers on the left are places in the leaderboard.",
        "各グループの全評価行での AUC（区切り時点の情報による分類）。左の数字は順位表の番号です。",
    ),
    "user": ("Users", "利用者"),
    "item": ("Items", "アイテム"),
    "item_count": ("Earlier rows of the item", "アイテムの以前の行数"),
    "history": ("Known events of the user", "利用者の履歴の件数"),
    "new user": ("new", "新規"),
    "continuing user": ("continuing", "継続"),
    "dormant user": ("dormant", "休眠"),
    "cold item": ("cold (never seen)", "未出"),
    "new item": ("new (first seen in the newest period)", "新着（直近の期間に初出）"),
    "warm item": ("warm", "既出"),
    "people": ("{rows} rows, {users} users, {liked} liked", "{rows} 行、{users} 人、高評価 {liked}"),
    "empty group": ("No test rows:", "評価行なし："),
    # 9
    "calibration note": (
        "When a contender says 70 %, does it come true 70 % of the time? On the dashed line: yes. First seed, 15 bins "
        "of equally many rows.",
        "候補が 70 % と言うとき、本当に 70 % の割合で起きるか。破線上なら、その通りです。最初のシード、同数の行による 15 区間。",
    ),
    # 10
    "stream": ("Stream", "データ"),
    "base model": ("Base model", "基盤モデル"),
    "template": ("Template", "テンプレート"),
    "timeline": ("Timeline (context + targets)", "時系列プロンプト（文脈＋対象）"),
    "regime": ("What is known at request time", "要求時に分かっていること"),
    "information": ("Information", "利用した情報"),
    "share": ("Share of users", "利用者の割合"),
    "updates": ("Updates", "更新"),
    "scored periods": ("Tested periods", "評価した期間"),
    "created": ("Created", "作成"),
    "none": ("none", "なし"),
    "contenders": ("Contenders", "候補の一覧"),
    "cuts": ("Periods and their cuts (UTC)", "期間と区切り（UTC）"),
    "config": ("Configuration", "設定"),
    "versions": ("Versions", "バージョン"),
    "machine": ("Machine", "計算機"),
    "notes": ("Notes of the updates", "更新時の記録"),
    "update n": ("update {update}", "更新 {update}"),
    "from": ("from", "開始"),
    "to": ("until (exclusive)", "終了（含まない）"),
    "period": ("Period", "期間"),
    "explained": ("How the numbers are made", "数値の求め方"),
    "explanation": (
        "AUC: chance that a liked row scores above one that is not, inside each period, averaged over periods. UAUC: "
        "the same inside each user and period, weighted by rows. Log-loss, Brier: lower is better. ECE above chance: "
        "calibration error less what perfect probabilities would show on as many rows. Every number is computed from "
        "the stored score of every test row.",
        "AUC：高評価の行が、そうでない行より高い点になる確率。期間ごとに求めて平均します。UAUC：同じものを利用者・期間ごとに求め、"
        "行数で重み付けした平均。対数損失と Brier は小さいほど良い値です。ECE 超過分：確率の誤差から、"
        "完全な確率でも同じ行数で現れる分を引いた値。すべて、保存された全評価行の点数から計算しています。",
    ),
    # figures: axes and descriptions for people who hear the page
    "tested period": ("tested period", "評価した期間"),
    "after update": ("after update", "更新"),
    "periods late": ("k: periods late", "k：遅れた期間の数"),
    "auc lost": ("AUC, late minus fresh", "AUC の差（遅れ − 最新）"),
    "cpu per update": ("CPU seconds per update (log scale)", "更新 1 回の CPU 秒（対数目盛）"),
    "learning axis": ("learning accuracy (AUC)", "学習精度（AUC）"),
    "forgetting axis": ("forgetting (AUC), less is up", "忘却（AUC）、上ほど少ない"),
    "predicted": ("predicted", "予測"),
    "came true": ("came true", "実際"),
    "figure periods": ("Line chart: AUC by tested period", "折れ線図：評価した期間ごとの AUC"),
    "figure heat": ("Heat map: AUC by update and tested period", "ヒートマップ：更新と評価した期間ごとの AUC"),
    "figure heat scale": ("Colour scale of the heat maps, AUC", "ヒートマップの色と AUC"),
    "figure staleness": ("Line chart: AUC lost by late updates", "折れ線図：更新の遅れで失う AUC"),
    "figure cost": ("Scatter: AUC against CPU time per update", "散布図：AUC と更新 1 回の CPU 時間"),
    "figure memory": ("Scatter: forgetting against learning accuracy", "散布図：忘却と学習精度"),
    "figure group": ("Interval chart: AUC inside the group", "区間図：グループ内の AUC"),
    "figure calibration": ("Calibration curve", "較正曲線"),
    "figure swatch": ("line in the figures", "図の線"),
}
