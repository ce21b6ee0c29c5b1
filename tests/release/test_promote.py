"""Challengers beside the champion: renewed and judged every day, and in service when a person says so."""

from __future__ import annotations

import pytest

from regraft.errors import StateError
from regraft.release.promote import promote
from regraft.release.update import update
from regraft.setup.site import Site
from regraft.state import ledger, versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld


def aliases(site: Site) -> dict[str, str]:
    with transaction(site.engine) as connection:
        found = {name: versions.alias(connection, name) for name in versions.ALIASES}
    return {name: one.version for name, one in found.items() if one}


@pytest.fixture
def shop(world: SiteWorld) -> SiteWorld:
    """One day is closed with two challengers: v2 is the stack's, v3 and v4 are theirs."""
    path = world.folder / "shop" / "regraft.yaml"
    text = path.read_text()
    assert "\nchallengers: []\n" in text
    text = text.replace("challengers: []", "challengers: [{use: rates}, {use: popularity}]")
    path.write_text(text.replace("gate: {}", "gate: {effect: {least: 20}}"))
    world.ingest(world.of(world.days[FIRST]))
    done = update(world.site)
    assert done.state == "promoted"
    (effect,) = (f for f in done.findings if f.check == "effect")
    assert "challenger rates: " in effect.reason and "challenger popularity: " in effect.reason
    return world


def test_the_alias_challenger_follows_the_first_one_and_holdout_stays(shop: SiteWorld) -> None:
    assert aliases(shop.site) == {"champion": "shop-v000002", "challenger": "shop-v000003"}
    assert promote(shop.site, "shop-v000001", "holdout").state == "promoted"
    shop.ingest(shop.of(shop.days[FIRST + 1]))
    done = update(shop.site)
    assert done.state == "promoted"
    assert aliases(shop.site) == {
        "champion": done.versions[0], "challenger": done.versions[1], "holdout": "shop-v000001",
    }  # fmt: skip


def test_a_challenger_that_a_person_puts_in_service_is_the_one_that_updates_renew(shop: SiteWorld) -> None:
    done = promote(shop.site, "shop-v000003", accept="a pilot of a week")
    assert (done.state, aliases(shop.site)["champion"]) == ("promoted", "shop-v000003")
    with transaction(shop.site.engine) as connection:
        entry = ledger.entries(connection)[-1]
    assert (entry.kind, entry.details["reason"], entry.details["to"]) == (
        "promoted by hand", "a pilot of a week", "shop-v000003",
    )  # fmt: skip
    shop.ingest(shop.of(shop.days[FIRST + 1]))
    done = update(shop.site)
    stack, rates, _ = done.versions
    assert (done.state, done.champion) == ("promoted", rates)
    assert aliases(shop.site) == {"champion": rates, "challenger": stack}  # the first of the others


def test_the_gate_keeps_a_worse_version_out_and_says_why(shop: SiteWorld) -> None:
    done = promote(shop.site, "shop-v000004")  # popularity knows nobody's taste
    assert (done.state, done.code, aliases(shop.site)["champion"]) == ("kept", 10, "shop-v000002")
    assert {f.check for f in done.findings if f.outcome == "keep"} >= {"trusted"}
    with transaction(shop.site.engine) as connection:
        assert ledger.entries(connection)[-1].details["version"] == "shop-v000004"


def test_one_promotion_by_hand_a_day(shop: SiteWorld) -> None:
    promote(shop.site, "shop-v000003", accept="a pilot")
    with pytest.raises(StateError, match="was promoted by hand since"):
        promote(shop.site, "shop-v000002")
    assert promote(shop.site, "shop-v000002", accept="it failed").state == "promoted"


def test_a_promotion_that_cannot_be_is_refused(shop: SiteWorld) -> None:
    with pytest.raises(StateError, match="nothing would change"):
        promote(shop.site, "shop-v000002")
    with pytest.raises(StateError, match="moves at every close"):
        promote(shop.site, "shop-v000001", "challenger")
    with pytest.raises(StateError, match="does not exist"):
        promote(shop.site, "shop-v000009")


def test_a_contender_that_regraft_yaml_names_no_longer_gives_way_through_the_gate(shop: SiteWorld) -> None:
    promote(shop.site, "shop-v000003", accept="a pilot")
    path = shop.folder / "shop" / "regraft.yaml"
    path.write_text(path.read_text().replace("challengers: [{use: rates}, {use: popularity}]", "challengers: []"))
    shop.ingest(shop.of(shop.days[FIRST + 1]))
    done = update(shop.site)
    assert (done.state, len(done.versions)) == ("promoted", 1)
    assert aliases(shop.site)["champion"] == done.versions[0]
