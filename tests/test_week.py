"""Three days in service, told by the script behind `make week`; the whole week is slow."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "bench" / "week.py"


def told(out: Path, *more: str) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--small", "--out", out, *more], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(900)
def test_three_days_in_service(tmp_path: Path) -> None:
    story = told(tmp_path / "week", "--days", "3")
    for part in (
        "killed (kill -9)", "the gate holds the day", "stopped and started again", "was not promoted",
        "The morning after: back to shop-v000001", "All that was claimed held",
    ):  # fmt: skip
        assert part in story, story


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_week_in_service(tmp_path: Path) -> None:
    assert "All that was claimed held" in told(tmp_path / "week")
