"""Makes the servers of Beam's local runner listen on the loopback address only, not on all addresses.

The runner and its worker processes talk to each other through these servers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

ALL_ADDRESSES: Final = "[::]:"
LOOPBACK: Final = "127.0.0.1:"


class _OnLoopback:
    """A gRPC server that listens on the loopback address when it is asked to listen on all addresses."""

    def __init__(self, server: grpc.Server) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_insecure_port(self, address: str) -> int:
        """Opens the port and returns its number."""
        return self._server.add_insecure_port(address.replace(ALL_ADDRESSES, LOOPBACK))


@contextmanager
def servers_on_loopback() -> Iterator[None]:
    """Makes every gRPC server created meanwhile listen on the loopback address instead of all addresses.

    Anyone who reaches such a server could read meter points and give workers code to run, and Beam has no setting for
    its address.
    """
    make = grpc.server
    grpc.server = lambda *given, **named: _OnLoopback(make(*given, **named))
    try:
        yield
    finally:
        grpc.server = make
