"""The drift world does what its truth says, and its log is one that a real site could have written."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from regraft.data.build import build_stream
from regraft.data.drift_world import DriftWorld, World, simulate
from regraft.data.drift_world_settings import START
from regraft.data.drift_world_text import LANGUAGES
from regraft.data.interactions import INTERACTIONS, TIME
from regraft.data.periods import Periods
from regraft.errors import ConfigError
from regraft.metrics.binary import auc

DEFAULT = DriftWorld()
SMALL = DriftWorld(users=150, items=60, periods=6, seed=3)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(DEFAULT)


@pytest.fixture(scope="module", params=[1, 2, 3])
def any_seed(request: pytest.FixtureRequest) -> World:
    return simulate(replace(DEFAULT, seed=request.param))


def seen(world: World) -> pl.DataFrame:
    """The log beside its truth; `u` and `i` are row numbers in the tables of users and items."""
    users, items = world.truth.users, world.truth.items
    return (
        world.interactions.with_columns(world.truth.rows)
        .join(
            users.select("user_id", "joined", "left", "changed_at").with_row_index("u"),
            on="user_id",
            how="left",
        )
        .join(items.select("item_id", "first_day", "burst").with_row_index("i"), on="item_id", how="left")
        .sort("line")
    )


def item_rate(rows: pl.DataFrame) -> np.ndarray:
    """Click rate of each row's item in earlier rows, pulled toward 0.35 by five rows."""
    clicks = (pl.col("value").cum_sum() - pl.col("value")).over("item_id")
    shown = pl.int_range(pl.len()).over("item_id")
    return rows.select((clicks + 0.35 * 5) / (shown + 5)).to_series().to_numpy()


def affinity(world: World, rows: pl.DataFrame) -> np.ndarray:
    """users x genres: how much more of each genre a user clicked in `rows` than its items get from all."""
    shape = world.truth.taste_before.shape
    surplus, weight = np.zeros(shape), np.zeros(shape)
    value = rows["value"].to_numpy() - rows.select(pl.col("value").mean().over("item_id")).to_series().to_numpy()
    genres, users = world.truth.item_genres[rows["i"].to_numpy()], rows["u"].to_numpy()
    np.add.at(surplus, users, genres * value[:, None])
    np.add.at(weight, users, genres)
    return surplus / (weight + 2)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


# -- the log ------------------------------------------------------------------------------------------


def test_the_default_world_has_sixty_to_a_hundred_thousand_rows(world):
    assert 60_000 < len(world.interactions) < 100_000


def test_the_click_rate_of_every_period_is_that_of_a_working_site(any_seed):
    by_period = seen(any_seed).group_by("period").agg(pl.col("value").mean())
    assert len(by_period) == 8
    assert by_period["value"].is_between(0.1, 0.6).all()


def test_the_label_rule_for_clicks_gives_the_value_of_every_row(world):
    rows = world.interactions
    assert set(rows["event"].unique()) == {"click", "skip"}
    assert ((rows["event"] == "click").cast(pl.Float64) == rows["value"]).all()


def test_calendar_periods_of_a_stream_are_the_periods_of_the_truth(world):
    stream = build_stream(world.interactions, world.items, 'event == "click"', Periods(by="calendar", every="1d"))
    assert stream.period.tolist() == world.truth.rows["period"].to_list()
    assert stream.cuts == DEFAULT.cuts


def test_about_half_of_the_rows_share_their_second_with_another_row_of_the_same_user(world):
    tied = world.interactions.select(pl.struct("user_id", "timestamp").is_duplicated().mean()).item()
    assert 0.35 < tied < 0.6


def test_a_visit_lasts_minutes_and_shows_different_items_to_one_user(world):
    visits = (
        seen(world)
        .group_by("visit")
        .agg(
            length=pl.col("timestamp").max() - pl.col("timestamp").min(),
            items=pl.col("item_id").n_unique(),
            users=pl.col("user_id").n_unique(),
            rows=pl.len(),
        )
    )
    assert visits["length"].max() < timedelta(minutes=6)
    assert (visits["users"] == 1).all()
    assert (visits["items"] == visits["rows"]).all()
    assert (visits["rows"] == DEFAULT.impressions).all()


def test_what_a_user_clicked_is_not_shown_to_them_again(world):
    clicked = world.interactions.filter(pl.col("event") == "click")
    assert not clicked.select("user_id", "item_id").is_duplicated().any()


