"""Words of the page Long term."""

from __future__ import annotations

WORDS = {
    "title long_term": ("Long term", "長期"),
    "staying heading": ("Who stays", "誰が残るか"),
    "by day heading": ("Day by day", "日ごとの推移"),
    "funnel heading": ("The answer so far", "これまでの答え"),
    "staying title": ("Who is still there, by day since the first", "最初の日からの経過日数ごとの残存"),
    "staying axis": ("days since the first", "最初の日からの日数"),
    "gain heading": ("What the difference adds up to", "差の積み重ね"),
    "gain axis": ("days since the first", "最初の日からの日数"),
    "gain early": (
        "Too early: who has been silent for {quiet} days counts as gone, so a pilot tells who stays after {quiet} days at the earliest.",
        "まだ早すぎます：{quiet} 日間活動のない人を「去った」とみなすため、試験の残存は早くても {quiet} 日後に分かります。",
    ),
    "cohorts heading": ("New people, week by week", "週ごとの新しい人"),
    "cohorts note": ("Which part of the new people of a week was there again in each week since: of everybody. The darker, the more; ◌: fewer than 10 people.", "ある週に新しく来た人のうち、その後の各週にも訪れた人の割合（全員）。濃いほど高く、◌ は 10 人未満。"),
    "cohorts empty": ("No numbers of this yet: the first come with the first Sunday that is closed, for the weeks before it.", "まだ数値がありません。最初の日曜日を締めると、それまでの週について表示されます。"),
    "cohorts figure": ("New people who return, by week since: weeks of {first} to {last}", "新しい人の週ごとの再訪率：{first} の週から {last} の週"),
    "week of": ("Week of", "週の初日"),
    "weeks since": ("Weeks since", "経過週数"),
    "days since": ("Days since", "経過日数"),
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
}  # fmt: skip
