"""The words of the dashboard in English and Japanese, by page, and how its numbers are written."""

from __future__ import annotations

import math

from regraft.metrics.measures import BY_NAME
from regraft.report.by_day import plain
from regraft.report.measure_page import told
from regraft.report.report_words import LANGUAGES, PHRASES, Words

SHORT = ("ctr", "conversion", "auc")
LONG = ("return_7", "repeat_rate", "retained_week")
DAILY = ("rows", "update_seconds", "auc", "uauc", "calibration", "latency_p95")
LASTING = (
    "return_7", "return_28", "repeat_rate", "lifetime_value", "satisfaction", "complaints", "dormant", "retained_week",
    "diversity", "concentration",
)  # fmt: skip
SPENT = ("update_cost", "cost_per_1000", "storage_cost")
PERCENT = frozenset({"funnel", "staying", *(name for name, one in BY_NAME.items() if one.unit == "share")})
COUNTED = ("lists", "people", "rows", "items", "yes or no", "money", "bytes")  # units of what has no interval
COUNTS = frozenset({"update_seconds", *(name for name, one in BY_NAME.items() if one.unit in COUNTED)})

WORDS: dict[str, tuple[str, str]] = {
    # frame
    "owner": ("For the decision", "判断する人へ"),
    "engineer": ("For operation", "運用する人へ"),
    "menu": ("Pages", "ページ"),
    "skip to content": ("Skip to the content", "本文へ"),
    "language": ("Language", "言語"),
    "sign in": ("Sign in", "サインイン"),
    "sign out": ("Sign out", "サインアウト"),
    "signed in": ("Signed in with the key “{name}”", "鍵「{name}」でサインイン中"),
    "print": ("Print this page", "このページを印刷"),
    "title overview": ("Overview", "概要"),
    "title updates": ("Updates", "更新"),
    "title arena": ("Arena", "アリーナ"),
    "title versions": ("Versions", "バージョン"),
    "title version": ("Version", "バージョン"),
    "title data": ("Data and privacy", "データとプライバシー"),
    "title job": ("Job", "ジョブ"),
    "title sign_in": ("Sign in", "サインイン"),
    "title confirm": ("Confirm", "確認"),
    "title refused": ("Not possible", "実行できません"),
    "title failed": ("Something is missing", "足りないものがあります"),
    "title broken": ("A fault of regraft", "regraft の不具合"),
    # filters
    "filters": ("What is shown", "表示の範囲"),
    "weeks": ("{n} weeks", "{n} 週間"),
    "weeks label": ("Time", "期間"),
    "arm label": ("Arm", "群"),
    "segment label": ("People", "対象"),
    "all": ("all", "すべて"),
    "each arm": ("compared", "比較"),
    "show": ("Show", "表示"),
    "span": ("{first} to {last}", "{first} から {last} まで"),
    "earlier": ("Earlier", "前へ"),
    "newest": ("Newest", "最新へ"),
    # states
    "stale": (
        "The newest numbers are {age} days old: the last day closed is {day}. Nothing since then is shown.",
        "最新の数値は {age} 日前のものです（最後に締めた日は {day}）。それ以降は表示していません。",
    ),
    "empty site": (
        "This site has closed no day yet, so there is nothing to show.",
        "このサイトはまだ 1 日も締めていないため、表示するものがありません。",
    ),
    "do next": ("What to do next", "次にすること"),
    "state empty": ("No numbers of this yet.", "まだ数値がありません。"),
    "state few": (
        "Too little data: nothing could be measured on these days.",
        "データが足りません。この期間では測れませんでした。",
    ),
    "state none": ("Nobody stands behind it on these days.", "この期間に該当する人はいません。"),
    "too little": ("too little data", "データ不足"),
    "too little n": ("(n = {n}; needs {least})", "（n = {n}、{least} 以上必要）"),
    "too little people": (
        "Too little data: n = {n} people of the smaller arm have been followed to the end of their window; needs {least}.",
        "データ不足：観察期間を終えた人は少ない方の群で n = {n} 人です。{least} 人以上必要です。",
    ),
    "too early": (
        "Too early: nobody of each arm has been watched for {days} days yet.",
        "まだ早すぎます：両群とも {days} 日間観察された人がいません。",
    ),
    "state hidden": (
        "Hidden for privacy: fewer than {k} people stand behind it.",
        "プライバシー保護のため非表示（該当者が {k} 人未満）。",
    ),
    "hidden": ("hidden (fewer than {k} people)", "非表示（{k} 人未満）"),
    "wider": ("Choose more weeks or all people.", "期間を長くするか、対象を「すべて」にしてください。"),
    "no interval": ("(no interval)", "（区間なし）"),
    "n people": ("n = {n} people", "n = {n} 人"),
    "on day": ("on {day}", "{day}"),
    "how": ("How is this computed?", "計算方法"),
    "numbers": ("Numbers", "数値"),
    "day": ("Day", "日"),
    "ticks": (
        "Ticks at the bottom: a version went live. Bands: 95 % intervals.",
        "下の目盛り：バージョンが公開された日。帯：95 % 区間。",
    ),
    "hover": (
        "Point at a figure, or focus it and use the arrow keys, to read values.",
        "図を指すか、図を選んで矢印キーを押すと値を読めます。",
    ),
    "csv": ("Download CSV", "CSV をダウンロード"),
    "low end": ("95 %: low", "95 % 区間の下端"),
    "high end": ("95 %: high", "95 % 区間の上端"),
    "interval": ("95 % interval", "95 % 区間"),
    "command": ("The same by command", "同じことをするコマンド"),
    "copy": ("Copy", "コピー"),
    "copied": ("Copied", "コピーしました"),
    # overview
    "in service": ("In service: {version}", "公開中：{version}"),
    "closed to": ("Days closed up to {day}", "{day} まで締め済み"),
    "short": ("Short term", "短期"),
    "long": ("Long term", "長期"),
    "strip title": ("Updates, day by day", "日ごとの更新"),
    "news title": ("What changed this week", "今週の変化"),
    "no news": ("Nothing was closed this week.", "今週は締めた日がありません。"),
    "news champion": ("{version} is in service.", "{version} が公開中です。"),
    "news updates": (
        "{n} days were closed: {promoted} went live, {kept} kept the old version, {held} wait for a person, {skipped} were skipped.",
        "{n} 日を締めました：公開 {promoted}、旧版を維持 {kept}、保留 {held}、除外 {skipped}。",
    ),
    "news waits": (
        "{day} waits for a person: the gate holds its data. See Updates.",
        "{day} は人の判断を待っています（ゲートがデータを保留）。「更新」を見てください。",
    ),
    "news pilot": ("The pilot “{name}”: {decision}. {metric} {lift} {interval} against the control.", "試験「{name}」：{decision}。{metric} は対照群に対して {lift} {interval}。"),
    "news pilot waits": ("The pilot “{name}” runs with {share} of the people; its numbers are being worked out.", "試験「{name}」は利用者の {share} で実施中です。数値を計算しています。"),
    "news pilot early": ("The pilot “{name}” runs with {share} of the people; it is too early to say anything.", "試験「{name}」は利用者の {share} で実施中です。まだ判断できません。"),
    "news kept": (
        "On {day} the new version was not promoted ({reason}).",
        "{day} の新しいバージョンは公開されませんでした（{reason}）。",
    ),
    "news rolled back": ("Somebody went back to {version}.", "{version} に戻されました。"),
    "news promoted by hand": ("Somebody promoted {version} by hand.", "{version} が手動で公開されました。"),
    # updates
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
    "act update": ("Close the next day", "次の日を締める"),
    "act accept": ("Accept this day", "この日を受け入れる"),
    "act skip": ("Skip this day", "この日を除外する"),
    "act promote": ("Put in service", "公開する"),
    "act rollback": ("Go back to it", "これに戻す"),
    "act erase": ("Go on with erasures", "消去を続ける"),
    # confirm
    "effect": ("What it does", "効果"),
    "risk": ("What is at risk", "リスク"),
    "effect update": (
        "Takes in the next day's rows, judges them, renews the contenders, and puts the new version in service if the gate passes it.",
        "次の日のデータを取り込み、判定し、モデルを更新します。ゲートを通れば新しいバージョンを公開します。",
    ),
    "risk update": (
        "Takes minutes of computing. Running servers follow a new version within a second; it can be rolled back.",
        "数分の計算がかかります。新しいバージョンには稼働中のサーバーが 1 秒以内に追随します。元に戻せます。",
    ),
    "effect accept": (
        "Lets the held day pass: its rows become part of the data, and the contenders learn from them.",
        "保留中の日を通します。データに加わり、モデルが学習します。",
    ),
    "risk accept": (
        "If the rows are wrong, as the gate suspects, versions learn what is wrong. They can be taken out again with a rollback.",
        "ゲートの疑い通りデータに誤りがあれば、誤りを学習します。ロールバックで取り除けます。",
    ),
    "effect skip": (
        "Closes the held day without learning from it: its rows are left out from now on.",
        "保留中の日から学習せずに締めます。そのデータは今後使われません。",
    ),
    "risk skip": (
        "What people did on that day is lost to the recommender.",
        "その日の行動は推薦に反映されなくなります。",
    ),
    "effect promote": (
        "The gate compares {version} with {champion}, which is in service. If it passes, everybody is served by it within a second.",
        "公開中の {champion} と {version} をゲートが比較します。通れば 1 秒以内に全員に使われます。",
    ),
    "risk promote": (
        "Recommendations change for everybody at once. It can be rolled back within seconds.",
        "全員の推薦が一度に変わります。数秒で元に戻せます。",
    ),
    "effect rollback": (
        "{version} takes the place of {champion}: everybody is served by it within a second.",
        "{champion} に代わって {version} が 1 秒以内に全員に使われます。",
    ),
    "risk rollback": (
        "What was learnt since then is not served; the rows stay. The next update renews from there on.",
        "それ以降の学習は使われません（データは残ります）。次の更新はそこから続きます。",
    ),
    "effect erase": (
        "Goes on with every erasure that was asked for: data, caches and models that saw the person.",
        "依頼されたすべての消去を続けます（データ、キャッシュ、その人を学習したモデル）。",
    ),
    "risk erase": (
        "It cannot be undone. Versions that saw the person are destroyed; those in use are trained again first.",
        "元に戻せません。その人を学習したバージョンは破棄され、使用中のものは再学習されます。",
    ),
    "ledger note": (
        "Who asked for it and which command ran is written into the ledger.",
        "依頼者と実行したコマンドは台帳に記録されます。",
    ),
    "confirm do": ("Yes: {what}", "はい：{what}"),
    "cancel": ("No, go back", "いいえ、戻る"),
    "job asked": ("Asked by {name}.", "依頼者：{name}"),
    "job runs": ("It runs in a process of its own; this page may be closed.", "別のプロセスで動いています。このページは閉じても構いません。"),
    "job gone": ("The process is gone without a result. Run the command again: finished steps are kept.", "結果を残さずに終了しました。もう一度コマンドを実行してください。済んだ手順は残っています。"),
    "job code": ("Exit code {code}", "終了コード {code}"),
    "code 0": ("Done.", "完了しました。"),
    "code 10": ("Done; the old version stays, the gate did not let the new one pass.", "完了しました。ゲートを通らなかったため、旧版のままです。"),
    "code 20": ("Stopped: a problem with the data.", "データに問題があり中止しました。"),
    "code 30": ("Done; the day waits for a person.", "完了しました。この日は人の判断を待っています。"),
    "code other": ("Could not be done; the last lines say why.", "実行できませんでした。理由は最後の行にあります。"),
    "output": ("What it said", "出力"),
    # sign in
    "key": ("Key", "鍵"),
    "key note": (
        "Pages can be read; to change something you need a key of this site with the right scope. Whoever runs the site makes one with:",
        "変更には、権限のあるこのサイトの鍵が必要です。運用担当者が次のコマンドで作ります：",
    ),
    "wrong key": ("This is no key of this site.", "このサイトの鍵ではありません。"),
    "refused 403": ("The key you are signed in with may not do this, or the form was too old.", "サインイン中の鍵では許可されていないか、フォームが古くなっています。"),
    "refused 404": ("There is no such page.", "そのようなページはありません。"),
    "refused other": ("The request could not be taken ({status}).", "要求を受け付けられませんでした（{status}）。"),
    "broken note": ("Please report it: {kind}. The other pages still work.", "報告してください：{kind}。ほかのページは使えます。"),
    "expected": ("Expected: {what}", "必要なもの：{what}"),
    "cause": ("Cause", "原因"),
    # versions
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
    # data
    "stored title": ("What is stored", "保存されているもの"),
    "rows stored": ("Rows", "行数"),
    "people known": ("People", "人数"),
    "storage": ("Storage", "容量"),
    "days stored": ("Days", "日数"),
    "day range": ("{first} to {last}", "{first} から {last}"),
    "objected": ("Object to learning", "学習拒否"),
    "stored note": ("Ids of people are kept apart, under a key; the data holds random numbers in their place.", "利用者の ID は鍵付きで別に保管し、データには乱数だけを入れています。"),
    "figure stored": ("Stored rows by day of the event", "日ごとの保存行数"),
    "rows by day": ("Rows by day", "日ごとの行数"),
    "came title": ("What came in", "取り込み"),
    "source": ("Source", "出所"),
    "rows in": ("Rows in", "受領"),
    "accepted": ("Accepted", "採用"),
    "set aside": ("Set aside", "除外"),
    "already there": ("Already there", "既存"),
    "rolled back": ("rolled back", "取り消し"),
    "erasures title": ("Erasures", "消去"),
    "erasures note": ("Newest first. Nobody is named here: the certificate is in the site's folder.", "新しい順。氏名や ID は表示しません。証明書はサイトのフォルダーにあります。"),
    "no erasures": ("Nobody has asked to be erased.", "消去の依頼はありません。"),
    "asked on": ("Asked on", "依頼日"),
    "due by": ("Due by", "期限"),
    "step": ("Step", "段階"),
    # arena
    "reports title": ("Reports", "報告書"),
    "arena note": ("A report compares contenders on this site's own past: who foresees best, who forgets, what each costs.", "報告書は、このサイト自身の過去で候補を比較します（予測の良さ、忘却、費用）。"),
    "no reports": ("No comparison has been run on this site yet.", "このサイトではまだ比較していません。"),
    "file": ("File", "ファイル"),
    "size": ("Size", "サイズ"),
    "made on": ("Made on", "作成日"),
    # metrics of a pilot: one value per person
    "p clicks": ("Clicks per person", "一人あたりのクリック"),
    "p active_days": ("Active days", "活動日数"),
    "p returned": ("Returned", "再訪"),
    "m funnel": ("Lift so far", "これまでの改善"),
    "how funnel": ("Lift of the primary metric, treatment against control, of people whose window has ended; one value per person. The band is always valid: look as often as you like. Solid line: no difference; dashed: the smallest lift worth it.", "観察期間を終えた人での主要指標の改善（処置群対対照群、一人一値）。帯はいつ見ても有効です。実線：差なし、破線：展開に値する最小の改善。"),
    "exposure heading": ("Does it wear off?", "効果は薄れるか"),
    "exposure axis": ("days since the first list", "最初のリストからの日数"),
    "exposure day": ("day {day} since the first list", "最初のリストから {day} 日目"),
    "m exposure": ("Lift by day since the first list", "最初のリストからの日数ごとの改善"),
    "how exposure": ("Lift of the primary metric on each day of 24 hours since a person's first list, treatment against control. The same people stand behind every day: those whose window has ended. A lift that is large at first and gone later is the charm of the new. Each day's interval may be looked at as often as you like; it is not corrected for the other days.", "最初のリストから 24 時間ごとの主要指標の改善（処置群対対照群）。どの日も同じ人（観察期間を終えた人）の値です。初めだけ大きく後で消える改善は、目新しさによるものです。各日の区間は何度見ても有効ですが、ほかの日との多重比較は補正していません。"),
    "p ctr": ("Click rate", "クリック率"),
    # long term
    "title long_term": ("Long term", "長期"),
    "staying heading": ("Who stays", "誰が残るか"),
    "by day heading": ("Day by day", "日ごとの推移"),
    "funnel heading": ("The answer so far", "これまでの答え"),
    "staying title": ("Who is still there, by day since the first", "最初の日からの経過日数ごとの残存"),
    "staying axis": ("days since the first", "最初の日からの日数"),
    "gain heading": ("What the difference adds up to", "差の積み重ね"),
    "gain axis": ("days since the first", "最初の日からの日数"),
    "cohorts heading": ("New people, week by week", "週ごとの新しい人"),
    "cohorts note": ("Which part of the new people of a week was there again in each week since: of everybody. The darker, the more; ◌: fewer than 10 people.", "ある週に新しく来た人のうち、その後の各週にも訪れた人の割合（全員）。濃いほど高く、◌ は 10 人未満。"),
    "cohorts empty": ("No numbers of this yet: the first come with the first Sunday that is closed, for the weeks before it.", "まだ数値がありません。最初の日曜日を締めると、それまでの週について表示されます。"),
    "cohorts figure": ("New people who return, by week since: weeks of {first} to {last}", "新しい人の週ごとの再訪率：{first} の週から {last} の週"),
    "week of": ("Week of", "週の初日"),
    "weeks since": ("Weeks since", "経過週数"),
    "new people": ("New people", "新しい人"),
    "few people": ("fewer than 10", "10 人未満"),
    "short long note": ("What is good at once and what lasts can differ: look at both before you decide.", "すぐに効くことと長く続くことは異なる場合があります。判断の前に両方を見てください。"),
    "people=new": ("new", "新規"),
    "people=light": ("light", "ライト"),
    "people=heavy": ("heavy", "ヘビー"),
    "people=continuing": ("continuing", "継続"),
    "people=dormant": ("dormant", "休眠明け"),
    "control": ("control", "対照群"),
    "treatment": ("treatment", "処置群"),
    # cost
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
    # prompts
    "title prompts": ("Prompts", "プロンプト"),
    "title prompt": ("Template", "テンプレート"),
    "title prompt_of": ("Template", "テンプレート"),
    "lists cost": ("1,000 lists cost about {money} {currency}.", "1,000 リストの費用は約 {money} {currency}。"),
    "read here": ("the answer is read here; what followed:", "ここで答えを読み取る。実際の答え："),
    "other people": ("The prompt of another person:", "ほかの人のプロンプト："),
    "shelf title": ("Templates of this site", "このサイトのテンプレート"),
    "no templates": ("Nobody has saved a template yet; in use is {name}.", "保存されたテンプレートはまだありません。使用中：{name}"),
    "in use": ("In use: {name}", "使用中：{name}"),
    "author": ("Author", "作成者"),
    "approved by": ("Approved by", "承認者"),
    "own approval": ("its author approved it: nobody else has looked", "作成者自身が承認（ほかの人は未確認）"),
    "draft": ("draft", "下書き"), "approved": ("approved", "承認済み"), "live": ("live", "使用中"), "retired": ("retired", "引退"),
    "saved on": ("Saved on", "保存日"),
    "text title": ("The text", "本文"),
    "chips title": ("What it may say", "使える項目"),
    "chips note": ("Click a field to put it where the cursor is in the text, or copy it.", "項目を押すと本文のカーソル位置に入ります。コピーもできます。"),
    "field": ("Field", "項目"), "meaning": ("Meaning", "意味"), "example": ("For example", "例"), "filled": ("Filled", "入力率"),
    "edit title": ("Write a new draft from it", "これをもとに新しい下書きを書く"),
    "edit note": ("What is saved never changes: an edited text is a new draft. It is rendered in a process of its own first.", "保存した本文は変わりません。編集すると新しい下書きになります。まず隔離されたプロセスで試します。"),
    "template name": ("Name", "名前"),
    "save draft": ("Save as a draft", "下書きとして保存"),
    "preview title": ("What the model reads", "モデルが読む文"),
    "preview note": ("Example of the person {user}: a random number, nobody is named here. The answer is read at the end.", "利用者 {user} の例（乱数であり、氏名や ID ではありません）。答えは末尾で読み取ります。"),
    "preview made up": (
        "A made-up person: items are the site's, opinions are invented. Sign in with a key that may operate to see what is read of real people.",
        "架空の利用者です（項目はサイトのもの、評価は作りもの）。実際の利用者の文を見るには、運用権限のある鍵でサインインしてください。",
    ),
    "answer": ("then the answer: {answer}", "続く答え：{answer}"),
    "tokens": ("{tokens} tokens of history and {candidate} per candidate; a list of 100 reads {list} tokens.", "履歴 {tokens} トークン、候補 1 件あたり {candidate} トークン。100 件のリストで {list} トークンを読みます。"),
    "no tokens": ("Tokens are counted once the site has a base model.", "トークン数は、サイトに基盤モデルがあるときに数えます。"),
    "preview waits": ("The preview is being made; the page looks again by itself.", "プレビューを作成中です。ページは自動で更新されます。"),
    "lengths title": ("How long its prompts are", "プロンプトの長さ"),
    "lengths axis": ("tokens of a prompt", "プロンプトのトークン数"),
    "lengths said": ("Half of {prompts} prompts of {people} people take {median} tokens or fewer, 95 % take {most} or fewer, the longest takes {longest}.", "{people} 人の {prompts} 件のプロンプトの半数は {median} トークン以下、95 % は {most} トークン以下、最長は {longest} トークンです。"),
    "truncated said": ("Truncated histories: {share}. Their oldest events are left out, as timeline in regraft.yaml says: {context} events of context, {targets} per block.", "切り詰められた履歴：{share}。regraft.yaml の timeline（文脈 {context} 件、ブロックごとに {targets} 件）に従い、古い行動は読みません。"),
    "lengths wait": ("The tokens are being counted; the page looks again by itself.", "トークン数を数えています。ページは自動で更新されます。"),
    "prompts of": ("Prompts", "プロンプト数"), "tokens of": ("Tokens", "トークン数"),
    "lint title": ("What is wrong with it", "問題点"),
    "lint fine": ("Nothing was found.", "問題は見つかりませんでした。"),
    "error": ("error", "エラー"), "warning": ("warning", "警告"), "note": ("note", "注意"),
    "diff title": ("Against the one in use", "使用中のものとの差"),
    "no diff": ("The two texts are the same.", "本文は同じです。"),
    "trials title": ("Tests on examples", "例でのテスト"),
    "no trials": ("No template has been tested yet.", "テストはまだありません。"),
    "better": ("better", "良い"), "worse": ("worse", "悪い"), "open": ("no difference shown", "差は示されず"),
    "act try": ("Test on 200 examples", "200 例でテスト"),
    "act approve": ("Approve", "承認する"),
    "act live": ("Put in use", "使用する"),
    "effect try": ("Template {template} and the one in use learn from the same days and foresee 200 examples of the newest ones.", "テンプレート {template} と使用中のものが同じ日から学習し、最新の 200 例を予測します。"),
    "risk try": ("Takes minutes of computing; nothing that is served changes.", "数分の計算がかかります。配信には影響しません。"),
    "effect approve": ("Template {template} may go live from now on.", "テンプレート {template} を使用できるようにします。"),
    "risk approve": ("Nothing changes yet. One with an error in it is refused.", "まだ何も変わりません。エラーのあるものは拒否されます。"),
    "effect live": ("Contenders that name no template of their own learn from template {template} at the next update.", "独自のテンプレートを指定していない候補は、次の更新から {template} で学習します。"),
    "risk live": ("New versions read another text; the gate judges them before they are served.", "新しいバージョンは別の文を読みます。公開前にゲートが判定します。"),
    # pilot
    "title pilot": ("Pilot", "試験"),
    "no pilot": ("There is no pilot yet: nobody is served a challenger.", "試験はまだありません。挑戦者は誰にも使われていません。"),
    "pilot planned": ("“{name}” is planned; nobody is in it yet.", "「{name}」は計画済みです。まだ誰も参加していません。"),
    "pilot running": ("“{name}” is running with {share} of the people, half of them served the challenger; {days} days are left of its plan.", "「{name}」は利用者の {share} で実施中（半数に挑戦者を使用）。計画の残りは {days} 日です。"),
    "pilot stopped": ("“{name}” was stopped undecided; it can still be decided on.", "「{name}」は決定せずに終了しました。今からでも決定できます。"),
    "pilot decided": ("“{name}” is decided.", "「{name}」は決定済みです。"),
    "roll-out": ("Roll out", "展開"),
    "extend": ("Extend", "継続"),
    "stop": ("Stop", "終了"),
    "verdict title": ("Verdict", "判定"),
    "computing": ("The numbers of this pilot are being computed; the page looks again by itself.", "試験の数値を計算中です。ページは自動で更新されます。"),
    "effects title": ("What changed", "変化"),
    "metric": ("Metric", "指標"),
    "role": ("Role", "役割"),
    "primary": ("primary", "主要"),
    "guardrail": ("guardrail", "ガードレール"),
    "other": ("other", "その他"),
    "lift": ("Lift", "改善"),
    "lift interval": ("Lift and interval", "改善と区間"),
    "adjusted": ("Adjusted p", "補正後の p"),
    "group": ("People", "対象"),
    "new": ("new", "新規"), "light": ("light", "ライト"), "heavy": ("heavy", "ヘビー"),
    "too few cell": ("too few people", "人数不足"),
    "effects note": ("One value per person: {days} days since they were first served. Intervals may be looked at as often as you like; they begin at 200 people per arm. Adjusted p: over other metrics and all groups ({how}).", "一人一値（最初の表示から {days} 日間）。区間は何度見ても有効で、各群 200 人から示します。補正後の p は、その他の指標と全対象にわたる補正（{how}）です。"),
    "health title": ("Is the pilot healthy?", "試験は健全か"),
    "split": ("Split", "割り当て"),
    "split fine": ("{control} in control, {treatment} in treatment: as a fair split gives (p = {p}).", "対照群 {control} 人、処置群 {treatment} 人。公平な割り当てとして自然です（p = {p}）。"),
    "split broken": ("{control} in control, {treatment} in treatment: this is no luck (p = {p}). No number here can be trusted.", "対照群 {control} 人、処置群 {treatment} 人。偶然ではありません（p = {p}）。ここの数値は信頼できません。"),
    "both": ("In both arms", "両群に出現"),
    "both fine": ("Nobody was served in both arms.", "両方の群に入った人はいません。"),
    "both broken": ("{n} people were served in both arms; they are left out.", "{n} 人が両方の群に入ったため除外しました。"),
    "fallback": ("Fell back", "代替表示"),
    "fallback fine": ("Every list of the treatment came from the challenger.", "処置群のリストはすべて挑戦者によるものです。"),
    "fallback broken": ("{n} lists of the treatment were served by the control's version.", "処置群のリスト {n} 件が対照群のバージョンで作られました。"),
    "contamination": ("Contamination", "学習の混ざり"),
    "contaminated": (
        "{share} of the rows that the control learns from since the pilot began are of the treatment's people.",
        "試験開始以降に対照群が学習する行のうち {share} が処置群の人のものです。",
    ),
    "learnt": ("Rows learnt from", "学習した行"),
    "learnt evenly": (
        "{control} by the control's newest version, {treatment} by the treatment's: equally many.",
        "最新版で対照群 {control} 行、処置群 {treatment} 行：同じ量です。",
    ),
    "learnt unevenly": (
        "{control} by the control's newest version, {treatment} by the treatment's: the one with more has an advantage of its own.",
        "最新版で対照群 {control} 行、処置群 {treatment} 行：多い方が有利です。",
    ),
    "learnt not yet": ("No night has passed in which both arms learnt.", "両群が学習した夜はまだありません。"),
    "foresight heading": ("How well each arm's version foresaw its people", "各群のバージョンの予測精度"),
    "foresight note": (
        "Each day, before it learnt from it, on the rows of the people whom the arm served. The arms' lists differ, and so do the rows: what decides is the effect above.",
        "毎日、学習前に、その群がリストを表示した人の行で測ります。群によってリストも行も違うため、判断は上の効果で行います。",
    ),
    "plan title": ("The plan", "計画"),
    "followed": ("Followed to the end", "観察を終えた人"),
    "followed cell": ("{n} of {entered} who entered", "参加した {entered} 人中 {n} 人"),
    "arms": ("Arms", "群"),
    "slice": ("Arms learn from", "各群の学習データ"),
    "slice own": ("their own people's rows: fair, but each learns from less", "自分の群のデータだけ（公平だがデータは少ない）"),
    "slice control-only": ("the control's rows: the challenger leaves no trace in what is learnt", "対照群のデータだけ（挑戦者の影響は学習に入らない）"),
    "slice shared": ("everybody's rows: what one arm does reaches the other, so that a difference looks smaller than it is", "全員のデータ（互いの影響が混ざり、差は実際より小さく見えます）"),
    "served to": ("Served to {arm}", "{arm} に使われた版"),
    "curve title": ("How long would it take?", "どれだけかかるか"),
    "curve weeks": ("Weeks", "週"), "curve n": ("People per arm", "各群の人数"), "curve lift": ("Lift that can be seen", "捉えられる改善"),
    "decide title": ("Decide", "決定"),
    "earlier pilots": ("All pilots", "すべての試験"),
    "share": ("Share of people", "参加割合"),
    "begun": ("Begun", "開始"), "ended": ("Ended", "終了"),
    "planned": ("planned", "計画済み"), "stopped": ("stopped", "終了"), "decided": ("decided", "決定済み"),
    "act start": ("Start the pilot", "試験を始める"),
    "act ramp": ("Enrol more people", "参加者を増やす"),
    "act extend": ("Extend", "延長する"),
    "act stop": ("Stop the pilot", "試験を終了する"),
    "act decide": ("Do what the numbers say", "判定に従う"),
    "effect start": ("{share} of all people (as a share of 1) enter {pilot}: half of them are served the challenger from now on.", "全利用者の {share}（1 が全員）が {pilot} に参加し、その半数に挑戦者を使います。"),
    "risk start": ("If the challenger is worse, that half notices. The pilot can be stopped within a second.", "挑戦者が劣っていれば、その半数に影響します。1 秒以内に止められます。"),
    "effect ramp": ("{share} of all people (as a share of 1) are in {pilot}. Nobody changes arm.", "{pilot} の参加者を全体の {share}（1 が全員）に増やします。群は変わりません。"),
    "risk ramp": ("More people see the challenger. The share can grow, never shrink; the pilot can be stopped.", "挑戦者を見る人が増えます。割合は減らせませんが、試験は終了できます。"),
    "effect extend": ("People enter {pilot} for {weeks} more weeks. The intervals stay valid.", "{pilot} の参加期間を {weeks} 週間延ばします。区間は有効なままです。"),
    "risk extend": ("The decision comes later; half of those enrolled are served the challenger for longer.", "決定が遅れ、参加者の半数に挑戦者を使う期間が延びます。"),
    "effect stop": ("{pilot} ends without a decision: everybody is served {champion} again within a second.", "{pilot} を決定せずに終了します。1 秒以内に全員が {champion} に戻ります。"),
    "risk stop": ("Nobody new enters; what is not known by now stays unknown. It can still be decided on.", "新しい参加者は増えず、今わからないことはわからないままです。後から決定はできます。"),
    "effect decide": ("Does what the verdict of {pilot} says: rolls the challenger out in place of {champion}, or ends the pilot; nothing where it says extend. Decision and evidence go into the ledger.", "{pilot} の判定に従います：{champion} に代えて挑戦者を展開するか、試験を終了します。「継続」なら何もしません。決定と根拠は台帳に残ります。"),
    "risk decide": ("A roll-out changes recommendations for everybody within a second; it can be rolled back.", "展開すると 1 秒以内に全員の推薦が変わります。元に戻せます。"),
}  # fmt: skip