def test_a_world_with_fewer_items_than_slots_shows_them_all_and_again():
    world = simulate(DriftWorld(users=5, items=3, periods=3, visits=4.0, new_items_at=None))
    assert world.interactions["item_id"].n_unique() == 3
    assert world.truth.rows.group_by("visit").len()["len"].max() <= 3


# -- known truth --------------------------------------------------------------------------------------


def test_clicks_happen_as_often_as_the_true_probability_says(any_seed):
    rows = seen(any_seed).with_columns(bucket=(pl.col("click_probability") * 10).cast(pl.Int32))
    for bucket in rows.partition_by("bucket"):
        if len(bucket) > 500:
            error = bucket["value"].mean() - bucket["click_probability"].mean()
            assert abs(error) < 4 * 0.5 / len(bucket) ** 0.5


def test_the_true_probability_ranks_clicks_far_better_than_item_rates_do(any_seed):
    rows = seen(any_seed)
    oracle = auc(rows["value"], rows["click_probability"])
    rates = auc(rows["value"], item_rate(rows))
    assert 0.78 < oracle < 0.85
    assert 0.59 < rates < 0.68


def test_what_a_user_clicked_before_adds_to_item_rates(any_seed):
    rows = seen(any_seed)
    rate = item_rate(rows)
    past = (rows["period"] < 4).to_numpy()
    known = affinity(any_seed, rows.filter(past))
    now = (rows["period"] == 4).to_numpy()
    later = rows.filter(now)
    taste = np.sum(known[later["u"].to_numpy()] * any_seed.truth.item_genres[later["i"].to_numpy()], axis=1)
    assert auc(later["value"], rate[now] + taste) > auc(later["value"], rate[now]) + 0.04


def test_item_quality_shows_in_click_rates(world):
    rates = seen(world).group_by("i").agg(pl.col("value").mean(), pl.len()).filter(pl.col("len") > 100)
    assert correlation(rates["value"].to_numpy(), world.truth.items["quality"].to_numpy()[rates["i"]]) > 0.4


# -- taste --------------------------------------------------------------------------------------------


def test_only_users_who_were_there_change_their_taste_and_at_the_known_period(world):
    users = world.truth.users
    moved = (world.truth.taste_before != world.truth.taste_after).any(axis=1)
    assert (users["changed_at"].is_not_null().to_numpy() == moved).all()
    assert set(users["changed_at"].drop_nulls()) == {5}
    changed = users.filter(moved)
    assert (changed["joined"] < 5).all()
    assert (changed["left"].fill_null(99) > 5).all()
    present = users.filter((pl.col("joined") < 5) & (pl.col("left").fill_null(99) > 5))
    assert len(changed) / len(present) == pytest.approx(0.4, abs=0.05)


def test_the_change_of_taste_is_visible_in_clicks_of_changed_users_only(any_seed):
    rows = seen(any_seed)
    early, late = (affinity(any_seed, rows.filter(part)) for part in (pl.col("period") < 5, pl.col("period") >= 5))
    both = rows.group_by("u").agg(pl.col("period").min().alias("a"), pl.col("period").max().alias("b"), pl.len())
    known = both.filter((pl.col("a") < 5) & (pl.col("b") >= 5) & (pl.col("len") >= 40))["u"].to_numpy()
    changed = any_seed.truth.users["changed_at"].is_not_null().to_numpy()[known]
    assert correlation(early[known[~changed]], late[known[~changed]]) > 0.2
    assert correlation(early[known[changed]], late[known[changed]]) < 0.05


def test_old_knowledge_hurts_for_changed_users_and_helps_for_others(any_seed):
    rows = seen(any_seed)
    rate, old = item_rate(rows), affinity(any_seed, rows.filter(pl.col("period") < 5))
    gain = {}
    for changed in (True, False):
        now = rows.select(
            (pl.col("period") >= 5) & (pl.col("joined") < 5) & (pl.col("changed_at").is_not_null() == changed)
        ).to_series()
        later, base = rows.filter(now), rate[now.to_numpy()]
        taste = np.sum(old[later["u"].to_numpy()] * any_seed.truth.item_genres[later["i"].to_numpy()], axis=1)
        gain[changed] = auc(later["value"], base + taste) - auc(later["value"], base)
    assert gain[True] < -0.005
    assert gain[False] > 0.03


def test_before_the_change_a_world_is_the_same_as_one_without_it():
    changing, steady = simulate(SMALL), simulate(replace(SMALL, taste_change_at=None))
    before = pl.col("timestamp").dt.epoch("ms") < SMALL.cuts[4]
    assert changing.interactions.filter(before).equals(steady.interactions.filter(before))
    assert not changing.interactions.equals(steady.interactions)
    assert steady.truth.users["changed_at"].null_count() == SMALL.users


