import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from regraft.dashboard.app import make_app
from regraft.data import store
from regraft.errors import DataError, ModelError, StateError
from regraft.release.held import skip
from regraft.release.ingest import ingest
from regraft.release.rollback import rollback
from regraft.release.update import catch_up, look, update
from regraft.release.why import why
from regraft.setup.manifest import verify
from regraft.setup.site import Site
from regraft.setup.site_options import FILE
from regraft.state import files, lease, ledger, versions
from regraft.state.database import transaction
from regraft.state.tables import periods
from regraft.workbench import CONTENDER, Workbench
from site_world import FIRST, SiteWorld


def rows_of(site: Site) -> pl.DataFrame:
    with transaction(site.engine) as connection:
        return store.read(site.data, [f for f in files.listed(connection) if f.day != store.ITEMS])


def champion(site: Site) -> str:
    with transaction(site.engine) as connection:
        return versions.alias(connection, "champion").version


def flipped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(event=pl.when(pl.col("event") == "click").then(pl.lit("skip")).otherwise(pl.lit("click")))


def test_a_new_site_has_closed_the_older_past_and_seven_days(world: SiteWorld) -> None:
    with transaction(world.site.engine) as connection:
        closed = connection.execute(select(periods).order_by(periods.c.number)).all()
    assert len(closed) == 8
    assert [b.ends for b in closed[:-1]] == [b.begins for b in closed[1:]]
    assert champion(world.site) == "shop-v000001"


def test_rows_in_are_accepted_set_aside_or_already_there(world: SiteWorld) -> None:
    day = world.of(world.days[FIRST])
    first, again = world.ingest(day), world.ingest(day)
    assert (first.rows_in, first.accepted, first.already_there) == (len(day), len(day), 0)
    assert (again.rows_in, again.accepted, again.already_there) == (len(day), 0, len(day))


def test_an_event_is_known_again_by_its_id_whatever_else_it_says_and_on_whatever_day(world: SiteWorld) -> None:
    day, next_day = (world.of(world.days[k]) for k in (FIRST, FIRST + 1))
    named = day.with_columns(event_id=pl.format("e{}", pl.int_range(pl.len())))
    assert world.ingest(named).accepted == len(day)
    later = next_day.head(2).with_columns(event_id=pl.Series(["e0", "e1"]))
    assert world.ingest(later).already_there == 2
    same = named.with_columns(event_id=pl.format("f{}", pl.int_range(pl.len())))
    assert world.ingest(same).accepted == len(day)  # equal rows, but other events
    nameless = named.with_columns(event_id=pl.lit(None, pl.String))
    assert world.ingest(nameless).accepted == len(day)
    assert world.ingest(day).already_there == len(day)  # by what they say, as where there is no such column


def test_rows_of_several_days_are_numbered_in_the_order_in_which_they_become_known(world: SiteWorld) -> None:
    late = world.of(world.days[FIRST - 2]).with_columns(event=pl.lit("late"))
    rows = pl.concat([world.of(world.days[FIRST + 1]), late, world.of(world.days[FIRST])])
    before = rows_of(world.site)["row_id"].max()
    assert world.ingest(rows).accepted == len(rows)
    new = rows_of(world.site).filter(pl.col("row_id") > before)
    assert new["row_id"].to_list() == list(range(before + 1, before + 1 + len(rows)))
    assert new["known_at"].is_sorted() and set(new["event"][: len(late)]) == {"late"}
    assert new.filter(event="late")["time"].is_sorted()


def test_data_hold_uids_and_no_id_of_a_person(world: SiteWorld) -> None:
    rows = rows_of(world.site)
    assert set(rows["uid"].str.len_chars()) == {32}
    assert not set(rows["uid"]) & set(world.rows["user_id"])
    assert rows["uid"].n_unique() == world.of(*world.days[:FIRST])["user_id"].n_unique()


