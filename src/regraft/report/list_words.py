"""The words about ranked lists, in English and Japanese."""

from __future__ import annotations

LISTS: dict[str, tuple[str, str]] = {
    "lists best": (
        "Best at ranking: {name}, NDCG@{k} {ndcg} over {n} requests, reranking the {candidates} items that one "
        "retriever ({retriever}) found for each; they hold {found} of what was chosen.",
        "ランキングで最も良いのは {name} です（NDCG@{k} {ndcg}、要求 {n} 件）。共通の候補生成（{retriever}）が見つけた各 "
        "{candidates} 件を並べ替えた値で、その中に選ばれた商品の {found} が含まれます。",
    ),
    "lists alone": (
        "In NDCG it is above every other contender, on the requests that both answered.",
        "NDCG では、双方が答えた要求で、他のすべての候補を上回ります。",
    ),
    "lists shared": (
        "In NDCG it is not distinguishable from {names}, on the requests that both answered.",
        "NDCG では、双方が答えた要求で、{names} と区別できません。",
    ),
    "lists all": (
        "Among all items on offer the best classical contender is {name}: NDCG@{k} {ndcg} over {n} requests.",
        "提供中の全商品の中では、言語モデルを使わない候補で最も良いのは {name} です（NDCG@{k} {ndcg}、要求 {n} 件）。",
    ),
    "lists few": ("(no interval: fewer than {needed} users)", "（区間なし：利用者が {needed} 人未満）"),
    "lists sampler": (
        "AUC and what follows from it compare chosen items with drawn ones ({negatives}): read it after the lists, and "
        "never beside an AUC of another sampling.",
        "AUC は、選ばれた商品と抽出した商品を比べた値です（{negatives}）。ランキングの後に読み、"
        "別の抽出による AUC とは比べないでください。",
    ),
    "lists title": ("Ranked lists", "ランキング"),
    "lists note": (
        "A request is a user at an instant at which something was chosen. Retrieved: every contender reranks the same "
        "{candidates} items, found by one retriever ({retriever}); they hold {found} of what was chosen. All: every item "
        "on offer before that instant, classical contenders only. What is not in a list has rank infinity.",
        "要求とは、ある利用者が何かを選んだ瞬間です。「候補」：全員が共通の候補生成（{retriever}）による同じ {candidates} 件を並べ替えます"
        "（選ばれた商品の {found} を含みます）。「全商品」：その瞬間より前に提供されていたすべての商品で、言語モデルを使わない候補だけです。"
        "リストにない商品の順位は無限大です。",
    ),
    "lists retrieved": ("of {candidates} retrieved", "候補 {candidates} 件"),
    "lists everything": ("of all", "全商品"),
    "lists requests": ("requests", "要求"),
}