def test_a_burst_of_interest_shows_within_a_visit_and_fades():
    """How often two clicks on a genre come together, beyond what long-term causes explain."""
    world = simulate(replace(DEFAULT, visits=3.0, users=800, taste_change_at=None))
    truth, rows = world.truth, seen(world)
    genres, period = truth.item_genres[rows["i"].to_numpy()], rows["period"].to_numpy()
    wish = truth.taste_before[rows["u"].to_numpy()] + truth.appeal[period - 1]
    known = truth.items["quality"].to_numpy()[rows["i"]] + np.sum(genres * wish, axis=1)
    log_odds = logit(rows["click_probability"].to_numpy()) - known
    lean = pl.DataFrame({"u": rows["u"], "beyond": log_odds}).select(pl.col("beyond").min().over("u")).to_series()
    surplus = rows["value"].to_numpy() - expit(known + lean.to_numpy())
    rows = rows.select("u", "visit", "period", "line", surplus=surplus, genre=genres.argmax(axis=1))
    pairs = rows.join(rows, on=["u", "genre"], suffix="_2").filter(pl.col("line") < pl.col("line_2"))
    apart = pl.col("period_2") - pl.col("period")
    together = pl.col("visit") == pl.col("visit_2")
    visit, period, far = (
        pairs.filter(which).select((pl.col("surplus") * pl.col("surplus_2")).mean()).item()
        for which in (together, ~together & (apart == 0), apart >= 3)
    )
    assert visit > 2 * period
    assert period > 2 * far


# -- items --------------------------------------------------------------------------------------------


def test_no_item_is_shown_before_its_release(any_seed):
    day = (pl.col("timestamp").dt.epoch("ms") - START) / 86_400_000
    assert seen(any_seed).select((day >= pl.col("first_day")).all()).item()


def test_new_items_arrive_in_every_period_and_in_a_burst_at_the_known_one(world):
    new = world.truth.items.group_by("first_period").len().sort("first_period")
    assert new["first_period"].to_list() == list(range(1, 9))
    count = dict(new.iter_rows())
    assert count[6] > 3 * max(count[p] for p in (2, 3, 4, 5, 7, 8))
    assert set(world.truth.items.filter(pl.col("burst"))["first_period"]) == {6}


def test_the_burst_brings_a_genre_with_words_that_nobody_has_seen(world):
    rows = seen(world).join(world.items, on="item_id").sort("line")
    assert world.truth.genres[-1] == "Robots"
    new = pl.col("genres").str.contains("Robots")
    assert rows.filter(new)["period"].min() == 6
    words = LANGUAGES["en"].nouns[-1]
    assert rows.filter(pl.col("title").str.contains_any(list(words)))["period"].min() == 6
    assert rows.filter(new & (pl.col("period") == 6)).height > 0.1 * rows.filter(pl.col("period") == 6).height


def test_what_is_new_is_liked_more_at_first_than_two_periods_later(world):
    appeal = world.truth.appeal[:, -1]
    without = simulate(replace(DEFAULT, new_items_at=None)).truth.appeal[:, -1]
    assert (appeal - without).round(6).tolist() == [0, 0, 0, 0, 0, 0.8, 0.64, 0.512]


def test_a_season_returns_every_four_periods(any_seed):
    truth = any_seed.truth
    rows = seen(any_seed).with_columns(main=pl.Series(truth.item_genres.argmax(axis=1))[seen(any_seed)["i"]])
    of_season = rows.filter(pl.col("main") == truth.season_genre)
    rate = dict(of_season.group_by("period").agg(pl.col("value").mean()).iter_rows())
    for season, neighbours in ((3, (2, 4)), (7, (6, 8))):
        assert rate[season] > max(rate[p] for p in neighbours) + 0.04


def test_popular_items_are_shown_more(world):
    shown = seen(world).filter(pl.col("period") == 4).group_by("i").len()["len"].sort(descending=True)
    assert shown[:60].sum() / shown.sum() > 0.3  # of about 400 that are out


# -- words of titles, and what lives shortly ----------------------------------------------------------

TELLING = DriftWorld(users=300, items=1500, periods=4, taste_change_at=3, seed=1, words=1.5, shelf_life=2)
TELLING = replace(TELLING, new_items_at=None, season_every=None, from_start=0.1, taste=0.5)


