"""The API of a small site, asked over HTTP in this process; the server itself is tested by its command."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from regraft.data import spool
from regraft.data.labels import LabelRule
from regraft.privacy.forget import forget
from regraft.release.rollback import rollback
from regraft.release.update import update
from regraft.serving.app import make_app
from regraft.serving.service import Service
from regraft.state import jobs, keys, ledger
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld

ROUTES = (
    ("GET", "/recommend/u001"),
    ("POST", "/score"),
    ("POST", "/events"),
    ("DELETE", "/users/u001"),
    ("GET", "/versions"),
    ("GET", "/metrics"),
)


@dataclass
class Api:
    """A client with a key of every scope that serving needs."""

    world: SiteWorld
    service: Service
    client: TestClient
    head: dict[str, str]

    def get(self, path: str):
        return self.client.get(path, headers=self.head)

    def post(self, path: str, body: object):
        return self.client.post(path, headers=self.head, json=body)

    def scores(self, user: str, *items: str) -> dict[str, float]:
        return self.post("/score", {"user_id": user, "items": list(items)}).json()["scores"]


@pytest.fixture(scope="module")
def renewed(made: SiteWorld, tmp_path_factory: pytest.TempPathFactory) -> SiteWorld:
    """The site after a day of its own, which made version 2 the champion; nothing is changed in it."""
    with pytest.MonkeyPatch.context() as patch:
        world = made.copied(tmp_path_factory.mktemp("renewed") / "w", patch)
        world.ingest(world.of(world.days[FIRST]))
        update(world.site)
    return world


@pytest.fixture
def api(renewed: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A copy of it for every test, and a server over it."""
    world = renewed.copied(tmp_path / "w", monkeypatch)
    site = world.site
    with transaction(site.engine) as connection:
        key = keys.make(connection, "test", ("recommend", "events", "operate"))
    service = Service(site)
    with TestClient(make_app(service)) as client:
        yield Api(world, service, client, {"Authorization": f"Bearer {key}"})
    service.stop()


def test_a_list_names_its_version_its_items_and_why(api: Api) -> None:
    answer = api.get("/recommend/u001?n=5").json()
    assert answer["version"] == "shop-v000002"
    assert len({item["item_id"] for item in answer["items"]}) == 5
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert all("liked by" in item["why"] or "new here" in item["why"] for item in answer["items"])


def test_nothing_that_a_person_knows_is_recommended_and_a_stranger_gets_a_list(api: Api) -> None:
    mine = set(api.world.of(*api.world.days[: FIRST + 1]).filter(user_id="u001")["item_id"])
    shown = {item["item_id"] for item in api.get("/recommend/u001?n=50").json()["items"]}
    assert not shown & mine
    assert len(api.get("/recommend/nobody-yet?n=5").json()["items"]) == 5


def test_every_list_is_spooled_before_it_is_answered_and_holds_no_id_of_a_person(api: Api) -> None:
    answer = api.get("/recommend/u001?n=3").json()
    (row,) = [row for segment in spool.segments(api.world.site.spool / "lists") for row in spool.read(segment)]
    assert row["request_id"] == answer["request_id"]
    assert row["items"] == [item["item_id"] for item in answer["items"]]
    assert "u001" not in str(row)


def test_an_event_counts_in_the_next_score(api: Api) -> None:
    before = api.scores("u001", "i01", "i02")
    taken = api.post("/events", {"events": [{"user_id": "u001", "item_id": "i01", "event": "click"}]})
    assert (taken.status_code, taken.json()) == (202, {"accepted": 1})
    assert api.scores("u001", "i01", "i02") != before


def test_events_that_were_accepted_are_known_to_a_server_that_starts_again(api: Api) -> None:
    api.post("/events", {"events": [{"user_id": "u001", "item_id": "i01", "event": "click"}]})
    history = api.service.live.history(api.service._who("u001", api.service._at.data)[1])
    again = Service(api.world.site)
    assert len(again.live.history(again._who("u001", again._at.data)[1])) == len(history)
    again.stop()


def test_a_flood_by_one_person_moves_facts_up_to_a_cap(api: Api) -> None:
    items = [f"i{n:02d}" for n in range(1, 61)]
    rows = [{"user_id": "u002", "item_id": item, "event": "click"} for item in items for _ in range(2)]
    rows_before = api.service.live.facts.rows
    assert api.post("/events", {"events": rows}).json()["accepted"] == 120
    assert api.service.live.facts.rows - rows_before == 50


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_but_health_wants_a_key(api: Api, method: str, path: str) -> None:
    for head in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic abc"}):
        answer = api.client.request(method, path, headers=head, json={})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert {r.path for r in api.client.app.routes if hasattr(r, "methods")} >= {p for _, p in ROUTES if "u001" not in p}


