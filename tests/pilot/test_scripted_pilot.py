"""A pilot of the whole stack from plan to decision: a site, a server of two arms, nightly updates, people who react."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from sqlalchemy import update

from pilot.scenarios import DAYS, GUARDRAILS, LIFT, OPENS, PRIMARY, SCENARIOS, WINDOW, Scenario
from pilot.shop import Shop
from regraft import plugins
from regraft.data.pseudonyms import VARIABLE
from regraft.pilot.conduct import decide, plan, start
from regraft.pilot.evidence import evidence_of
from regraft.state import ledger, versions
from regraft.state.database import transaction
from regraft.state.tables import pilots

PILOT = {
    "primary": PRIMARY, "minimum_lift": LIFT, "guardrails": GUARDRAILS, "others": ["clicks", "returned"],
    "segments": [], "window_days": WINDOW, "most_weeks": 2,
}  # fmt: skip


@pytest.fixture
def own_policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The baseline catalogue-order, as a third party would offer it; and a key that is the same every time."""
    point = EntryPoint("catalogue-order", "pilot.catalogue_order", "regraft.baselines")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == point.group else [])
    key = tmp_path / "keys" / "vault.key"
    key.parent.mkdir()
    key.write_text("7" * 64 + "\n")
    key.chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(key))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("of", SCENARIOS, ids=lambda of: of.name)
def test_a_pilot_of_the_whole_stack_is_decided_rightly(own_policy: None, tmp_path: Path, of: Scenario) -> None:
    control = "{use: catalogue-order, name: none}"
    shop = Shop.opened(tmp_path, of.world, OPENS, control, of.challenger, pilot=PILOT)
    planned, design = plan(shop.site, "first")
    assert planned.plan["designed"] == design.sentence() and design.n >= 200
    with transaction(shop.site.engine) as connection:  # the same people in each arm every time
        connection.execute(update(pilots).values(salt="5a" * 16))
    start(shop.site, "first", 1.0)
    for _ in range(DAYS):
        shop.live()
    found = evidence_of(shop.site)
    assert min(found.entered.values()) > 200 and not found.in_both and not found.sample_ratio.mismatch
    assert all(len(served) > DAYS / 2 for served in found.versions.values())  # renewed night after night
    print(found.verdict.sentences())
    done = decide(shop.site)
    assert done.decision == of.decision
    with transaction(shop.site.engine) as connection:
        champion = versions.alias(connection, "champion")
        last = ledger.entries(connection)[-1]
    assert champion is not None and (champion.version == done.was) == (of.decision != "roll-out")
    assert (last.kind, last.details["decision"]) == ("pilot decided", of.decision)
