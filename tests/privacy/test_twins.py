"""Erasure of contenders with a language model: what is remade is, byte for byte, what a site without the person has."""

from pathlib import Path

import pytest
import yaml

from arena.small_runs import LABEL, SMALL_BASE
from privacy.test_forget import never_there, uid_of
from regraft.data.drift_world import DriftWorld, simulate
from regraft.data.pseudonyms import VARIABLE, load_key
from regraft.privacy.forget import forget
from regraft.privacy.scan import scan
from regraft.release.ingest import ingest
from regraft.release.init import first_close
from regraft.release.recovery import working
from regraft.release.update import update
from regraft.setup.site import DAY, Site
from regraft.setup.site_options import FILE
from regraft.state import versions
from regraft.state.database import transaction
from regraft.workbench import CONTENDER
from site_world import SiteWorld

CHALLENGERS = ("fine-tune", "replay", "lsat-ensemble", "lsat-merge", "analytic")
USERS = 300
DAYS = 6


def settled(folder: Path, challengers: tuple[str, ...], users: int) -> SiteWorld:
    """A site of the drift world whose first days are closed, with language models beside the stack."""
    simulated = simulate(DriftWorld(users=users, items=60, periods=DAYS, seed=2, visits=0.3, taste_change_at=None))
    world = SiteWorld(folder, simulated.interactions, simulated.items)
    options = {
        "name": "shop", "data": {"label": LABEL}, "challengers": [{"use": one} for one in challengers], **SMALL_BASE,
    }  # fmt: skip
    (folder / "shop").mkdir()
    (folder / "shop" / FILE).write_text(yaml.safe_dump(options))
    load_key(folder / "shop", make=True)
    end = int(simulated.interactions["timestamp"].dt.epoch("ms").max()) // DAY * DAY
    with working(world.site, "init") as held:
        ingest(world.site, world.write("log", world.of(*world.days[:-1])), held)
        first_close(world.site, held, ([end - 3 * DAY, end - DAY], end))
    return world


def newest(site: Site) -> dict[str, dict[str, bytes]]:
    """Files of the newest version of every contender, whichever folder the site lies in.

    PEFT writes the path of the base model beside the weights, and a manifest holds the hash of what it writes.
    """
    with transaction(site.engine) as connection:
        good = {
            v.contender: site.versions / v.name / CONTENDER for v in versions.listed(connection) if v.state == "good"
        }
    here = str(site.folder.resolve()).encode()
    return {
        name: {
            str(p.relative_to(folder)): p.read_bytes().replace(here, b"SITE")
            for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "manifest.json"
        }
        for name, folder in good.items()
    }  # fmt: skip


def twins(folder: Path, challengers: tuple[str, ...], users: int, place: float) -> None:
    """Forgets the person at this place, from few rows (0) to many (1), and compares with a world without them."""
    (folder / "one").mkdir()
    world = settled(folder / "one", challengers, users)
    people = world.of(*world.days[:-1])["user_id"].value_counts().sort("count", "user_id")["user_id"].to_list()
    user = people[round(place * (len(people) - 1))]
    uid = uid_of(world.site, user)
    world.ingest(world.of(world.days[-1]))
    twin = world.copied(folder / "two")  # with the same row ids and uids
    never_there(twin.site, uid)
    for one in (world, twin):
        update(one.site)
    assert scan(world.site, [uid])["cache"] > 0 or challengers != ("analytic",)  # kept states are the person's as well
    forget(world.site, [user])
    remade, expected = newest(world.site), newest(twin.site)
    assert set(expected) == {"stack", *challengers} <= set(remade)
    differ = {f"{name}/{f}" for name, files in expected.items() for f in files if remade[name].get(f) != files[f]}
    assert not differ
    found = scan(world.site, [uid])
    assert {name: n for name, n in found.items() if name != "state" and n} == {}


def test_an_analytic_head_is_remade_as_if_the_person_had_never_been_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "vault.key"))
    twins(tmp_path, ("analytic",), 60, 0.5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "place", [pytest.param(0.05, id="few"), pytest.param(0.5, id="some"), pytest.param(1.0, id="many")]
)
def test_language_models_are_remade_as_if_the_person_had_never_been_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: float
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "vault.key"))
    twins(tmp_path, CHALLENGERS, USERS, place)
