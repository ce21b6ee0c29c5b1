"""The Ray cluster that work is done on: found or started, with room for so many workers, and left again."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from regraft.errors import ConfigError, MissingExtraError

PATIENCE = 10.0  # seconds for a cluster to answer; Ray itself would try for a quarter of an hour


def room(ray: Any, threads: int, cards: int) -> int:
    """Workers that find room in the cluster at one time."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    found = [
        min(int(n.get("CPU", 0)) // threads, int(n.get("GPU", 0)) // cards if cards else sys.maxsize) for n in nodes
    ]
    if not sum(found):
        raise ConfigError(
            "Ray", f"no machine of the cluster has {threads} CPUs{' and a GPU' * cards} for a worker",
            "such a machine", "Give a worker less with: --threads N. Where machines are started on demand: --workers N",
        )  # fmt: skip
    return sum(found)


@contextmanager
def connected(ray: Any, cpus: int | None) -> Iterator[None]:
    """Connected to the cluster that RAY_ADDRESS names, or to one that is started on this machine for the time being."""
    if ray.is_initialized():  # by a program that uses regraft as a library: the cluster is its own
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address:
            _answers(address)
            ray.init(address, **quiet)
        else:  # nothing listens to other machines
            ray.init("local", num_cpus=cpus, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
    except Exception as error:  # Ray raises all kinds, a plain Exception where a node does not start in time
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"Ray, RAY_ADDRESS {address}" if address else "Ray", reason,
            "a cluster that can be reached, or RAY_ADDRESS not set for one on this machine",
            "What a cluster needs, its token included: docs/guides/ray.md",
        ) from error  # fmt: skip
    try:
        yield
    finally:
        ray.shutdown()


def _answers(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()


def import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before the import: Ray would tell its makers
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("running on a cluster", "ray", error.name or "ray") from error
    return ray
