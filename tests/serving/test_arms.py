"""Two arms and a holdout on one server: everybody keeps their arm, and every list says what really served it."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from regraft.data import spool
from regraft.data.assign import COMPARED, Split
from regraft.release.promote import promote
from regraft.release.update import update
from regraft.serving import batch
from regraft.serving.app import make_app
from regraft.serving.batch import parts_of, recommend_all
from regraft.serving.service import Service
from regraft.setup.site_options import FILE
from regraft.state import keys, pilots, versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

PEOPLE = [f"u{k:03d}" for k in range(1, 61)]


@pytest.fixture(scope="module")
def renewed(made: SiteWorld, tmp_path_factory: pytest.TempPathFactory) -> SiteWorld:
    """The site after a day that made the versions 2 (the champion, a stack) and 3 (the challenger, rates)."""
    with pytest.MonkeyPatch.context() as patch:
        world = made.copied(tmp_path_factory.mktemp("renewed") / "w", patch)
        path = world.folder / "shop" / FILE
        text = path.read_text().replace("challengers: []", "challengers: [{use: rates}]")
        path.write_text(text.replace("holdout: 0.0", "holdout: 0.2"))
        world.ingest(world.of(world.days[FIRST]))
        update(world.site)
    return world


@pytest.fixture
def rival(renewed: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """A copy of it for every test."""
    return renewed.copied(tmp_path / "w", monkeypatch)


@pytest.fixture
def service(rival: SiteWorld) -> Iterator[Service]:
    opened = Service(rival.site)
    yield opened
    opened.stop()


def piloted(world: SiteWorld, share: float = 1.0, of: str = "shared") -> None:
    with transaction(world.site.engine) as connection:
        pilots.add(connection, "one", {"control": "stack", "treatment": "rates", "slice": of}, at=1)
        pilots.start(connection, "one", share, begun=1, at=1)


def served(service: Service) -> dict[str, tuple[str, str]]:
    """(arm, version) by person."""
    lists = {who: service.recommend(who, 2) for who in PEOPLE}
    return {who: (one.arm, one.version) for who, one in lists.items()}


def test_without_a_pilot_everybody_gets_the_champion(service: Service) -> None:
    assert set(served(service).values()) == {("champion", "shop-v000002")}


def test_while_a_pilot_runs_each_arm_is_served_its_own_version_and_the_spool_says_so(
    service: Service, rival: SiteWorld
) -> None:  # fmt: skip
    piloted(rival)
    service.look()
    found = served(service)
    assert set(found.values()) == {("control", "shop-v000002"), ("treatment", "shop-v000003")}
    assert served(service) == found
    rows = [row for s in spool.segments(rival.site.spool / "lists") for row in spool.read(s)]
    with transaction(rival.site.engine) as connection:
        split = Split(pilots.named(connection, "one").salt, 1.0)
    assert {(r["arm"], r["version"]) for r in rows} == set(found.values())
    assert all(row["arm"] == split.arm(row["pseudonym"]) for row in rows)


def test_a_ramp_moves_nobody_to_another_arm_and_an_end_brings_the_champion_back(
    service: Service, rival: SiteWorld
) -> None:  # fmt: skip
    piloted(rival, 0.3)
    service.look()
    before = {who: arm for who, (arm, _) in served(service).items() if arm != "champion"}
    with transaction(rival.site.engine) as connection:
        pilots.ramp(connection, "one", 1.0, at=2)
    service.look()
    after = {who: arm for who, (arm, _) in served(service).items()}
    assert 0 < len(before) < len(PEOPLE) and before.items() <= after.items()
    with transaction(rival.site.engine) as connection:
        pilots.end(connection, "one", pilots.STOPPED, {}, ended=2, at=2)
    service.look()
    assert set(served(service).values()) == {("champion", "shop-v000002")}


def test_the_holdout_keeps_its_frozen_version_under_a_pilot(service: Service, rival: SiteWorld) -> None:
    promote(rival.site, "shop-v000001", "holdout")
    service.look()
    alone = {who for who, (arm, _) in served(service).items() if arm == "holdout"}
    piloted(rival)
    service.look()
    found = served(service)
    assert {who for who, (arm, _) in found.items() if arm == "holdout"} == alone and 3 <= len(alone) <= 25
    assert {found[who] for who in alone} == {("holdout", "shop-v000001")}
    assert {arm for arm, _ in found.values()} == {"holdout", "control", "treatment"}


def test_a_challenger_that_cannot_be_loaded_leaves_its_arm_to_the_champion(service: Service, rival: SiteWorld) -> None:
    for path in (rival.site.versions / "shop-v000003").rglob("*.npz"):
        path.write_bytes(b"damaged")
    piloted(rival)
    service.look()
    assert set(served(service).values()) == {("control", "shop-v000002"), ("treatment", "shop-v000002")}
    assert service.failures == 1


def test_a_newer_challenger_is_followed_and_the_champion_stays_loaded(service: Service, rival: SiteWorld) -> None:
    piloted(rival)
    service.look()
    champion = service.loaded
    with transaction(rival.site.engine) as connection:
        versions.point(connection, "challenger", "shop-v000001", "challenger", {}, at=3)
    service.look()
    assert service.loaded is champion
    assert ("treatment", "shop-v000001") in served(service).values()


def test_where_arms_are_kept_apart_what_one_does_moves_the_facts_of_its_own_side_alone(
    service: Service, rival: SiteWorld
) -> None:  # fmt: skip
    piloted(rival, of="own")
    service.look()
    at = service._at
    assert at.apart is not None and at.apart.live is not at.data.live
    lists = [service.recommend(who, 1) for who in PEOPLE]
    who = {arm: next(p for p, one in zip(PEOPLE, lists, strict=True) if one.arm == arm) for arm in COMPARED}
    for arm, moved in (("control", (1, 0)), ("treatment", (0, 1))):
        before = at.data.live.facts.rows, at.apart.live.facts.rows
        unseen = sorted(set(at.data.live.catalogue["item_id"]) - at.data.live.seen(service._who(who[arm], at.data)[1]))
        service.take([{"user_id": who[arm], "item_id": unseen[0], "event": "click"}])
        assert (at.data.live.facts.rows - before[0], at.apart.live.facts.rows - before[1]) == moved
    with transaction(rival.site.engine) as connection:
        pilots.end(connection, "one", pilots.STOPPED, {}, ended=2, at=2)
    service.look()
    assert service._at.apart is None


def test_under_control_only_what_the_treatment_s_people_do_is_their_own_history_and_no_fact_of_others(
    service: Service, rival: SiteWorld
) -> None:  # fmt: skip
    piloted(rival, of="control-only")
    service.look()
    at = service._at
    assert at.apart is not None
    lists = [service.recommend(who, 1) for who in PEOPLE]
    treated, other = [who for who, one in zip(PEOPLE, lists, strict=True) if one.arm == "treatment"][:2]
    uid, another = (service._who(who, at.data)[1] for who in (treated, other))
    items = at.data.live.catalogue["item_id"].to_list()
    unseen = sorted(set(items) - at.apart.live.seen(uid))[0]
    later = at.data.live.now + 1000
    asked = [live.request(another, items, later).facts for live in (at.data.live, at.apart.live)]
    service.take([{"user_id": treated, "item_id": unseen, "event": "click", "time": later - 500}])
    assert unseen in at.apart.live.seen(uid) and unseen not in at.data.live.seen(uid)
    assert at.apart.live.history(uid).items["item_id"].to_list()[-1] == unseen
    for live, before in zip((at.data.live, at.apart.live), asked, strict=True):
        assert before is not None and live.request(another, items, later).facts.equals(before)  # type: ignore[union-attr]


def test_lists_of_a_file_are_of_the_arm_that_the_server_puts_everybody_in(
    service: Service, rival: SiteWorld, tmp_path: Path
) -> None:  # fmt: skip
    promote(rival.site, "shop-v000001", "holdout")
    piloted(rival, 0.7, of="own")
    service.look()
    users, out = tmp_path / "users.txt", tmp_path / "lists.csv"
    users.write_text("\n".join(PEOPLE))
    now = service.live.now + 1000
    done = recommend_all(rival.site, users, out, 2, now)
    assert done.versions == "shop-v000002, shop-v000003 (treatment), shop-v000001 (holdout)"
    rows = pl.read_csv(out)
    found = {row["user_id"]: (row["arm"], row["version"]) for row in rows.iter_rows(named=True)}
    assert {arm for arm, _ in found.values()} == {"champion", "control", "treatment", "holdout"}
    for who in PEOPLE:
        listed = service.recommend(who, 2, now)
        assert found[who] == (listed.arm, listed.version)
        assert rows.filter(user_id=who).sort("rank")["item_id"].to_list() == [one.item for one in listed.items]


def test_a_file_that_was_begun_keeps_the_arms_it_was_begun_with(
    rival: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    piloted(rival, 0.3)
    users, out = tmp_path / "users.txt", tmp_path / "lists.csv"
    users.write_text("\n".join(PEOPLE[:22]))
    recommend_all(rival.site, users, out, 1, 1)
    whole = out.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(batch, "_join", killed)
        with pytest.raises(KeyboardInterrupt):
            recommend_all(rival.site, users, out, 1, 1, at_once=11)
    (parts_of(out) / "0000001.csv").unlink()
    with transaction(rival.site.engine) as connection:
        pilots.ramp(connection, "one", 1.0, at=2)
    assert recommend_all(rival.site, users, out, 1, 10**6, at_once=11).resumed == 11
    assert out.read_bytes() == whole


def test_the_api_says_arm_and_version_and_a_score_is_that_of_the_arm(service: Service, rival: SiteWorld) -> None:
    piloted(rival)
    service.look()
    with transaction(rival.site.engine) as connection:
        key = keys.make(connection, "test", ("recommend", "operate"))
    with TestClient(make_app(service), headers={"Authorization": f"Bearer {key}"}) as client:
        told = {who: client.get(f"/recommend/{who}").json() for who in PEOPLE[:12]}
        assert {(one["arm"], one["version"]) for one in told.values()} == set(served(service).values())
        for who, one in told.items():
            scored = client.post("/score", json={"user_id": who, "items": [one["items"][0]["item_id"]]}).json()
            assert scored["version"] == one["version"]
        assert client.get("/versions").json()["arms"] == {"treatment": "shop-v000003"}
