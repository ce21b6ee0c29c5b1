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


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone ends children with their parent")
def test_no_server_outlives_a_script_that_is_killed() -> None:
    child = "child = subprocess.Popen(['sleep', '60'], preexec_fn=leash)"
    code = f"import subprocess; from leash import leash; {child}; print(child.pid, flush=True); child.wait()"
    script = subprocess.Popen([sys.executable, "-c", code], cwd=SCRIPT.parent, stdout=subprocess.PIPE)
    assert script.stdout is not None and int(script.stdout.readline())
    script.kill()
    script.communicate(timeout=20)  # the pipe is at its end when the child, which holds it too, is gone


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
