"""What was served, seen through the numbers that an update leaves for pages."""

import json

import pytest
from typer.testing import CliRunner

from regraft.cli.main import app
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


def test_a_closed_day_has_its_lists_clicks_and_rates_and_the_update_says_its_ctr(shop: Shop) -> None:
    users = [f"u{k:03d}" for k in range(1, 41)]
    lists = shop.lists(*users, n=4)
    shown = sum(len(one["items"]) for one in lists)
    for user, one in zip(users, lists, strict=True):
        if user < "u007":
            shop.click(user, one["items"][0]["item_id"], shop.noon + 60_000, request_id=one["request_id"])
    shop.close()
    day = shop.world.days[FIRST]
    found = numbers(shop, since=day, until=day, arm=None, segment=None)
    for where in (("", ""), ("champion", ""), ("", "version=shop-v000001")):
        assert found["lists", *where] == (40.0, 40)
        assert found["clicks", *where] == (6.0, 40)
        assert found["ctr", *where] == (6 / shown, 40)
    assert 0 < found["latency_p95", "", ""][0] < 60 and found["cost_per_1000", "champion", ""][0] > 0
    assert 0 < found["concentration", "", ""][0] < 1 and 0 < found["diversity", "", ""][0] < 1
    assert 0.4 < found["auc", "", ""][0] < 1.0
    assert found["auc", "", "contender=stack"] == found["auc", "", ""]
    assert found["update_seconds", "", ""][0] > 0
    assert daily.refresh(shop.world.site) == []
    said, folder = CliRunner(), str(shop.world.folder / "shop")
    measures = json.loads(said.invoke(app, ["metrics", folder, "--json"]).output)
    (ctr,) = [one for one in measures if one["measure"] == "ctr"]
    outcome = json.loads(said.invoke(app, ["update", folder, "--date", day, "--json"]).output)
    assert found["promoted", "", ""][0] == (outcome["state"] == "promoted")
    told = outcome["ctr"]
    assert told == {name: ctr[name] for name in ("value", "low", "high", "n")}
    line = f"lists of this day: CTR {told['value']:.4f} ({told['low']:.4f} to {told['high']:.4f}) of 40 people"
    assert line in said.invoke(app, ["update", folder, "--date", day]).output


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
