"""The sentences of the verdict, in English and Japanese. Values in braces are filled in by `verdict`."""

from __future__ import annotations

VERDICT: dict[str, tuple[str, str]] = {
    "nothing": (
        "Nothing has been scored yet: the run has none of its {planned} cells.",
        "まだ何も評価されていません。{planned} 個のセルが 1 つも終わっていません。",
    ),
    "unfinished": (
        "This run is not finished: {done} of {planned} cells are there. All numbers are of periods {periods} only.",
        "この実行は完了していません（{planned} セル中 {done} セル）。数値はすべて期間 {periods} だけのものです。",
    ),
    "left_out": (
        "Not compared, because they were not tested on all of these periods: {names}.",
        "これらの期間すべてでは評価されていないため、比較に入れていないもの：{names}。",
    ),
    "not_begun": ("Not begun: {names}.", "まだ始まっていないもの：{names}。"),
    "rank_yes": (
        "This stream can rank strategies: full-retrain minus never is {gap} AUC {interval}, {times} times the "
        "spread between seeds ({sd}).",
        "このデータで戦略の順位を付けられます。full-retrain と never の差は AUC {gap} {interval} で、"
        "乱数シードによるばらつき（{sd}）の {times} 倍です。",
    ),
    "rank_no": (
        "This stream cannot rank strategies: full-retrain minus never is {gap} AUC {interval}, only {times} times "
        "the spread between seeds ({sd}); 3 times would be needed. Small differences in the order below are luck.",
        "このデータでは戦略の順位を付けられません。full-retrain と never の差は AUC {gap} {interval} で、"
        "乱数シードによるばらつき（{sd}）の {times} 倍しかありません（3 倍が必要）。下の順位の小さな差は偶然です。",
    ),
    "rank_one_seed": (
        "Whether this stream can rank strategies is unknown: one seed. full-retrain minus never is {gap} AUC "
        "{interval}; without a second seed nobody knows how much of a difference is luck.",
        "このデータで戦略の順位を付けられるかは不明です（シードが 1 つ）。full-retrain と never の差は AUC {gap} "
        "{interval} ですが、別のシードがなければ、どこまでが偶然か分かりません。",
    ),
    "rank_few_users": (
        "Whether this stream can rank strategies is unknown: too few users for an interval (n = {n}, {needed} are "
        "needed). full-retrain minus never is {gap} AUC.",
        "このデータで戦略の順位を付けられるかは不明です。利用者が少なすぎて区間を求められません（n = {n}、{needed} 人以上が必要）。"
        "full-retrain と never の差は AUC {gap} です。",
    ),
    "rank_missing": (
        "Whether this stream can rank strategies is unknown: that takes both never and full-retrain, and {missing} "
        "cannot be compared here.",
        "このデータで戦略の順位を付けられるかは不明です。never と full-retrain の両方が必要ですが、{missing} を比較できません。",
    ),
    "gap_zero": (
        "The interval of that gap includes zero: updating may be worth nothing to these users.",
        "この差の区間は 0 を含みます。更新しても、この利用者たちには効果がないかもしれません。",
    ),
    "best_both": (
        "Best contender, by AUC and by UAUC: {name}, with AUC {auc} and UAUC {uauc}.",
        "AUC でも UAUC でも最も良いのは {name} です（AUC {auc}、UAUC {uauc}）。",
    ),
    "best_auc": ("Best by AUC: {name}, {auc}.", "AUC で最も良いのは {name} です（{auc}）。"),
    "best_uauc": (
        "Best by UAUC (order inside each user): {name}, {uauc}.",
        "UAUC（利用者ごとの並べ替え）で最も良いのは {name} です（{uauc}）。",
    ),
    "best_alone": (
        "In AUC it is above every other contender.",
        "AUC では他のすべての候補を上回ります。",
    ),
    "few_users": ("(too few users for an interval: n = {n})", "（利用者が少なすぎて区間なし：n = {n}）"),
    "best_few_users": (
        "No contender is called better than another: there are too few users for an interval (n = {n}, {needed} are "
        "needed).",
        "どの候補が優れているとも言えません。利用者が少なすぎて区間を求められません（n = {n}、{needed} 人以上が必要）。",
    ),
    "best_shared": (
        "In AUC it is not distinguishable from {names}.",
        "AUC では {names} と区別できません。",
    ),
    "no_baseline": (
        "No baseline was compared: whether a language model is worth its cost here is unknown.",
        "ベースラインを比較していないため、言語モデルが費用に見合うかは不明です。",
    ),
    "no_llm": (
        "No LLM contender was compared: this run shows what baselines reach.",
        "LLM の候補を比較していません。この実行が示すのは、ベースラインの水準です。",
    ),
    "rates_beats_all": (
        "A two-number baseline ({baseline}) beats every LLM contender here, on the same rows: the best of them, "
        "{llm}, is at {gap} AUC {interval} against it. An LLM recommender like that is not worth its cost.",
        "2 つの数値だけのベースライン（{baseline}）が、同じデータで LLM の候補すべてに勝っています。最も良い LLM の "
        "{llm} との差は AUC {gap} {interval} です。この LLM 推薦は費用に見合いません。",
    ),
    "baseline_beats_all": (
        "A baseline without any LLM ({baseline}) beats every LLM contender here, on the same rows: the best of them, "
        "{llm}, is at {gap} AUC {interval} against it. An LLM recommender like that is not worth its cost.",
        "LLM を使わないベースライン（{baseline}）が、同じデータで LLM の候補すべてに勝っています。最も良い LLM の "
        "{llm} との差は AUC {gap} {interval} です。この LLM 推薦は費用に見合いません。",
    ),
    "llm_below": (
        "The best LLM contender, {llm}, loses to the best baseline, {baseline}: {gap} AUC {interval}.",
        "最も良い LLM の候補 {llm} は、最も良いベースライン {baseline} に負けています（AUC {gap} {interval}）。",
    ),
    "llm_same": (
        "The best LLM contender, {llm}, is not distinguishable from the best baseline, {baseline}: {gap} AUC "
        "{interval}.",
        "最も良い LLM の候補 {llm} は、最も良いベースライン {baseline} と区別できません（AUC {gap} {interval}）。",
    ),
    "llm_above": (
        "The best LLM contender, {llm}, beats the best baseline, {baseline}, on the same rows: {gap} AUC {interval}.",
        "最も良い LLM の候補 {llm} は、同じデータで最も良いベースライン {baseline} に勝っています"
        "（AUC {gap} {interval}）。",
    ),
    "llm_unknown": (
        "Whether the best LLM contender, {llm}, does better than the best baseline, {baseline}, is unknown: {gap} AUC "
        "{interval}.",
        "最も良い LLM の候補 {llm} が最も良いベースライン {baseline} より良いかは不明です（AUC {gap} {interval}）。",
    ),
    "uauc_unknown": (
        "Whether {llm}, the best LLM contender in UAUC, does better there than {baseline} is unknown: {gap} {interval}.",
        "UAUC で、LLM で最も良い {llm} が {baseline} より良いかは不明です（{gap} {interval}）。",
    ),
    "uauc_below": (
        "In UAUC {llm}, the best LLM contender there, loses to {baseline}: {gap} {interval}.",
        "UAUC では、LLM で最も良い {llm} も {baseline} に負けています（{gap} {interval}）。",
    ),
    "uauc_same": (
        "In UAUC {llm}, the best LLM contender there, is not distinguishable from {baseline}: {gap} {interval}.",
        "UAUC では、LLM で最も良い {llm} は {baseline} と区別できません（{gap} {interval}）。",
    ),
    "uauc_above": (
        "In UAUC {llm}, the best LLM contender there, beats {baseline}: {gap} {interval}.",
        "UAUC では、LLM で最も良い {llm} が {baseline} に勝っています（{gap} {interval}）。",
    ),
    "corrected": (
        "An interval that leaves out zero is not enough there: among {n} contenders one such gap comes by luck "
        "(Holm's correction).",
        "区間が 0 を含まなくても十分ではありません。候補が {n} あれば、その程度の差は偶然に生じます（Holm の補正）。",
    ),
    "forgets": (
        "Forgets least among the LLM contenders that change: {name}, {least} AUC below its best models on earlier "
        "periods; most: {other}, {most}.",
        "変化する LLM の候補のうち、忘却が最も少ないのは {name}（過去の期間で自身の最良から AUC {least} 低下）、"
        "最も多いのは {other}（{most}）です。",
    ),
    "forgets_one": (
        "{name} forgot {least} AUC on earlier periods, against the best of its own models.",
        "{name} の忘却は、過去の期間で自身の最良から AUC {least} の低下です。",
    ),
    "forgetting_unknown": (
        "Forgetting was not measured.",
        "忘却は測定されていません。",
    ),
    "advice_no_baseline": (
        "Advice: add the baselines rates and boosting; they take seconds.",
        "助言：ベースライン rates と boosting を加えてください。数秒で済みます。",
    ),
    "advice_no_llm": (
        "Advice: add the strategies never, full-retrain and fine-tune to see what an LLM adds.",
        "助言：LLM の効果を見るために、戦略 never、full-retrain、fine-tune を加えてください。",
    ),
    "advice_no_order": (
        "Advice: choose between LLM contenders by cost, not by the order here, or test on a stream that moves more.",
        "助言：LLM の候補は、ここの順位ではなく費用で選ぶか、変化の大きいデータで試してください。",
    ),
    "advice_seeds": (
        "Run three seeds or more before you trust a difference between strategies.",
        "戦略どうしの差を信じる前に、3 つ以上のシードで実行してください。",
    ),
}
