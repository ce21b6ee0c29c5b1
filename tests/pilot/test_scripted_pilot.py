"""A pilot from plan to decision in a world whose truth is known: lists move clicks, satisfaction and who returns."""

from importlib.metadata import EntryPoint
from pathlib import Path

import polars as pl
import pytest

from pilot.shop import Shop
from regraft import plugins
from regraft.data.drift_world_settings import DriftWorld
from regraft.data.pseudonyms import VARIABLE
from regraft.pilot.conduct import decide, plan, start
from regraft.pilot.evidence import evidence_of
from regraft.state import ledger, versions
from regraft.state.database import transaction

OPENS = 16
PILOT = {
    "window_days": 3, "most_weeks": 2, "minimum_lift": 0.1, "guardrails": {"active_days": 0.1},
    "others": ["ctr", "returned"], "segments": ["heavy"],
}  # fmt: skip
NONE = "{use: catalogue-order, name: none}"


@pytest.fixture
def own_policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The baseline catalogue-order, as a third party would offer it; and a key file."""
    point = EntryPoint("catalogue-order", "pilot.catalogue_order", "regraft.baselines")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == point.group else [])
    monkeypatch.setenv(VARIABLE, str(tmp_path / "keys" / "vault.key"))


def piloted(folder: Path, world: DriftWorld, challenger: str, days: int) -> Shop:
    """A shop after so many days of a pilot of everybody."""
    shop = Shop.opened(folder, world, OPENS, NONE, challenger, pilot=PILOT)
    plan(shop.site, "first")
    start(shop.site, "first", 1.0)
    for _ in range(days):
        shop.live()
    return shop


def world(seed: int, **more: float) -> DriftWorld:
    settings = {"users": 1000, "items": 60, "periods": OPENS + 14, "churn": 0.01, "visits": 1.0, "from_start": 1.0}
    return DriftWorld(**{**settings, "seed": seed, "taste_change_at": None, **more})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("challenger", "more", "decision"),
    [
        ("{use: rates}", {}, "roll-out"),
        ("{use: catalogue-order, name: twin}", {}, "extend"),
        ("{use: rates}", {"bait": 0.3, "churn": 0.03}, "stop"),
    ],
    ids=["a real lift", "none", "clicks up, retention down"],
)
def test_a_pilot_is_decided_rightly(
    own_policy: None, tmp_path: Path, challenger: str, more: dict, decision: str
) -> None:  # fmt: skip
    shop = piloted(tmp_path, world(1, **more), challenger, 11)
    found = evidence_of(shop.site)
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=200):
        print(
            found.analysis.frame().select(
                "metric", "segment", "n_control", "n_treatment", "control", "relative", "relative_low", "relative_high"
            )
        )
    print(found.verdict.sentences(), found.entered)
    done = decide(shop.site)
    assert done.decision == decision
    with transaction(shop.site.engine) as connection:
        champion = versions.alias(connection, "champion")
        assert champion is not None
        kinds = [e.kind for e in ledger.entries(connection)]
    assert (champion.version == done.was) == (decision != "roll-out")
    assert ("pilot decided" in kinds) == (decision != "extend")
