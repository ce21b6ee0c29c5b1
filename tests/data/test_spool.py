import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from regraft.data import spool
from regraft.data.spool import Spool
from regraft.errors import OutputError


def lines(folder) -> list[dict]:
    return [row for segment in spool.segments(folder) for row in spool.read(segment)]


def test_what_was_appended_is_read_in_order(tmp_path):
    written = Spool(tmp_path / "events")
    written.append([{"n": 1}, {"n": 2, "title": "\u2028 a\nb"}])
    written.append([{"n": 3}])
    assert [row["n"] for row in lines(tmp_path / "events")] == [1, 2, 3]
    assert lines(tmp_path / "events")[1]["title"] == "\u2028 a\nb"


def test_a_full_segment_is_followed_by_another(tmp_path):
    written = Spool(tmp_path, full=30)
    for n in range(9):
        written.append([{"n": n}])
    assert len(spool.segments(tmp_path)) > 1
    assert [row["n"] for row in lines(tmp_path)] == list(range(9))


def test_segments_of_one_server_after_another_are_read_in_the_order_in_which_they_were_written(tmp_path):
    for n in range(9):
        Spool(tmp_path).append([{"n": n}])
    assert [row["n"] for row in lines(tmp_path)] == list(range(9))


def test_half_a_line_was_never_acknowledged(tmp_path):
    Spool(tmp_path).append([{"n": 1}])
    (segment,) = spool.segments(tmp_path)
    with segment.open("ab") as file:
        file.write(b'{"n": 2')
    assert lines(tmp_path) == [{"n": 1}]


def test_threads_and_processes_write_into_one_folder(tmp_path):
    one, other = Spool(tmp_path, full=400), Spool(tmp_path, full=400)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: (one, other)[n % 2].append([{"n": n}]), range(200)))
    assert sorted(row["n"] for row in lines(tmp_path)) == list(range(200))


@pytest.mark.parametrize("wait", [True, False])
def test_what_was_acknowledged_survives_a_kill(tmp_path, wait):
    code = (
        "import os, sys; from pathlib import Path; from regraft.data.spool import Spool\n"
        f"s = Spool(Path({str(tmp_path)!r})); s.append([{{'n': 1}}], {wait}); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -9
    assert lines(tmp_path) == [{"n": 1}]


def test_lines_that_nobody_waits_for_are_on_the_disk_with_the_next_sync_or_close(tmp_path, monkeypatch):
    written, asked, real = Spool(tmp_path), [], os.fsync
    written.append([{"n": 1}])
    monkeypatch.setattr(os, "fsync", lambda handle: (asked.append(handle), real(handle))[1])
    written.append([{"n": 2}], wait=False)
    assert not asked
    written.sync()
    written.sync()  # nothing is waiting any more
    assert len(asked) == 1
    written.append([{"n": 3}], wait=False)
    written.close()
    assert len(asked) == 2
    assert lines(tmp_path) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_disk_that_refuses_is_an_error_and_the_lines_do_not_count(tmp_path, monkeypatch):
    written = Spool(tmp_path)
    written.append([{"n": 1}])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="disk is full"):
            written.append([{"n": 2}])
    written.append([{"n": 3}])
    assert [row["n"] for row in lines(tmp_path)] == [1, 3]


def test_a_disk_that_is_full_in_the_middle_of_a_line_leaves_none_of_it(tmp_path):
    """In a process of its own, which may write no file longer than one and a half lines."""
    code = (
        "import gc, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from regraft.data.spool import Spool, read, segments\n"
        "from regraft.errors import RegraftError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "folder = Path(sys.argv[1])\n"
        "spool = Spool(folder)\n"
        "spool.append([{'event_id': 'first', 'text': 'p' * 100}])\n"
        "size = segments(folder)[0].stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size * 3 // 2, resource.RLIM_INFINITY))\n"
        "try:\n    spool.append([{'event_id': 'second', 'text': 'p' * 100}])\n"
        "except RegraftError:\n    print('refused')\n"
        "gc.collect()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "spool.append([{'event_id': 'third'}])\n"
        "print([row['event_id'] for segment in segments(folder) for row in read(segment)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n['first', 'third']\n"
