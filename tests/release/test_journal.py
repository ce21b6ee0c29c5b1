import json
from typing import Any

import pytest

from regraft.errors import DataError
from regraft.release.recovery import working
from regraft.release.update import update
from regraft.setup.site import Site
from site_world import FIRST, SiteWorld

RETENTION = ("retain", "let go", "cleaned")


def lines(site: Site) -> list[dict[str, Any]]:
    (path,) = (site.reports / "log").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_update_is_one_line_per_step_with_run_seconds_and_rows_and_nobody_in_it(world: SiteWorld) -> None:
    rows = world.of(world.days[FIRST])
    world.ingest(rows)
    done = update(world.site)
    found = lines(world.site)
    steps = ["recover", "ingest", *RETENTION, "check", "judge", "renew", "gate", "publish", "commit", "done"]
    assert [line["step"] for line in found] == steps
    assert {line["kind"] for line in found} == {"update"}
    assert all(line["seconds"] >= 0 and line["at"].endswith("Z") for line in found)
    assert [line["run"] for line in found[5:]] == [done.run] * 7
    by_step = {line["step"]: line for line in found}
    assert by_step["check"]["rows"] == len(rows)
    assert by_step["check"]["date"] == world.days[FIRST]
    assert by_step["commit"]["champion"] == "shop-v000002"
    text = next((world.site.reports / "log").glob("*.jsonl")).read_text()
    assert not any(f'"{user}"' in text for user in rows["user_id"].unique())


def test_a_failure_is_a_line_with_its_kind_and_no_words_of_the_data(world: SiteWorld) -> None:
    with pytest.raises(DataError), working(world.site, "ingest"):
        raise DataError("log.csv line 7", "user 'alice' has no time")
    assert lines(world.site)[-1]["step"] == "failed"
    assert lines(world.site)[-1]["error"] == "DataError"
    assert "alice" not in json.dumps(lines(world.site))
