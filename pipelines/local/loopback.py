"""Beam's local runner speaks with its worker processes through servers that listen on all addresses; here on one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc

ALL_ADDRESSES: Final = "[::]:"
LOOPBACK: Final = "127.0.0.1:"


class _OnLoopback:
    """A gRPC server that was asked to listen on all addresses, and listens on the loopback address."""

    def __init__(self, server: grpc.Server) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_insecure_port(self, address: str) -> int:
        """The port at which the server listens."""
        return self._server.add_insecure_port(address.replace(ALL_ADDRESSES, LOOPBACK))


@contextmanager
def servers_on_loopback() -> Iterator[None]:
    """Makes gRPC servers listen on the loopback address instead of all addresses.

    Whoever reaches one could read meter points and give workers code to run, and Beam has no setting for its address.
    """
    make = grpc.server
    grpc.server = lambda *given, **named: _OnLoopback(make(*given, **named))
    try:
        yield
    finally:
        grpc.server = make
