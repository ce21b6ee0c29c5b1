"""The words of the dashboard in English and Japanese, by page, and how its numbers are written."""

from __future__ import annotations

import math

from regraft.report.report_words import LANGUAGES, PHRASES, Words

SHORT = ("ctr", "conversion", "auc")
COUNTS = frozenset({"rows", "people", "lists", "people_served", "clicks", "promoted", "update_seconds"})  # as they are
LONG = ("return_7", "return_28", "repeat")
DAILY = ("rows", "update_seconds", "auc")
PERCENT = frozenset(
    {"ctr", "conversion", "return_7", "return_28", "repeat", "satisfaction", "calibration", "dormant", "concentration"}
)

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
    # measures and how they are computed
    "m ctr": ("Click rate", "クリック率"),
    "how ctr": (
        "Clicked items divided by shown items, of lists that were first seen on the day. Interval: delta method over people.",
        "その日に最初に表示されたリストのうち、クリックされた件数 ÷ 表示件数。区間は人単位のデルタ法。",
    ),
    "m conversion": ("Conversion", "購入率"),
    "how conversion": (
        "People who bought at least once from a list, divided by people who saw one. Interval: Wilson.",
        "リストから 1 回以上購入した人 ÷ リストを見た人。区間は Wilson 法。",
    ),
    "m auc": ("Foresight (AUC)", "予測力（AUC）"),
    "how auc": (
        "How often a liked item of the day is ranked above another, by the version that had not seen the day. 0.5 is chance, 1 perfect.",
        "その日を学習していないバージョンが、好まれた項目をそうでない項目より上に並べた割合。0.5 は偶然、1 は完全。",
    ),
    "m return_7": ("Return within 7 days", "7 日以内の再訪"),
    "how return_7": (
        "People who came back within 7 days, divided by people seen on the day; known 7 days later.",
        "その日に訪れた人のうち 7 日以内に戻った人の割合。7 日後に確定します。",
    ),
    "m return_28": ("Return within 28 days", "28 日以内の再訪"),
    "how return_28": (
        "People who came back within 28 days, divided by people seen on the day; known 28 days later.",
        "その日に訪れた人のうち 28 日以内に戻った人の割合。28 日後に確定します。",
    ),
    "m repeat": ("Repeat rate", "リピート率"),
    "how repeat": ("People of the day who had been there on an earlier day.", "その日に訪れた人のうち、以前にも訪れた人の割合。"),
    "m rows": ("Rows", "行数"),
    "how rows": ("Interactions that happened on the day.", "その日に起きた行動の数。"),
    "m update_seconds": ("Seconds of an update", "更新の秒数"),
    "how update_seconds": ("Wall-clock seconds of renewing all contenders.", "すべての候補の更新にかかった時間。"),
    "how other": ("Written by the daily update; see the guide to measures.", "日々の更新で書かれます。指標の説明書を参照してください。"),
}  # fmt: skip


class DashboardWords(Words):
    """The report's words and ours; numbers with their ends."""

    def __call__(self, key: str, **values: object) -> str:
        return (WORDS.get(key) or PHRASES[key])[LANGUAGES.index(self.lang)].format(**values)

    def has(self, key: str) -> bool:
        return key in WORDS

    def measure(self, name: str) -> str:
        """A measure in words; its name where there are none."""
        return self(f"m {name}") if f"m {name}" in WORDS else name

    def how(self, name: str) -> str:
        """How a measure is computed."""
        return self(f"how {name}") if f"how {name}" in WORDS else self("how other")

    def arm(self, name: str) -> str:
        return name or self("all")

    def said(self, name: str) -> str:
        """A state or an alias in words."""
        return self(name) if name in WORDS else name

    def value(self, value: float | None, percent: bool = False) -> str:
        """3.21 %, 0.7123 or 12,345; a dash where there is no number."""
        if value is None or not math.isfinite(value):
            return "–"
        if percent:
            return f"{100 * value:.2f}\u00a0%"
        return self.number(value, 0 if abs(value) >= 1000 or value == round(value) else 3 if abs(value) < 10 else 1)

    def ends(self, low: float | None, high: float | None, percent: bool = False, measure: str = "") -> str:
        """[low, high]; words where there is no interval, nothing of a count."""
        if measure in COUNTS:
            return ""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return self("no interval")
        return f"[{self.value(low, percent)}, {self.value(high, percent)}]"
