"""The same cells on a Ray cluster of two workers: the same scores as on one machine, whatever happens to a worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from arena.small_runs import SMALL_BASE, config, described, run
from crash.killed_runs import killed_at
from regraft.arena import ray_executor
from regraft.arena.collect import versions
from regraft.arena.compare import Arena
from regraft.arena.ray_executor import by_user, run_on_ray, score_on_ray
from regraft.cli.main import app
from regraft.errors import ConfigError, ModelError, ResultsError

ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
STRATEGIES = ["never", "fine-tune", "full-retrain", {"use": "fine-tune", "name": "stacked", "calibration": "stack"}]
MORE: dict[str, Any] = {**SMALL_BASE, "seeds": [0, 1], "last_update": 3}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two CPUs; workers find this folder's modules as they would find an installed regraft."""
    before = os.environ.get("PYTHONPATH")
    own = (str(p) for p in (Path(__file__).parents[1], Path(__file__).parents[2] / "src"))
    os.environ["PYTHONPATH"] = os.pathsep.join([*own, *filter(None, [before])])
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    yield
    ray.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return run(tmp_path_factory.mktemp("local") / "run", config([*STRATEGIES, "rates"], **MORE))


def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "scores.parquet").sort("contender", "seed", "update", "period", "case")


def test_scores_of_every_cell_are_those_of_one_machine(local: Arena, tmp_path: Path) -> None:
    told: list[str] = []
    arena = Arena(local.config, tmp_path / "run")
    done = list(run_on_ray(arena, workers=2, tell=told.append))
    assert sorted(str(cell) for cell, _ in done) == sorted(map(str, local.cells()))
    assert all(renewal is not None for _, renewal in done)
    ours, theirs = table(tmp_path / "run"), table(local.folder)
    assert ours.drop("score").equals(theirs.drop("score"))
    np.testing.assert_allclose(ours["score"], theirs["score"], atol=1e-4)
    assert told == ["Ray, 2 workers with 1 thread each"]
    assert described(arena)["machine"]["executor"] == told[0]
    folders = (arena.folder, local.folder)
    costs = [pl.read_parquet(f / "costs.parquet").sort("contender", "seed", "update") for f in folders]
    for column in ("tokens_forward", "tokens_backward", "targets_trained", "adapter_bytes"):
        assert costs[0][column].to_list() == costs[1][column].to_list()
    again = list(run_on_ray(Arena(local.config, tmp_path / "run"), workers=2))
    assert all(renewal is None for _, renewal in again)


def test_a_run_begun_on_one_machine_goes_on_in_a_cluster(local: Arena, tmp_path: Path) -> None:
    arena = Arena(local.config, tmp_path / "run")
    for _ in zip(range(5), arena.run(), strict=False):
        pass
    done = list(run_on_ray(Arena(local.config, tmp_path / "run"), workers=2))
    assert sum(renewal is None for _, renewal in done) >= 5
    np.testing.assert_allclose(table(tmp_path / "run")["score"], table(local.folder)["score"], atol=1e-4)


def test_no_cell_is_begun_after_the_budget(local: Arena, tmp_path: Path) -> None:
    arena = Arena(local.config, tmp_path / "run")
    assert list(run_on_ray(arena, budget=0.0, workers=2)) == []
    assert described(arena)["finished"] is False


# -- regraft tune --------------------------------------------------------------------------------------

TUNED: dict[str, Any] = {**SMALL_BASE, "first_update": 1, "tune": {"share": [1], "every": [1, 2], "days": [4]}}


@pytest.fixture(scope="module")
def tuned_locally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    given = config(["rates", "replay"], **TUNED).model_dump_json(exclude={"data": {"path"}})
    (folder / "tune.yaml").write_text(yaml.safe_dump(json.loads(given)))
    tune(folder / "tune.yaml", folder / "run")
    return folder


def tune(file: Path, out: Path, *more: str) -> Any:
    done = CliRunner().invoke(app, ["tune", "-c", str(file), "--out", str(out), *more])
    assert done.exit_code == 0, done.output
    return done


def untimed(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "tune.csv").drop("seconds_per_period", "money_per_period")


def test_a_tuning_has_the_table_of_one_machine(tuned_locally: Path) -> None:
    local, dealt = (tuned_locally / name for name in ("run", "dealt"))  # an adapter names its base, which lies beside
    done = tune(tuned_locally / "tune.yaml", dealt, "--executor", "ray", "--workers", "2")
    assert "Ray, 2 workers with 1 thread each" in done.stderr
    here, there = untimed(local), untimed(dealt)
    counted = [name for name, kind in here.schema.items() if not kind.is_float()]
    assert set(here["contender"]) == {"rates", "replay"}
    assert len(here) == 8
    assert there.select(counted).equals(here.select(counted))
    for name in set(here.columns) - set(counted):
        np.testing.assert_allclose(there[name].to_numpy(), here[name].to_numpy(), atol=1e-4)
    alone, said = (json.loads((folder / "tune.json").read_text()) for folder in (local, dealt))
    assert said["machine"]["executor"] == "Ray, 2 workers with 1 thread each"
    assert said["base"] == alone["base"]


