import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from regraft.errors import StateError
from regraft.state import lease
from regraft.state.database import transaction


def test_a_second_process_is_told_who_holds_it(engine, monkeypatch):
    lease.take(engine, "update")
    monkeypatch.setattr(os, "getpid", lambda: os.getppid())  # as another process that runs would ask
    with pytest.raises(StateError, match="is held by"):
        lease.take(engine, "update")


def test_a_lease_given_back_or_run_out_can_be_taken(engine):
    first = lease.take(engine, "update", seconds=100)
    lease.give_back(engine, first)
    second = lease.take(engine, "update", seconds=-1)
    third = lease.take(engine, "update")
    assert [first.fence, second.fence, third.fence] == [1, 2, 3]


def test_a_holder_that_was_killed_is_gone_at_once(engine, url):
    code = f"from regraft.state import database, lease; lease.take(database.open_database({url!r}), 'update', 1000)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert lease.take(engine, "update").fence == 2


def test_a_holder_that_wakes_up_after_its_lease_is_refused(engine):
    slept = lease.take(engine, "update", seconds=-1)
    lease.take(engine, "update")
    with pytest.raises(StateError, match="taken by another process"), transaction(engine) as connection:
        lease.demand(connection, slept)
    with pytest.raises(StateError, match="taken by another process"):
        lease.renew(engine, slept)


def test_leases_of_different_names_do_not_meet(engine):
    assert lease.take(engine, "update").fence == lease.take(engine, "compact").fence == 1


def test_work_that_takes_longer_than_a_lease_keeps_it(engine, monkeypatch):
    with lease.holding(engine, "update", seconds=0.6) as held:
        time.sleep(1.2)
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: os.getppid())
            with pytest.raises(StateError, match="is held by"):
                lease.take(engine, "update")
        with transaction(engine) as connection:
            lease.demand(connection, held)
    assert lease.take(engine, "update").fence == 2


def test_a_lease_that_another_took_is_not_renewed(engine):
    with lease.holding(engine, "update", seconds=0.3) as held:
        lease.take(engine, "update", seconds=0.3)  # this very process may: it counts as gone
        time.sleep(0.5)
        with pytest.raises(StateError, match="taken by another process"), transaction(engine) as connection:
            lease.demand(connection, held)


def test_a_lease_that_several_take_at_once_is_taken_one_after_the_other_and_its_name_may_be_long(engine):
    name = "site " + "s" * 64
    with ThreadPoolExecutor(4) as pool:  # of one process, which may take what it holds
        found = list(pool.map(lambda _: lease.take(engine, name), range(4)))
    assert sorted(one.fence for one in found) == [1, 2, 3, 4]
