from regraft.release.close import SECONDS_ALL, with_whole
from regraft.release.update import update
from regraft.state import versions
from regraft.state.database import transaction
from site_world import FIRST, SiteWorld


def test_making_a_version_takes_all_but_what_the_other_contenders_took() -> None:
    took = {"stack": {"seconds": 3.0, "notes": []}, "rates": {"seconds": 1.0, "notes": []}}
    whole = with_whole(took, {"stack": 3.0, "rates": 1.0}, 10.0)
    assert {label: one[SECONDS_ALL] for label, one in whole.items()} == {"stack": 9.0, "rates": 7.0}
    assert whole["stack"]["notes"] == [] and SECONDS_ALL not in took["stack"]


def test_a_close_that_went_on_after_a_kill_counts_what_was_done_before() -> None:
    whole = with_whole({"stack": {"seconds": 40.0}}, {"stack": 40.0}, 2.0)
    assert whole["stack"][SECONDS_ALL] == 40.0


def test_a_version_says_what_making_it_took_with_judging_and_reading(world: SiteWorld) -> None:
    world.ingest(world.of(world.days[FIRST]))
    update(world.site)
    with transaction(world.site.engine) as connection:
        made = versions.listed(connection)
        assert len(made) == 2
        for one in made:
            assert one.lineage[SECONDS_ALL] > one.lineage["seconds"] > 0