def test_a_day_is_closed_once_and_its_version_serves(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    done = update(world.site, world.days[FIRST])
    assert (done.state, done.code, champion(world.site)) == ("promoted", 0, "shop-v000002")
    assert 0.4 < done.judged["stack"]["auc"] < 1
    again = update(world.site, world.days[FIRST])
    assert (again.run, again.state, again.versions) == (done.run, done.state, done.versions)


def test_an_update_scores_as_the_arena_does_on_the_same_stream_cut_and_seed(world: SiteWorld) -> None:
    from regraft.arena.compare import Arena
    from regraft.setup.config import ArenaConfig
    from regraft.setup.site import DAY, days_cuts

    world.ingest(world.of(*world.days[FIRST : FIRST + 2]))
    done = update(world.site)
    site = world.site
    with transaction(site.engine) as connection:
        cuts = site.cuts(connection)
    number, starts = len(cuts.starts), [start for start, _ in cuts.starts]
    stream = site.stream(days_cuts([*starts, cuts.end], cuts.end + DAY))  # with the day that the update is tested on
    config = ArenaConfig.parse(
        {
            "data": {"path": str(site.data), "label": site.options.data.label}, "contenders": ["stack"],
            "timeline": site.options.timeline.model_dump(), "first_update": number,
            "eval_share": site.options.eval_share,
        }
    )  # fmt: skip
    arena = Arena(config, world.folder / "run", stream)
    (cell,) = [cell for cell, _ in arena.run()]
    scored = cell.scores(arena.folder).filter(pl.col("period") == number + 1)["score"].to_numpy()
    version = Workbench(site, stream).of_version(site.options.champion, site.versions / done.versions[0] / CONTENDER)
    np.testing.assert_array_equal(version.score(stream.cases(number + 1)), scored)


def test_another_day_than_the_next_is_refused_and_catch_up_closes_all(world: SiteWorld) -> None:
    world.ingest(world.of(*world.days[FIRST : FIRST + 2]))
    with pytest.raises(DataError, match="is not the next day"):
        update(world.site, world.days[FIRST + 1])
    assert [o.date for o in catch_up(world.site, world.days[FIRST + 1])] == world.days[FIRST : FIRST + 2]


def test_a_day_with_flipped_labels_is_held_and_changes_nothing_until_a_person_decides(world: SiteWorld) -> None:
    world.ingest(flipped(world.of(world.days[FIRST])))
    assert look(world.site).state == "held"
    held = update(world.site)
    assert (held.state, held.code, champion(world.site)) == ("held", 30, "shop-v000001")
    assert "hold" in {f.outcome for f in held.findings if f.check == "label-share"}
    with pytest.raises(StateError, match="waits for a person"):
        update(world.site)
    assert skip(world.site, held.run).state == "skipped"
    world.ingest(world.of(world.days[FIRST + 1]))
    assert update(world.site).state == "promoted"
    with transaction(world.site.engine) as connection:
        days = {f.day for f in files.listed(connection)}
    assert world.days[FIRST] not in days
    assert world.days[FIRST + 1] in days


def test_a_held_day_that_a_person_accepts_is_learnt_from(world: SiteWorld) -> None:
    world.ingest(flipped(world.of(world.days[FIRST])))
    held = update(world.site)
    done = update(world.site, accept=held.run)
    assert done.state in ("promoted", "kept")
    with transaction(world.site.engine) as connection:
        assert [e.kind for e in ledger.entries(connection)] == ["promoted", "held", done.state]


def test_a_rollback_moves_the_alias_back_and_says_when_nothing_would_change(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    with pytest.raises(StateError, match="nothing would change"):
        rollback(world.site, "shop-v000002")
    assert rollback(world.site).version == "shop-v000001"
    with pytest.raises(StateError, match="does not exist"):
        rollback(world.site, "shop-v000009")


def test_a_rollback_of_the_batch_takes_its_rows_out_of_use(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    world.ingest(world.of(world.days[FIRST + 1]))
    rollback(world.site, "shop-v000001", batch=True)
    with transaction(world.site.engine) as connection:
        assert not {f.day for f in files.listed(connection)} & set(world.days[FIRST:])


def test_a_damaged_version_is_no_place_to_go_back_to(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    path = next((world.site.versions / "shop-v000001").rglob("*.npz"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="was changed"):
        rollback(world.site)
    assert champion(world.site) == "shop-v000002"


def test_why_names_batches_cut_parent_and_verdict(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    found = why(world.site, "shop-v000002")
    assert (found["parent"], found["verdict"]) == ("shop-v000001", "promoted")
    assert found["saw_nothing_from"] == world.days[FIRST + 1]
    assert [b["batch"] for b in found["batches"]] == [1, 2]
    assert any("effect" in line for line in found["findings"])
    assert "findings_are_of" not in found


def test_a_challenger_says_whose_findings_those_of_its_day_are(world: SiteWorld) -> None:
    path = world.folder / "shop" / FILE
    path.write_text(path.read_text().replace("challengers: []", "challengers: [{use: rates}]"))
    world.ingest(world.of(world.days[FIRST]))
    done = update(world.site)
    compared, rival = done.versions
    assert done.champion == compared
    assert why(world.site, rival)["findings_are_of"] == compared
    page = TestClient(make_app(world.site), base_url="http://127.0.0.1:8100").get(f"/versions/{rival}").text
    assert f"and of {compared}" in page


@pytest.mark.parametrize(
    "step",
    [
        "renew", "publish", "commit",
        *(pytest.param(step, marks=pytest.mark.slow) for step in ("check", "judge", "gate")),
    ],
)  # fmt: skip
def test_a_killed_update_ends_where_an_unbroken_one_ends(world: SiteWorld, step: str) -> None:
    world.ingest(world.of(world.days[FIRST]))
    code = (
        "from pathlib import Path; from regraft.setup.site import Site; from regraft.release.update import update\n"
        f"update(Site.open(Path({str(world.folder / 'shop')!r})))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "REGRAFT_CRASH_AFTER": step}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9
    done = update(world.site, world.days[FIRST])
    assert (done.state, champion(world.site)) == ("promoted", "shop-v000002")
    site = world.site
    with transaction(site.engine) as connection:
        known = versions.listed(connection)
        assert len(connection.execute(select(periods)).all()) == 9
        assert [e.kind for e in ledger.entries(connection)] == ["promoted", "promoted"]
    assert [v.name for v in known] == ["shop-v000001", "shop-v000002"]
    for version in known:
        verify(site.versions / version.name, version.manifest)
    assert sorted(p.name for p in site.versions.iterdir() if not p.name.startswith(".")) == [v.name for v in known]


def test_a_day_s_log_without_an_item_file_leaves_titles_as_they_are_known(world: SiteWorld, tmp_path: Path) -> None:
    before = world.site.catalogue()
    alone = tmp_path / "alone" / "interactions.csv"
    alone.parent.mkdir()
    world.of(world.days[FIRST]).drop("line").write_csv(alone)
    site = world.site
    with lease.holding(site.engine, site.lease_name) as held:
        assert ingest(site, alone, held).accepted > 0
    assert site.catalogue().equals(before)


def test_an_item_file_with_fewer_columns_keeps_what_is_known_in_the_others(world: SiteWorld, tmp_path: Path) -> None:
    before = world.site.catalogue().sort("item_id")
    titles = world.items.select("item_id", title=pl.col("title") + " II")
    others = world.items.drop("title").with_columns(pl.lit("drama").alias("genres"))
    after = [_with_items(world, tmp_path / f"part{n}", items) for n, items in enumerate((titles, others))]
    assert after[0]["title"].to_list() == [f"{title} II" for title in before["title"]]
    assert after[0].drop("title").equals(before.drop("title"))
    assert after[1]["title"].equals(after[0]["title"])
    assert set(after[1]["genres"]) == {"drama"}


def _with_items(world: SiteWorld, folder: Path, items: pl.DataFrame) -> pl.DataFrame:
    """The catalogue after a day's log with this item file beside it."""
    folder.mkdir()
    world.of(world.days[FIRST]).drop("line").write_csv(folder / "interactions.csv")
    items.write_csv(folder / "items.csv")
    site = world.site
    with lease.holding(site.engine, site.lease_name) as held:
        ingest(site, folder / "interactions.csv", held)
    return site.catalogue().sort("item_id")