def test_a_tuning_whose_budget_is_spent_goes_on_in_the_cluster(tuned_locally: Path, tmp_path: Path) -> None:
    file, out, on = tuned_locally / "tune.yaml", tmp_path / "run", ("--executor", "ray", "--workers", "2")
    done = tune(file, out, *on, "--budget", "0s")
    again = f"regraft tune -c {file} --out {out} --executor ray --workers 2 --threads 1"
    assert done.stderr.splitlines()[-1] == f"The budget of 0s is spent. Go on with: {again}"
    tune(file, out, *on)
    assert untimed(out)["contender"].equals(untimed(tuned_locally / "run")["contender"])


# -- what may happen to a worker -----------------------------------------------------------------------


class Dying(ray_executor.Worker):
    """Killed by the system in the middle of its first cell: its scores are written, its costs are not."""

    def one(self, cell: Any) -> Any:
        mark = self.paths[0] / "died"
        if not mark.exists():
            mark.touch()
            killed_at("open cost.json 1")
        return super().one(cell)


class Deadly(ray_executor.Worker):
    """Killed by whatever cell it is given."""

    def one(self, cell: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_cell_of_a_worker_that_dies_is_taken_up_by_another(
    local: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "Worker", Dying)
    told: list[str] = []
    few = config(["never", "rates"], **MORE)
    list(run_on_ray(Arena(few, tmp_path / "run"), workers=1, tell=told.append))
    assert told[1:] == ["rates, seed 0, update 2: its worker died, another one takes it up"]
    assert list(tmp_path.rglob("*.part")) == []
    expected = table(local.folder).filter(pl.col("contender").is_in(["never", "rates"]))
    np.testing.assert_allclose(table(tmp_path / "run")["score"], expected["score"], atol=1e-4)


def test_a_cell_that_kills_every_worker_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_executor, "Worker", Deadly)
    with pytest.raises(ResultsError) as error:
        list(run_on_ray(Arena(config(["rates"]), tmp_path / "run"), workers=1))
    assert error.value.where == "rates, seed 0, update 2"
    assert error.value.found.startswith("2 workers died of it: ")
    assert str(error.value).endswith(
        "Where memory was short, fewer workers leave more to each: --workers N. Finished cells are kept: the same "
        "command goes on from there"
    )


def test_an_error_in_a_worker_arrives_as_it_was(tmp_path: Path) -> None:
    broken = config(["fine-tune"], **{**MORE, "adapter": {"adapt": 9}})
    with pytest.raises((ConfigError, ModelError), match="1 to 1"):
        list(run_on_ray(Arena(broken, tmp_path / "run"), workers=1))


def test_cases_are_scored_in_parts_as_in_one(local: Arena) -> None:
    cell = next(c for c in local.cells() if c.contender.label == "full-retrain" and c.update == 3)
    cases = local.stream.cases(4)
    whole = local.after(cell).score(cases)
    np.testing.assert_allclose(score_on_ray(local, cell, cases, workers=2), whole, atol=1e-4)
    nothing = cases.only(np.zeros(0, dtype=np.int64))
    assert score_on_ray(local, cell, nothing).shape == (0,)


def test_cases_are_dealt_by_user_and_none_is_lost() -> None:
    users = np.array([3, 1, 3, 2, 2, 2, 9, 1])
    parts = by_user(users, 3)
    assert sorted(np.concatenate(parts).tolist()) == list(range(8))
    owners = [set(users[part].tolist()) for part in parts]
    assert sum(map(len, owners)) == len(set(users.tolist()))
    assert [p.tolist() for p in by_user(users, 1)] == [list(range(8))]


def test_a_worker_of_another_version_says_so() -> None:
    arena_config = config(["rates"])
    worker = ray_executor.Worker(arena_config, [], None, {"python": "2.7"})  # type: ignore[arg-type]
    with pytest.raises(ResultsError, match=r"not 2\.7"):
        _ = worker.arena


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    worker = ray_executor.Worker(config(["rates"]), [elsewhere], None, versions())  # type: ignore[arg-type]
    with pytest.raises(ResultsError, match=f"does not see '{elsewhere}'\nExpected a folder that all machines of the "):
        _ = worker.arena


def test_a_cluster_that_does_not_answer_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "arena.yaml").write_text(config(["rates"]).model_dump_json())  # JSON is YAML
    command = [sys.executable, "-m", "regraft", "arena", "run", "-c", "arena.yaml", "--executor", "ray"]
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-3:] == [
        "Ray, RAY_ADDRESS 127.0.0.1:1: Connection refused",
        "Expected a cluster that can be reached, or RAY_ADDRESS not set for one on this machine",
        "What a cluster needs, its token included: docs/guides/ray.md",
    ]


def test_more_than_the_cluster_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no machine of the cluster has 64 CPUs"):
        list(run_on_ray(Arena(config(["rates"]), tmp_path / "run"), threads=64))
