"""The server: the application behind sockets that cannot be held open by sending nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from regraft.errors import StateError
from regraft.serving.app import make_app
from regraft.serving.errands import Errands
from regraft.serving.guards import SECONDS
from regraft.serving.log import adopt, lines
from regraft.serving.service import Service
from regraft.setup.site import Site

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Prompt(H11Protocol):
    """A connection on which the head of a request, once awaited or begun, arrives within some seconds, or it is closed.

    uvicorn itself waits for ever. Bodies have a deadline of their own (`BoundedBody`); what still comes of one that
    was refused counts as the next head.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(SECONDS, self._too_slow)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            if self.cycle is None:
                self.transport.write(TOO_SLOW)
            self.transport.close()


def serve(
    site: Site, host: str, port: int, say: Callable[[str], object], replay: bool = False, erase: bool = True
) -> None:  # fmt: skip
    """Serves a site until the process is told to end; `say` hears where. StateError: the address is not to be had.

    With `erase`, erasures that were asked for are begun in a process beside it.
    """
    tell = lines()
    adopt("uvicorn", tell)
    with closing(_bound(host, port)) as listening:
        service = Service(site, tell)
        errands = Errands(site, tell)
        service.start()
        if erase:
            errands.start()
        place = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            make_app(service, replay, tell), http=Prompt, log_config=None, access_log=False,
            timeout_graceful_shutdown=round(SECONDS),
        )  # fmt: skip
        say(f"Serving {service.loaded.name} at {place}")
        tell("serving", version=service.loaded.name, address=place)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it once more at its end
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            errands.stop()
            service.stop()
            tell("stopped")


def _bound(host: str, port: int) -> socket.socket:
    """A socket at this address on which nobody listens yet."""
    # Named as TCP: else asyncio does not turn Nagle's algorithm off, and every answer waits 40 ms for a delayed ACK.
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise StateError(
            f"address {host}:{port}", f"cannot be listened on: {error.strerror or error}", "a free port",
            "Choose another one with --port, or --port 0 for any that is free",
        ) from error  # fmt: skip
    return found