def test_a_key_without_the_scope_is_refused_and_one_that_asks_too_often_is_told(api: Api) -> None:
    with transaction(api.world.site.engine) as connection:
        narrow = keys.make(connection, "narrow", ("recommend",), per_minute=2)
    head = {"Authorization": f"Bearer {narrow}"}
    assert api.client.post("/events", headers=head, json={"events": []}).status_code == 403
    codes = [api.client.get("/recommend/u001", headers=head).status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_who_asks_to_be_erased_is_refused_at_once_and_a_job_waits(api: Api) -> None:
    site = api.world.site
    assert api.client.delete("/users/u001", headers=api.head).status_code == 403  # a scope of its own
    with transaction(site.engine) as connection:
        head = {"Authorization": f"Bearer {keys.make(connection, 'privacy', ('privacy',))}"}
    assert api.client.delete("/users/nobody-yet", headers=head).status_code == 404
    first, again = (api.client.delete("/users/u001", headers=head) for _ in range(2))
    salt = first.json()["salt"]
    assert (first.status_code, first.json()) == (202, {"erasure": 1, "job": 1, "state": "blocked", "salt": salt})
    assert len(salt) == 32
    assert again.json() == first.json()
    assert api.get("/recommend/u001").status_code == 410
    with transaction(site.engine) as connection:
        (job,) = jobs.listed(connection)
        entry = ledger.entries(connection)[-1]
    assert (job.kind, job.state, job.asked_by) == ("erase", "waiting", "privacy")
    assert entry.kind == "asked" and "u001" not in str(entry.details)
    api.service.stop()
    assert len(forget(site, [])) == 1
    with transaction(site.engine) as connection:
        assert [one.state for one in jobs.listed(connection)] == ["done"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/score", {"user_id": "u001", "items": []}, 422),
        ("/score", {"user_id": "u001", "items": ["nothing-like-it"]}, 422),
        ("/score", {"user_id": "", "items": ["i01"]}, 422),
        ("/events", {"events": [{"user_id": "u001"}]}, 422),
        ("/events", {"events": [{"user_id": "u", "item_id": "i01", "event": "click", "time": -1}]}, 422),
        ("/events", {"more": 1}, 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem_in_words(api: Api, path: str, body: object, code: int) -> None:
    answer = api.post(path, body)
    assert answer.status_code == code
    assert answer.json()["status"] == code
    assert answer.json()["detail"]


def test_an_event_of_the_future_is_refused_with_its_row_and_none_of_its_batch_is_taken(api: Api) -> None:
    now = api.service.clock()
    rows = [
        {"user_id": "u001", "item_id": "i01", "event": "click", "time": at} for at in (0, now + 60_000, now + 10**9)
    ]
    answer = api.post("/events", {"events": rows})
    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"where": "events.2.time", "what": "lies 1,000,000 s in the future"}],
    )  # fmt: skip
    assert not spool.segments(api.world.site.spool / "events")
    assert api.post("/events", {"events": rows[:2]}).json() == {"accepted": 2}
    (segment,) = spool.segments(api.world.site.spool / "events")
    assert [row["time"] for row in spool.read(segment)] == [0, now + 60_000]


def test_an_event_without_a_value_is_taken_under_any_rule(api: Api) -> None:
    data = replace(api.service._at.data, rule=LabelRule("value > 3"))
    api.service._at = replace(api.service._at, data=data)
    taken = api.post("/events", {"events": [{"user_id": "u001", "item_id": "i01", "event": "view"}]})
    assert (taken.status_code, taken.json()) == (202, {"accepted": 1})


def test_a_request_on_which_the_server_fails_is_a_problem_and_its_log_names_the_place_but_nobody(api: Api) -> None:
    class Broken:
        def score_request(self, request: object) -> object:
            raise KeyError("u001 bought i01")

    api.service._at = replace(api.service._at, loaded=replace(api.service.loaded, contender=Broken()))
    told: list[tuple[str, dict[str, object]]] = []
    with TestClient(make_app(api.service, tell=lambda step, **facts: told.append((step, facts)))) as client:
        answer = client.get("/recommend/u001", headers=api.head)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    (failed, facts), (step, request) = told
    assert (failed, facts["error"]) == ("failed", "KeyError") and str(facts["place"]).startswith("test_app.py:")
    assert (step, request["route"], request["status"], request["key"]) == ("request", "recommend", 500, "test")
    assert "u001" not in str(told)


def test_sizes_are_bounded(api: Api) -> None:
    assert api.get("/recommend/u001?n=1000000000").status_code == 422
    assert api.get("/recommend/" + "x" * 300).status_code == 422
    large = api.client.post("/events", headers=api.head, content=b"x" * (10 << 20))
    assert large.status_code == 413
    assert api.client.post("/events", headers=api.head, content=b"{not json").status_code == 422


def test_a_rollback_is_followed_within_a_second_and_a_damaged_version_is_refused(api: Api) -> None:
    api.service.start()
    rollback(api.world.site)
    deadline = time.monotonic() + 5
    while api.service.loaded.name != "shop-v000001" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert api.get("/versions").json()["serving"] == "shop-v000001"
    path = next((api.world.site.versions / "shop-v000002" / "contender").rglob("*.npz"))
    path.write_bytes(path.read_bytes()[:-1])
    site = api.world.site
    from regraft.state import versions

    with transaction(site.engine) as connection:  # as a hand in the database would do; `rollback` itself refuses
        versions.move(connection, "champion", "shop-v000002", "shop-v000001", "promoted", {}, at=1)
    api.service.look()
    assert (api.service.loaded.name, api.service.failures) == ("shop-v000001", 1)
    assert "regraft_version_load_failures 1.0" in api.get("/metrics").text


def test_nobodys_id_is_in_the_metrics(api: Api) -> None:
    api.get("/recommend/u001")
    assert "u001" not in api.get("/metrics").text
    api.get("/recommend/u001?n=0")
    said = api.get("/metrics").text
    assert 'regraft_requests_total{route="recommend",status="200"} 1.0' in said
    assert 'regraft_requests_total{route="recommend",status="422"} 1.0' in said
    assert 'regraft_request_seconds_count{route="recommend"} 2.0' in said
    assert "process_resident_memory_bytes" in said


def test_the_schema_is_openapi_3_1(api: Api) -> None:
    schema = api.client.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    assert set(schema["paths"]) == {
        "/recommend/{user}", "/score", "/events", "/users/{user}", "/versions", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    asked = {(method.upper(), path) for path, route in schema["paths"].items() for method in route}
    keyed = {(method, path.replace("u001", "{user}")) for method, path in ROUTES}
    assert asked - keyed == {("GET", "/healthz"), ("GET", "/readyz")}  # all others are tried without a key
