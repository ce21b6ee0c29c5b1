"""What the names of events say: that a person liked an item, the opposite, or neither.

Names are read word by word: `add_to_cart`, "Add to Cart" and addToCart are the same. One word that takes back or
refuses decides: `remove_from_cart` and "not interested" mean the opposite of liked, whatever else they name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What people call an event that means "liked", the strongest first.
POSITIVE = (
    ("purchase", "purchased", "buy", "bought", "transaction", "order", "ordered", "checkout", "pay", "paid", "payment"),
    ("subscribe", "subscribed", "rent", "rented", "borrow", "borrowed", "booked", "reserve", "apply", "applied"),
    ("like", "liked", "love", "loved", "upvote", "upvoted", "thumbsup", "positive", "good", "recommend", "recommended"),
    ("favorite", "favorited", "favourite", "favourited", "fav", "star", "starred", "endorse", "heart"),
    ("save", "saved", "bookmark", "bookmarked", "wishlist", "follow", "followed", "collect", "pin", "repin"),
    ("addtocart", "cart", "basket", "add", "added", "share", "shared", "repost", "retweet", "comment", "reply"),
    ("complete", "completed", "finish", "finished", "download", "downloaded", "install", "installed"),
    ("play", "played", "watch", "watched", "listen", "listened", "stream", "streamed", "read"),
    ("click", "clicked", "tap", "select", "selected", "open", "opened"),
    ("yes", "true", "+1"),
)  # fmt: skip
NEGATIVE = {
    "skip", "skipped", "dislike", "disliked", "dismiss", "dismissed", "hide", "hidden", "remove", "removed",
    "delete", "deleted", "cancel", "cancelled", "canceled", "return", "returned", "refund", "refunded", "reject",
    "rejected", "report", "reported", "block", "blocked", "mute", "muted", "ban", "banned", "downvote", "downvoted",
    "thumbsdown", "down", "negative", "bad", "hate", "hated", "ignore", "ignored", "abandon", "abandoned", "bounce",
    "bounced", "uninstall", "uninstalled", "unsubscribe", "unsubscribed", "unlike", "unliked", "unfollow",
    "unfollowed", "unsave", "unsaved", "unfavorite", "unfavourite", "unstar", "unpin", "unbookmark", "churn",
    "complain", "complaint", "spam", "no", "not", "never", "dont", "nope", "false", "less", "leave", "stop", "quit",
    "-1", "decline", "declined", "pass", "swipeleft", "drop", "dropped", "minus",
}  # fmt: skip
# Somebody saw something: "view cart" is no purchase to come.
PASSIVE = {
    "view", "viewed", "views", "impression", "exposure", "exposed", "show", "shown", "display", "displayed", "seen",
    "search", "pageview",
}  # fmt: skip
# Languages without blanks between words: looked for anywhere in the name, what takes back first.
POSITIVE_PARTS = (
    "購入",
    "注文",
    "いいね",
    "高評価",
    "お気に入り",
    "カート",
    "クリック",
    "购买",
    "喜欢",
    "收藏",
    "加购",
    "点击",
)
NEGATIVE_PARTS = (
    "削除",
    "低評価",
    "スキップ",
    "嫌い",
    "非表示",
    "取消",
    "取り消",
    "キャンセル",
    "返品",
    "不喜欢",
    "删除",
    "退货",
)
UP, DOWN = "\U0001f44d", "\U0001f44e"
SIGNS = {UP: "thumbsup", DOWN: "thumbsdown", "\u2764": "love", "\u2b50": "star", "\U0001f60d": "love", "\u2795": "add"}
AGAINST = {DOWN, "\U0001f494", "\U0001f620", "\U0001f621", "\U0001f92e", "\U0001f6ab", "\u274c", "\u2796"}


def is_negative(kind: str) -> bool:
    """Whether the name says the opposite of liked."""
    words = _words(kind)
    return any(word in NEGATIVE for word in words) or any(part in kind for part in (*AGAINST, *NEGATIVE_PARTS))


def strongest(kinds: Sequence[str]) -> str | None:
    """The kind of event that says most clearly that an item was liked; None where none of the names is known."""
    usable = {kind: _words(kind) for kind in kinds if not is_negative(kind)}
    usable = {kind: words for kind, words in usable.items() if not PASSIVE & set(words)}
    if set(kinds) in ({"1", "-1"}, {"1", "0"}, {"1", "0", "-1"}):
        return "1"
    for strength in POSITIVE:
        for kind, words in usable.items():
            if any(word in strength for word in words):
                return kind
    return next((kind for part in POSITIVE_PARTS for kind in usable if part in kind), None)


def _words(kind: str) -> list[str]:
    """The words of a name in lower case, the whole as one word too, pictures as what they mean."""
    for sign, word in SIGNS.items():
        kind = kind.replace(sign, f" {word} ")
    text = kind.strip()
    if re.fullmatch(r"[+-]\s*1(?:\.0)?", text):
        return [text[0] + "1"]
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text.replace("'", "").replace("\u2019", "")).lower()
    words = [word for word in re.split(r"[\W_]+", split) if word]
    return [*words, "".join(words)]
