"""The door: what it prints and how it exits."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

REGRAFT = [sys.executable, "-m", "regraft"]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*REGRAFT, *arguments], capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def test_a_missing_configuration_is_one_message_without_a_traceback_and_exit_2(tmp_path: Path) -> None:
    done = run("arena", "run", "-c", "none.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "configuration 'none.yaml': cannot be read: No such file or directory\nExpected a YAML file\n"
    )


def test_an_unknown_format_names_the_formats_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "log.bin").write_bytes(bytes(range(256)))
    done = run("data", "inspect", "log.bin", cwd=tmp_path)
    assert done.returncode == 2
    assert "log.bin" in done.stderr
    assert "movielens-1m" in done.stderr
    assert "Traceback" not in done.stderr


def test_inspect_counts_a_small_table_and_prints_a_hostile_id_as_it_is(tmp_path: Path) -> None:
    lines = ["user_id,item_id,timestamp,rating"]
    lines += [f"[/x] u{n % 5},i{n % 7},{1_600_000_000 + 1000 * n},{n % 5 + 1}" for n in range(60)]
    lines += ["u1,i1,when,3"]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    done = run("data", "inspect", "log.csv", "--quarantine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "60" in done.stdout
    assert "a timestamp that is not a time" in done.stdout


def test_plugins_are_listed_with_their_summaries() -> None:
    done = run("plugins", "strategies")
    assert done.returncode == 0
    assert "fine-tune" in done.stdout
    assert "lsat-merge" in done.stdout


def test_help_starts_fast() -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert run("--help").returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 1.5


def test_the_demo_configuration_is_valid_and_compares_strategies_with_baselines() -> None:
    import yaml

    from regraft.setup.config import ArenaConfig

    path = Path(__file__).parents[2] / "src" / "regraft" / "cli" / "demo.yaml"
    config = ArenaConfig.parse(yaml.safe_load(path.read_text()))
    kinds = {c.kind for c in config.contenders}
    assert kinds == {"strategy", "baseline"}