def wording_auc(world: World, period: int, as_of: int) -> float:
    """How well what everybody thought of titles in period `as_of` ranks the clicks of `period`."""
    rows = seen(world).filter(pl.col("period") == period)
    return auc(rows["value"], world.truth.wording[as_of - 1][rows["i"].to_numpy()])


def test_titles_tell_nothing_of_quality_unless_words_are_liked(world):
    assert not world.truth.wording.any()


def test_items_with_the_same_adjective_are_liked_for_it_alike():
    world = simulate(TELLING)
    adjectives = [word for genre in LANGUAGES["en"].adjectives for word in genre]
    told = world.items["title"].str.extract(f"({'|'.join(adjectives)})")
    liking = pl.DataFrame({"word": told, "liking": world.truth.wording[0]})
    assert (liking.group_by("word").agg(pl.col("liking").n_unique())["liking"] == 1).all()
    assert liking["liking"].n_unique() == liking["word"].n_unique() > 50


def test_liked_words_rank_clicks_until_taste_changes_and_rank_them_wrongly_afterwards():
    world = simulate(TELLING)
    assert wording_auc(world, 2, as_of=2) > 0.7
    assert wording_auc(world, 3, as_of=2) < 0.4
    assert wording_auc(world, 3, as_of=3) > 0.7


def test_an_item_is_shown_during_its_shelf_life_only():
    day = (pl.col("timestamp").dt.epoch("ms") - START) / 86_400_000
    age = seen(simulate(TELLING)).select(age=day - pl.col("first_day"))["age"]
    assert age.max() < 2.01  # days; a visit that began in time ends minutes later
    assert seen(simulate(replace(TELLING, shelf_life=None))).select(age=day - pl.col("first_day"))["age"].max() > 3


def test_a_shelf_is_never_empty():
    world = simulate(DriftWorld(users=20, items=10, periods=3, from_start=1.0, shelf_life=0.1, new_items_at=None))
    assert set(world.truth.rows["period"]) == {1, 2, 3}


# -- users --------------------------------------------------------------------------------------------


def test_nobody_is_seen_before_joining_or_after_leaving(any_seed):
    rows = seen(any_seed)
    assert (rows["period"] >= rows["joined"]).all()
    assert (rows["period"] < rows["left"].fill_null(99)).all()


def test_everybody_is_seen_in_the_period_of_joining(world):
    first = seen(world).group_by("user_id").agg(pl.col("period").min(), pl.col("joined").first())
    assert len(first) == DEFAULT.users
    assert (first["period"] == first["joined"]).all()
    assert set(first["joined"]) == set(range(1, 9))


def test_users_leave_after_visits_that_disappoint(any_seed):
    rows = seen(any_seed).filter(pl.col("period") < 8)
    last = rows.group_by("u", "period").agg(pl.col("value").mean(), pl.col("left").first())
    goes = pl.col("left").fill_null(99) == pl.col("period") + 1
    leaving, staying = last.filter(goes)["value"], last.filter(~goes)["value"]
    assert len(leaving) > 100
    assert leaving.mean() < staying.mean() - 0.05


def test_without_churn_nobody_leaves():
    assert simulate(replace(SMALL, churn=0.0)).truth.users["left"].null_count() == SMALL.users


# -- seeds and names ----------------------------------------------------------------------------------


def test_the_same_settings_give_the_same_frames_and_another_seed_gives_others():
    one, two, other = simulate(SMALL), simulate(SMALL), simulate(replace(SMALL, seed=4))
    assert one.interactions.equals(two.interactions)
    assert one.items.equals(two.items)
    for name in ("rows", "items", "users"):
        assert getattr(one.truth, name).equals(getattr(two.truth, name))
    assert not one.interactions.equals(other.interactions)
    assert one.items["title"].to_list() != other.items["title"].to_list()


def test_the_language_changes_names_and_nothing_else():
    english, japanese = simulate(SMALL), simulate(replace(SMALL, language="ja"))
    assert english.interactions.equals(japanese.interactions)
    assert english.truth.items.equals(japanese.truth.items)
    assert set(english.items["title"]).isdisjoint(japanese.items["title"])


def test_japanese_names_contain_japanese_characters_and_no_latin_ones():
    items = simulate(replace(SMALL, language="ja")).items
    for text in [*items["title"], *items["genres"], *items["maker"]]:
        assert re.search(r"[\u3041-\u30ff\u4e00-\u9fff]", text)
        assert not re.search(r"[A-Za-z]", text)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_word_belongs_to_two_genres(language):
    words = LANGUAGES[language]
    for kind in (words.adjectives, words.nouns):
        every = [word for genre in kind for word in genre]
        assert len(every) == len(set(every)) == 11 * 8
    assert len(words.genres) == 11


