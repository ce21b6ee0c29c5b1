"""The same state tests run on SQLite and on a real PostgreSQL, started from the system's package as its own user."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from regraft.state.database import open_database

USER = "postgres"  # of the package; a server refuses to run as root


def _programs() -> Path | None:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    return Path(found[-1]).parent if found else None


def _as_user(*command: str) -> None:
    prefix = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a running server, without a database's name."""
    bin_folder = _programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed (extra postgres)")
    folder = Path(tempfile.mkdtemp(prefix="regraft-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        data, sockets = str(folder / "data"), str(folder)
        _as_user(str(bin_folder / "initdb"), "-D", data, "--auth=trust", "-U", USER)
        options = f"-k {sockets} -c listen_addresses='' -c fsync=off"
        _as_user(str(bin_folder / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{USER}@/{{name}}?host={sockets}"
        finally:
            _as_user(str(bin_folder / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.db"
    server = request.getfixturevalue("postgres")
    name = f"t{os.urandom(6).hex()}"
    engine = create_engine(server.format(name=USER), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.format(name=name)


@pytest.fixture
def engine(url: str):
    opened = open_database(url)
    yield opened
    opened.dispose()
