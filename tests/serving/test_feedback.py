"""What a server spools becomes rows of the site, and what the site closes becomes what the server knows."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from regraft.data import spool, store
from regraft.data.regimes import Regime
from regraft.errors import DataError
from regraft.privacy.forget import forget
from regraft.prompts.facts import fact_table
from regraft.release.blocked import block
from regraft.release.feedback import clear, take_spool
from regraft.release.rollback import rollback
from regraft.release.update import catch_up, update
from regraft.serving.app import make_app
from regraft.serving.service import Service
from regraft.setup.site import DAY, Site
from regraft.state import files, keys, lease
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld


def rows_of(site: Site) -> pl.DataFrame:
    with transaction(site.engine) as connection:
        return store.read(site.data, [f for f in files.listed(connection) if f.day != store.ITEMS])


def ms(day: str) -> int:
    return int(pl.Series([day]).str.to_datetime(time_zone="UTC").dt.epoch("ms")[0])


@dataclass
class Shop:
    """A site that is served on the first day after its first close."""

    world: SiteWorld
    service: Service
    client: TestClient
    noon: int

    def lists(self, *users: str, n: int = 5) -> list[dict]:
        return [self.client.get(f"/recommend/{user}?n={n}").json() for user in users]

    def click(self, user: str, item: str, at: int, **more: object) -> None:
        row = {"user_id": user, "item_id": item, "event": "click", "time": at, **more}
        clock, self.service.clock = self.service.clock, lambda: at  # it is told when it happens
        assert self.client.post("/events", json={"events": [row]}).status_code == 202
        self.service.clock = clock

    def close(self, day: int = FIRST) -> None:
        """Closes a day of the world, whose own rows come as a log."""
        self.world.ingest(self.world.of(self.world.days[day]))
        update(self.world.site)


@pytest.fixture
def shop(world: SiteWorld) -> Iterator[Shop]:
    site, noon = world.site, ms(world.days[FIRST]) + DAY // 2
    with transaction(site.engine) as connection:
        key = keys.make(connection, "test", ("recommend", "events"))
    service = Service(site, clock=lambda: noon)
    with TestClient(make_app(service), headers={"Authorization": f"Bearer {key}"}) as client:
        yield Shop(world, service, client, noon)
    service.stop()


def test_events_carry_the_list_they_answer_and_what_was_not_clicked_is_a_label_0(shop: Shop) -> None:
    one, two = shop.lists("u001", "u002")
    shop.click("u001", one["items"][2]["item_id"], shop.noon + 60_000, request_id=one["request_id"])
    shop.click("u002", two["items"][0]["item_id"], shop.noon + 60_000)  # names no list: the newest that shows the item
    shop.click("u003", one["items"][0]["item_id"], shop.noon + 60_000)  # was shown nothing
    shop.close()
    rows = rows_of(shop.world.site)
    served = rows.filter(pl.col("request_id").is_not_null())
    assert served.filter(event="click").select("request_id", "position", "arm", "version").sort("position").rows() == [
        (two["request_id"], 0, "champion", "shop-v000001"),
        (one["request_id"], 2, "champion", "shop-v000001"),
    ]
    shown = served.filter(event="impression").group_by("request_id").agg(pl.col("position").sort())
    assert dict(shown.iter_rows()) == {one["request_id"]: [0, 1, 3, 4], two["request_id"]: [1, 2, 3, 4]}
    assert rows.filter(event="impression")["time"].dt.epoch("ms").unique().to_list() == [shop.noon]
    assert (
        len(
            rows.filter(
                (pl.col("event") == "click")
                & pl.col("request_id").is_null()
                & (rows["time"].dt.epoch("ms") == shop.noon + 60_000)
            )
        )
        == 1
    )
    cuts = shop.world.site.stream(_cuts(shop.world.site))
    assert cuts.label[cuts.period == cuts.n_periods].sum() >= 3
    examples = cuts.targets[cuts.time[cuts.targets] == shop.noon]
    assert sorted(cuts.label[examples]) == [0] * 8 + [1] * 2


def test_a_day_that_came_through_the_server_alone_is_caught_up_with(shop: Shop) -> None:
    shop.click("u001", shop.lists("u001")[0]["items"][0]["item_id"], shop.noon + 60_000)
    day = shop.world.days[FIRST]
    assert [done.date for done in catch_up(shop.world.site, None)] == [day]


def _cuts(site: Site):
    with transaction(site.engine) as connection:
        return site.cuts(connection)


def test_lists_wait_until_they_can_no_longer_be_answered(shop: Shop) -> None:
    shop.lists("u001")
    site, cut = shop.world.site, ms(shop.world.days[FIRST]) + DAY
    with lease.holding(site.engine, site.lease_name) as held:
        with pytest.raises(DataError, match="may still be answered"):
            take_spool(site, held, cut, cut + 60_000)
        counts = take_spool(site, held, cut, cut + 3_600_000).counts
        again = take_spool(site, held, cut, cut + 3_600_000).counts
    assert (counts.accepted, again.accepted, again.already_there) == (5, 0, 5)


def test_a_click_after_the_delay_does_not_undo_the_label_0(shop: Shop) -> None:
    (one,) = shop.lists("u001", n=1)
    shop.click("u001", one["items"][0]["item_id"], shop.noon + 2 * 3_600_000, request_id=one["request_id"])
    shop.close()
    rows = rows_of(shop.world.site).filter(pl.col("request_id") == one["request_id"])
    assert sorted(rows["event"]) == ["click", "impression"]


def test_under_a_rule_about_ratings_an_impression_is_counted_and_not_learnt_from(shop: Shop) -> None:
    shop.lists("u001")
    shop.close()
    site = shop.world.site
    ratings = site.options.model_copy(update={"data": site.options.data.model_copy(update={"label": "value >= 0"})})
    assert (rows_of(site)["event"] == "impression").sum() == 5
    with pytest.raises(DataError, match=r"have no value|same label"):
        Site(site.folder, ratings, site.engine).stream(_cuts(site))


def test_a_server_follows_a_close_and_forgets_rows_that_were_rolled_back(shop: Shop) -> None:
    service, site = shop.service, shop.world.site
    user, before = "u001", shop.service.live.facts.rows
    item = shop.lists(user, n=1)[0]["items"][0]["item_id"]
    shop.click(user, item, shop.noon + 1000)
    shop.close()
    service.look()
    assert service.loaded.name == "shop-v000002"
    assert service.live.facts.rows > before + 1
    assert item in service.live.seen(service._who(user, service._at.data)[1])
    rollback(site, batch=True)
    service.look()
    assert service.loaded.name == "shop-v000001"
    assert service.live.facts.rows <= before + 1
    assert not list((site.spool / "events").glob("*")) or spool.segments(site.spool / "events")


def test_segments_that_are_taken_in_are_removed_and_those_in_use_stay(shop: Shop) -> None:
    shop.lists("u001")
    shop.click("u002", "i000", shop.noon)
    shop.close()
    events = shop.world.site.spool / "events"
    assert len(spool.segments(events)) == 1  # the server still has it open
    shop.service.look()  # it hears of the close and finishes it
    shop.close(FIRST + 1)
    assert not spool.segments(events)


def test_a_person_who_is_being_erased_is_refused_at_once_and_gone_from_the_spool_afterwards(shop: Shop) -> None:
    shop.lists("u001", "u002")
    shop.click("u001", "i000", shop.noon)
    block(shop.world.site, "u001")
    shop.service.look()
    assert shop.client.get("/recommend/u001").status_code == 410
    assert shop.client.get("/recommend/u002").status_code == 200
    row = {"user_id": "u001", "item_id": "i000", "event": "click"}
    assert shop.client.post("/events", json={"events": [row]}).status_code == 410
    forget(shop.world.site, [])
    left = [
        r for kind in ("lists", "events") for s in spool.segments(shop.world.site.spool / kind) for r in spool.read(s)
    ]
    assert {row["pseudonym"] for row in left} == set(shop.service.key.pseudonyms(["u002"]))
    shop.service.look()
    assert shop.service.loaded.contender is not None
    assert shop.client.get("/recommend/u001").status_code == 200  # a stranger now
    assert len(shop.service._at.data.uids) == len(
        {*shop.service._at.data.uids} - {*shop.service.key.pseudonyms(["u001"])}
    )


def test_an_update_killed_behind_the_spool_ends_where_an_unbroken_one_ends(shop: Shop, tmp_path: Path) -> None:
    one = shop.lists("u001")[0]
    shop.click("u001", one["items"][0]["item_id"], shop.noon + 1000, request_id=one["request_id"])
    shop.service.stop()
    twin = tmp_path / "twin"
    shutil.copytree(shop.world.site.folder, twin)
    command = [sys.executable, "-m", "regraft", "update", str(shop.world.site.folder)]
    killed = subprocess.run(
        command, env={**os.environ, "REGRAFT_CRASH_AFTER": "ingest"}, capture_output=True, timeout=120
    )
    assert killed.returncode == -9, killed.stderr
    update(shop.world.site)
    update(Site.open(twin))
    columns = [c for c in store.STORED if c != "uid"]
    assert rows_of(shop.world.site).select(columns).equals(rows_of(Site.open(twin)).select(columns))


def test_5000_events_are_taken_in_within_seconds(shop: Shop) -> None:
    events = [
        {"user_id": f"u{k % 150:03d}", "item_id": f"i{k % 60:03d}", "event": "click", "time": shop.noon + k}
        for k in range(5000)
    ]
    assert shop.client.post("/events", json={"events": events}).status_code == 202
    site, cut, began = shop.world.site, ms(shop.world.days[FIRST]) + DAY, time.perf_counter()
    with lease.holding(site.engine, site.lease_name) as held:
        counts = take_spool(site, held, cut, cut + DAY).counts
    assert counts.accepted == 5000
    assert time.perf_counter() - began < 10


def test_an_answer_outlives_the_segment_that_it_came_in(shop: Shop) -> None:
    one = shop.lists("u001", n=3)[0]
    shop.click("u001", one["items"][1]["item_id"], shop.noon + 1000, request_id=one["request_id"])
    shop.service.stop()
    shop.close()
    shop.close(FIRST + 1)
    served = rows_of(shop.world.site).filter(pl.col("request_id") == one["request_id"])
    assert served.sort("position", "event").select("position", "event").rows() == [
        (0, "impression"),
        (1, "click"),
        (2, "impression"),
    ]


def test_a_line_that_came_after_the_spool_was_read_is_not_removed(shop: Shop) -> None:
    site, cut = shop.world.site, ms(shop.world.days[FIRST]) + DAY
    shop.click("u002", "i000", shop.noon)
    with lease.holding(site.engine, site.lease_name) as held:
        read = take_spool(site, held, cut, cut + DAY).sizes
        shop.click("u002", "i001", shop.noon + 1000)
        shop.service.stop()
        assert clear(site, cut, read) == 0
        again = take_spool(site, held, cut, cut + DAY).counts
    assert again is not None and again.accepted == 1


def test_an_event_answers_no_list_of_somebody_else(shop: Shop) -> None:
    (one,) = shop.lists("u001", n=2)
    shop.click("u002", one["items"][0]["item_id"], shop.noon + 1000, request_id=one["request_id"])
    shop.close()
    assert (rows_of(shop.world.site)["event"] == "impression").sum() == 2


def test_what_was_shown_and_not_answered_is_liked_under_no_rule(shop: Shop) -> None:
    shop.lists("u001")
    shop.close()
    site = shop.world.site
    options = site.options.model_copy(
        update={"data": site.options.data.model_copy(update={"label": 'event != "skip"'})}
    )
    stream = Site(site.folder, options, site.engine).stream(_cuts(site))
    assert stream.label[stream.targets[stream.time[stream.targets] == shop.noon]].tolist() == [0] * 5


def test_all_examples_of_a_list_know_what_its_server_knew(shop: Shop) -> None:
    (one,) = shop.lists("u001")
    first, third = one["items"][0]["item_id"], one["items"][2]["item_id"]
    shop.click("u001", first, shop.noon + 3000, request_id=one["request_id"])
    shop.click("u001", third, shop.noon + 6000, request_id=one["request_id"])
    shop.click("u001", third, shop.noon + 9000, request_id=one["request_id"])  # one example, two events
    shop.close()
    stream = shop.world.site.stream(_cuts(shop.world.site))
    of_list = stream.targets[stream.time[stream.targets] == shop.noon]
    names = stream.items["item_id"].gather(stream.item[of_list]).to_list()
    liked = [item for item, label in zip(names, stream.label[of_list], strict=True) if label]
    assert (len(of_list), sorted(liked)) == (5, sorted([first, third]))
    facts = fact_table(stream, Regime.parse("fresh"))[of_list]
    for column in ("user_rate", "user_count"):
        assert facts[column].n_unique() == 1
    end = stream.cuts[-1]
    history = np.flatnonzero((stream.user == stream.user[of_list[0]]) & stream.happened & (stream.time >= shop.noon))
    history = history[~np.isin(history, stream.targets)]
    known = {int(t): sorted(stream.label[history[stream.known_at[history] == t]]) for t in stream.known_at[history]}
    assert known == {shop.noon + 3000: [1], shop.noon + 6000: [1], shop.noon + 9000: [1], end - 1: [0, 0, 0]}


def test_an_answer_behind_the_delay_or_on_another_day_is_a_row_like_any_other(shop: Shop) -> None:
    one, two = shop.lists("u001", "u002", n=1)
    late, later = shop.noon + 2 * 3_600_000, shop.noon + DAY
    shop.click("u001", one["items"][0]["item_id"], late, request_id=one["request_id"])
    shop.click("u002", two["items"][0]["item_id"], later, request_id=two["request_id"])
    shop.close()
    shop.close(FIRST + 1)
    stream = shop.world.site.stream(_cuts(shop.world.site))
    labels = {int(t): stream.label[stream.targets[stream.time[stream.targets] == t]].tolist() for t in (late, later)}
    assert (labels[late], labels[later]) == ([1], [1])
    assert stream.label[stream.targets[stream.time[stream.targets] == shop.noon]].tolist() == [0, 0]


def test_an_event_without_a_value_stops_no_update_under_a_rule_about_values(shop: Shop) -> None:
    site = shop.world.site
    with transaction(site.engine) as connection:
        listed = [f for f in files.listed(connection) if f.day != store.ITEMS]
    assert store.read(site.data, listed)["value"].null_count() == 0
    shop.click("u001", "i000", shop.noon)
    shop.close()
    valued = site.options.model_copy(update={"data": site.options.data.model_copy(update={"label": "value > 0.5"})})
    stream = Site(site.folder, valued, site.engine).stream(_cuts(site))
    assert shop.noon not in stream.time


def test_what_was_shown_in_vain_rests_for_a_week_and_comes_back(shop: Shop) -> None:
    shown = {one["item_id"] for one in shop.lists("u001")[0]["items"]}
    shop.close()
    shop.service.look()
    uid = shop.service._who("u001", shop.service._at.data)[1]
    assert shown <= shop.service.live.seen(uid)
    site = shop.world.site
    stream = site.stream(_cuts(site))
    in_vain = site.shown_in_vain(stream)
    assert in_vain.sum() == 5 and not in_vain[stream.targets].any()
    live = shop.service._at.data.bench.live(stream, site.catalogue(), in_vain)
    assert not shown & live.seen(uid)