class DashboardWords(Words):
    """The report's words and ours; numbers with their ends."""

    def __call__(self, key: str, **values: object) -> str:
        return (WORDS.get(key) or PHRASES[key])[LANGUAGES.index(self.lang)].format(**values)

    def has(self, key: str) -> bool:
        return key in WORDS

    def measure(self, name: str) -> str:
        """A measure in words, as the page of measures has it."""
        return told(BY_NAME[name], self.lang)[0] if name in BY_NAME else self(f"m {name}")

    def how(self, name: str) -> str:
        """How a measure is computed."""
        return told(BY_NAME[name], self.lang)[2] if name in BY_NAME else self(f"how {name}")

    def metric(self, name: str) -> str:
        """A metric of a pilot in words."""
        return self(f"p {name}") if f"p {name}" in WORDS else name

    def arm(self, name: str) -> str:
        return self.said(name) if name else self("all")

    def money(self, value: float | None, currency: str) -> str:
        """USD 1.20; a dash where nothing is known."""
        return "–" if value is None else f"{currency}\u00a0{self.value(value)}"

    def said(self, name: str) -> str:
        """A state or an alias in words."""
        return self(name) if name in WORDS else name

    def value(self, value: float | None, percent: bool = False) -> str:
        """3.21 %, 0.7123 or 12,345; a dash where there is no number."""
        if value is None or not math.isfinite(value):
            return "–"
        if percent:
            return f"{100 * value:.2f}\u00a0%"
        if value and abs(value) < 0.01:
            return plain(value, 2)
        return self.number(value, 0 if abs(value) >= 1000 or value == round(value) else 3 if abs(value) < 10 else 1)

    def signed(self, share: float | None) -> str:
        """+3.1 %"""
        return "–" if share is None or not math.isfinite(share) else f"{100 * share:+.1f}\u00a0%"

    def ends(self, low: float | None, high: float | None, percent: bool = False, measure: str = "") -> str:
        """[low, high]; words where there is no interval, nothing of a count."""
        if measure in COUNTS:
            return ""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return self("no interval")
        return f"[{self.value(low, percent)}, {self.value(high, percent)}]"
