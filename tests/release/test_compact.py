import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from regraft.data import store
from regraft.errors import StateError
from regraft.release.compact import compact
from regraft.release.recovery import working
from regraft.release.rollback import rollback
from regraft.release.update import update
from regraft.setup.site import DAY, Site, days_cuts
from regraft.state import compactions, files
from regraft.state.database import transaction
from regraft.workbench import CONTENDER, Workbench
from site_world import FIRST, SiteWorld

PARTS = 3  # in which a day came


@pytest.fixture(scope="module")
def busy_made(made: SiteWorld, tmp_path_factory: pytest.TempPathFactory) -> SiteWorld:
    """Two closed days that came in parts; a third one is still open."""
    with pytest.MonkeyPatch.context() as patch:
        world = made.copied(tmp_path_factory.mktemp("busy") / "w", patch)
        for day in world.days[FIRST : FIRST + 2]:
            for part in range(PARTS):
                world.ingest(world.of(day)[part::PARTS], f"{day}-{part}")
            update(world.site)
        world.ingest(world.of(world.days[FIRST + 2])[::2])
        world.ingest(world.of(world.days[FIRST + 2]))
    return world


@pytest.fixture
def busy(busy_made: SiteWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SiteWorld:
    """A copy of its own for every test."""
    return busy_made.copied(tmp_path / "w", monkeypatch)


def listed(site: Site) -> list[files.Listed]:
    with transaction(site.engine) as connection:
        return files.listed(connection, states=files.STATES)


def rows(site: Site) -> pl.DataFrame:
    return store.read(site.data, [f for f in listed(site) if f.day != store.ITEMS])


def on_disk(site: Site) -> set[str]:
    return {str(path.relative_to(site.data)) for path in site.data.glob("*/*")}


def scores(world: SiteWorld) -> np.ndarray:
    """Of the champion, on the open day."""
    site = world.site
    with transaction(site.engine) as connection:
        cuts = site.cuts(connection)
    starts = [start for start, _ in cuts.starts]
    stream = site.stream(days_cuts([*starts, cuts.end], cuts.end + DAY))
    version = Workbench(site, stream).of_version(site.options.champion, site.versions / "shop-v000003" / CONTENDER)
    return version.score(stream.cases(len(starts) + 1))


def run(site: Site, keep: int = 0) -> tuple[int, int]:
    with working(site, "compact") as held:
        done = compact(site, held, keep)
    return done.before, done.after


def test_closed_days_become_one_file_each_and_rows_and_scores_stay_what_they_are(busy: SiteWorld) -> None:
    before, scored = rows(busy.site), scores(busy)
    assert run(busy.site) == (2 * PARTS, 2)
    counts = pl.Series([f.day for f in listed(busy.site)]).value_counts()
    of_day = dict(counts.iter_rows())
    assert [of_day[day] for day in busy.days[FIRST : FIRST + 3]] == [1, 1, 2]
    assert rows(busy.site).equals(before)
    np.testing.assert_array_equal(scores(busy), scored)
    assert on_disk(busy.site) == {f.name for f in listed(busy.site)}
    assert run(busy.site) == (0, 0)


def test_the_newest_days_are_left_as_they_are(busy: SiteWorld) -> None:
    assert run(busy.site, keep=1) == (PARTS, 1)
    assert run(busy.site, keep=28) == (0, 0)


def test_the_rows_of_each_batch_are_still_known(busy: SiteWorld) -> None:
    """A version is made again from the batches that its lineage names: a compaction must not blur them."""
    site = busy.site
    ours = [f for f in listed(site) if f.day in busy.days[FIRST : FIRST + 2]]
    by_batch = {f.batch: store.read(site.data, [f])["row_id"].to_list() for f in ours}
    run(site)
    with transaction(site.engine) as connection:
        cuts, sources = site.cuts(connection), compactions.sources(connection)
    merged = {part.source for parts in sources.values() for part in parts}
    assert len(merged) == 2 * PARTS
    for batch in sorted(merged):
        found = site.stream(cuts, of={1, batch})
        assert set(by_batch[batch]) == set(found.row_id[found.known_at >= cuts.starts[-2][0]].tolist())
    update(site)
    with transaction(site.engine) as connection:
        lineage = connection.exec_driver_sql("SELECT lineage FROM versions ORDER BY number DESC LIMIT 1").scalar()
    assert all(f"[{batch}," in lineage for batch in merged)
    assert not any(f"[{batch}," in lineage for batch in sources)


def test_late_rows_of_a_compacted_day_are_merged_too(busy: SiteWorld) -> None:
    run(busy.site)
    late = busy.of(busy.days[FIRST]).with_columns(user_id=pl.lit("late"))[:3]
    busy.ingest(late, "late")
    assert run(busy.site) == (0, 0)  # they became known on the open day
    update(busy.site)
    before = rows(busy.site)
    assert run(busy.site) == (4, 2)  # the day that was compacted, and the one that was open
    assert rows(busy.site).equals(before)


def test_the_same_rows_are_still_there_already(busy: SiteWorld) -> None:
    run(busy.site)
    again = busy.ingest(busy.of(busy.days[FIRST]))
    assert (again.accepted, again.already_there) == (0, again.rows_in)


def test_a_batch_that_was_compacted_cannot_be_taken_out_alone_and_a_newer_one_can(busy: SiteWorld) -> None:
    run(busy.site)
    with pytest.raises(StateError, match="were compacted"):
        rollback(busy.site, "shop-v000001", batch=True)
    update(busy.site)
    rollback(busy.site, "shop-v000003", batch=False)
    assert rollback(busy.site, "shop-v000002").version == "shop-v000002"


@pytest.mark.parametrize("step", ["write", "flip"])
def test_a_killed_compaction_leaves_the_same_rows_and_is_finished_by_the_next(busy: SiteWorld, step: str) -> None:
    before = rows(busy.site)
    code = (
        "from pathlib import Path; from regraft.setup.site import Site; from regraft.release.recovery import working\n"
        "from regraft.release.compact import compact\n"
        f"site = Site.open(Path({str(busy.folder / 'shop')!r}))\n"
        "with working(site, 'compact') as held: compact(site, held, 0)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "REGRAFT_CRASH_AFTER": step}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -9
    assert rows(busy.site).equals(before)
    run(busy.site)
    assert rows(busy.site).equals(before)
    left = on_disk(busy.site) - {f.name for f in listed(busy.site)}
    assert len(left) == (2 * PARTS if step == "flip" else 0)
    for name in left:
        os.utime(busy.site.data / name, (0, 0))
    run(busy.site)
    assert on_disk(busy.site) == {f.name for f in listed(busy.site)}


def test_a_reader_that_a_compaction_overtakes_reads_the_new_files(
    busy: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, read, calls = busy.site, store.read, []

    def compacted_meanwhile(folder: Path, entries: list[files.Listed], *columns: list[str]) -> pl.DataFrame:
        if not calls:
            calls.append(1)
            run(busy.site)
        return read(folder, entries, *columns)

    with transaction(site.engine) as connection:
        cuts = site.cuts(connection)
    before = site.stream(cuts).fingerprint
    monkeypatch.setattr(store, "read", compacted_meanwhile)
    assert site.stream(cuts).fingerprint == before


def test_nothing_is_compacted_while_a_day_waits_for_a_person(busy: SiteWorld) -> None:
    day = busy.days[FIRST + 2]
    with transaction(busy.site.engine) as connection:
        open_day = [f.batch for f in files.listed(connection, [day])]
        files.set_state(connection, open_day[1:], files.ROLLED_BACK)
    skewed = busy.of(busy.days[FIRST + 3]).with_columns(pl.col("timestamp").dt.offset_by("-1d"), event=pl.lit("click"))
    busy.ingest(skewed, "skewed")
    held = update(busy.site)
    assert held.state == "held"
    with pytest.raises(StateError, match=f"run {held.run}: is held"):
        run(busy.site)
