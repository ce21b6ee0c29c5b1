"""Words of the page Overview."""

from __future__ import annotations

WORDS = {
    "in service": ("In service: {version}", "公開中：{version}"),
    "closed to": ("Days closed up to {day}", "{day} まで締め済み"),
    "short": ("Short term", "短期"),
    "long": ("Long term", "長期"),
    "strip title": ("Updates, day by day", "日ごとの更新"),
    "news title": ("What changed this week", "今週の変化"),
    "no news": ("Nothing was closed this week.", "今週は締めた日がありません。"),
    "news champion": ("{version} is in service.", "{version} が公開中です。"),
    "news updates": (
        "Days closed: {n}. Of these {promoted} went live, {kept} kept the old version, {held} wait for a person, {skipped} were skipped.",
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
        "{day} の新しいバージョンは公開されませんでした：{reason}",
    ),
    "news rolled back": ("Somebody went back to {version}.", "{version} に戻されました。"),
    "news promoted by hand": ("Somebody promoted {version} by hand.", "{version} が手動で公開されました。"),
}  # fmt: skip