def test_a_title_says_its_genres_and_no_title_is_given_twice(world):
    assert not world.items["title"].is_duplicated().any()
    words = LANGUAGES["en"]
    nouns = {noun: words.genres[g] for g, genre in enumerate(words.nouns) for noun in genre}
    for title, genres in world.items.select("title", "genres").iter_rows():
        noun = next(word for word in reversed(title.split()) if word in nouns)
        assert nouns[noun] == genres.split(", ")[0]


# -- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": 0},
        {"items": 0},
        {"periods": 0},
        {"seed": -1},
        {"days_per_period": 0.0},
        {"days_per_period": float("nan")},
        {"changed_share": 1.5},
        {"churn": -0.1},
        {"season_every": 0},
        {"impressions": 65},
        {"language": "fr"},
        {"language": ["en"]},
        {"users": "many"},
        {"users": 60.0},
        {"users": None},
        {"items": True},
        {"visits": "1.1"},
        {"visits": float("inf")},
        {"new_items_at": "never"},
        {"season_every": 2.5},
        {"words": -1.0},
        {"from_start": 1.5},
        {"shelf_life": 0},
    ],
)
def test_a_wrong_setting_is_refused_by_name(wrong):
    name = next(iter(wrong))
    with pytest.raises(ConfigError, match=f"drift world: {name}"):
        DriftWorld(**wrong)


def test_the_refusal_tells_what_was_found_and_expected():
    with pytest.raises(ConfigError) as refusal:
        DriftWorld(churn=3)
    assert str(refusal.value) == "drift world: churn: found 3\nExpected a number, from 0 to 1"
    with pytest.raises(ConfigError) as refusal:
        DriftWorld(taste_change_at="late")
    assert str(refusal.value) == (
        "drift world: taste_change_at: found 'late'\nExpected a whole number, 1 or more, or None for never"
    )


def test_a_setting_that_no_world_has_is_refused_with_those_there_are():
    with pytest.raises(ConfigError) as refusal:
        DriftWorld.of({"people": 5, "users": 3})
    assert str(refusal.value).startswith("drift world: has no setting people\nExpected some of users, items, ")
    assert DriftWorld.of({"users": 3, "season_every": None}) == DriftWorld(users=3, season_every=None)


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        DriftWorld,
        users=st.integers(1, 30),
        items=st.integers(1, 40),
        periods=st.integers(1, 5),
        seed=st.integers(0, 2**40),
        days_per_period=st.sampled_from([0.05, 0.3, 1.0, 7.0]),
        taste_change_at=st.none() | st.integers(1, 6),
        new_items_at=st.none() | st.integers(1, 6),
        season_every=st.none() | st.integers(1, 4),
        churn=st.sampled_from([0.0, 0.1, 1.0]),
        visits=st.sampled_from([0.0, 0.5, 3.0]),
        impressions=st.integers(1, 64),
        words=st.sampled_from([0.0, 1.5]),
        from_start=st.sampled_from([0.0, 0.6, 1.0]),
        shelf_life=st.sampled_from([None, 0.5, 2.0]),
        language=st.sampled_from(["en", "ja"]),
    )
)
def test_a_world_of_any_size_has_the_schema_the_time_order_and_its_truth(setting):
    world = simulate(setting)
    rows, truth = world.interactions, world.truth
    assert rows.schema == INTERACTIONS
    assert rows.null_count().sum_horizontal().item() == 0
    assert rows["timestamp"].is_sorted()
    assert rows["line"].to_list() == list(range(1, len(rows) + 1))
    cuts = pl.Series(setting.cuts).cast(TIME)
    inside = truth.rows.select(
        start=cuts.gather(pl.Series(truth.rows["period"] - 1)), end=cuts.gather(truth.rows["period"])
    )
    assert ((rows["timestamp"] >= inside["start"]) & (rows["timestamp"] < inside["end"])).all()
    assert len(world.items) == len(truth.items) == len(truth.item_genres) == setting.items
    assert len(truth.users) == len(truth.taste_before) == len(truth.taste_after) == setting.users
    assert set(rows["user_id"]) == set(truth.users["user_id"])
    assert set(rows["item_id"]) <= set(world.items["item_id"])
    assert truth.rows["click_probability"].is_between(0, 1).all()
    assert truth.appeal.shape == (setting.periods, len(truth.genres))
    assert truth.wording.shape == (setting.periods, setting.items)
