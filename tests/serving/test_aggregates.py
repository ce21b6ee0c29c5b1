"""What was served, seen through the numbers that an update leaves for pages."""

import pytest

from regraft.release import aggregates as daily
from regraft.release.update import update
from regraft.state import aggregates
from regraft.state.database import transaction
from serving.test_feedback import Shop, shop
from site_world import FIRST

__all__ = ["shop"]


def numbers(shop: Shop, **where: str | None) -> dict[tuple[str, str, str], tuple[float, int]]:
    with transaction(shop.world.site.engine) as connection:
        found = aggregates.read(connection, **where)
    return {(r["measure"], r["arm"], r["segment"]): (r["value"], r["n"]) for r in found.rows(named=True)}


def test_a_closed_day_has_its_lists_clicks_and_rates(shop: Shop) -> None:
    users = [f"u{k:03d}" for k in range(1, 13)]
    lists = shop.lists(*users, n=4)
    shown = sum(len(one["items"]) for one in lists)
    for user, one in zip(users, lists, strict=True):
        if user < "u007":
            shop.click(user, one["items"][0]["item_id"], shop.noon + 60_000, request_id=one["request_id"])
    shop.close()
    day = shop.world.days[FIRST]
    found = numbers(shop, since=day, until=day, arm=None, segment=None)
    for where in (("", ""), ("champion", ""), ("", "version=shop-v000001")):
        assert found["lists", *where] == (12.0, 12)
        assert found["clicks", *where] == (6.0, 12)
        assert found["ctr", *where] == (6 / shown, 12)
    assert found["promoted", "", ""][0] == 1.0
    assert 0 < found["latency_p95", "", ""][0] < 60 and found["cost_per_1000", "champion", ""][0] > 0
    assert 0 < found["concentration", "", ""][0] < 1 and 0 < found["diversity", "", ""][0] < 1
    assert 0.4 < found["auc", "", ""][0] < 1.0
    assert found["auc", "", "contender=stack"] == found["auc", "", ""]
    assert found["update_seconds", "", ""][0] > 0
    assert daily.refresh(shop.world.site) == []


def test_numbers_that_a_killed_update_did_not_write_come_with_the_next_call(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, day = shop.world.site, shop.world.days[FIRST]
    monkeypatch.setattr(daily, "refresh", lambda *_: [])
    shop.close()
    assert not numbers(shop, since=day)
    monkeypatch.undo()
    update(site, day)
    assert numbers(shop, since=day)["rows", "", ""][0] == len(shop.world.of(day))
