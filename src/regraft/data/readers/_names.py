"""Column names that well-known logs use, and which of them a table has.

Names are compared without case, blanks, dashes and underscores, and without the type that RecBole's files put
behind them (`user_id:token`), or MongoDB's exports (`timestamp.$date`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Recognised in this order.
LOG_NAMES = {
    "user_id": (
        "user_id", "user", "uid", "reviewer_id", "customer_id", "visitor_id", "member_id", "account_id", "client_id",
        "profile_id", "person_id", "player_id", "buyer_id", "listener_id", "reader_id", "subscriber_id", "patient_id",
        "student_id", "household_id", "household_key", "user_pseudo_id", "anonymous_id", "device_id", "full_visitor_id",
        "customer", "customer_number", "user_name", "user_login", "user_key", "user_hash", "steam_id", "msno",
        "customer_email", "user_email", "email",
    ),
    "item_id": (
        "item_id", "item", "iid", "movie_id", "parent_asin", "asin", "product_id", "article_id", "business_id",
        "book_id", "track_uri", "track_id", "song_id", "video_id", "content_id", "news_id", "game_id", "app_id",
        "anime_id", "recipe_id", "course_id", "artist_id", "poi_id", "venue_id", "place_id", "hotel_id",
        "restaurant_id", "listing_id", "offer_id", "goods_id", "post_id", "story_id", "photo_id", "ad_id",
        "creative_id", "listen_id", "podcast_id", "episode_id", "show_id", "film_id", "gmap_id", "job_id", "stock_code",
        "item_key", "item_sku", "product_sku", "lineitem_sku", "sku", "isbn", "product", "movie", "article",
    ),
    "timestamp": (
        "timestamp", "time", "ts", "unix_review_time", "datetime", "event_time", "created_at", "date",
        "event_timestamp", "timestamp_ms", "time_stamp", "unix_time", "unix_timestamp", "epoch", "event_date", "t_dat",
        "event_datetime", "server_time", "log_time", "action_time", "interaction_time", "rating_time",
        "rating_timestamp", "rating_date", "review_time", "review_date", "reviewed_at", "click_time", "clicked_at",
        "view_time", "viewed_at", "watched_at", "played_at", "listened_at", "visited_at", "read_at", "purchased_at",
        "purchase_date", "purchase_time", "ordered_at", "order_date", "order_time", "order_purchase_timestamp",
        "invoice_date", "transaction_date", "transaction_time", "transaction_timestamp", "checkin_time",
        "submit_date", "date_added", "date_time", "create_time", "created_time", "creation_time", "created", "time_ms",
        "utc_time", "local_time",
    ),
    "value": (
        "value", "rating", "overall", "score", "stars", "star_rating", "user_rating", "rating_value", "review_score",
        "review_rating", "review_overall", "book_rating", "user_score", "rate",
    ),
    "event": (
        "event", "event_type", "event_name", "action", "action_type", "behavior_type", "behaviour_type", "behavior",
        "behaviour", "interaction_type", "feedback_type", "activity_type", "feedback", "reaction", "interaction",
    ),
    "event_id": ("event_id", "event_uuid"),
}  # fmt: skip
REQUIRED = ("user_id", "item_id", "timestamp")
ITEM_NAMES = {
    "item_id": (*LOG_NAMES["item_id"], "id"),
    "title": (
        "title", "name", "item_title", "item_name", "product_title", "product_name", "movie_title", "movie_name",
        "book_title", "track_name", "song_name", "song_title", "video_title", "article_title", "prod_name", "headline",
    ),
}  # fmt: skip
# Words in names of columns nobody knows, for a proposal that the user looks at.
HINTS = {
    "user_id": ("user", "custom", "member", "visitor", "account", "client", "person", "reviewer", "player"),
    "item_id": ("item", "product", "movie", "book", "track", "song", "video", "article", "sku", "asin", "film", "game"),
    "timestamp": ("time", "date", "stamp", "epoch", "when", "_at"),
}
TYPES = (":token", ":token_seq", ":float", ":float_seq", ".$date", ".$oid", ".$numberLong", ".$numberInt")


def plain(name: str) -> str:
    """A name as names are compared: "User ID" and `userId:token` as "userid"."""
    for kind in TYPES:
        name = name.removesuffix(kind)
    return re.sub(r"[\W_]+", "", name).lower()


def well_known(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of `names` that one of the `known` names is, in the order of the known ones."""
    have = {plain(name): name for name in reversed(names) if plain(name)}
    return next((have[plain(one)] for one in known if plain(one) in have), None)


def hinted(names: Sequence[str], key: str) -> str | None:
    """The first of `names` that sounds like a user, an item or a time."""
    return next((name for name in names if any(word in name.lower() for word in HINTS.get(key, ()))), None)
