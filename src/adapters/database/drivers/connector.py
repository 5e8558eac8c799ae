"""Making connections to PostgreSQL: to the primary among several hosts, and now and then only to one that is away."""

import socket
import time
from collections.abc import Sequence
from typing import Any

import asyncpg

_PAUSE = 0.5  # seconds between two attempts while the server does not answer


class Connector:
    """What SQLAlchemy calls instead of `asyncpg.connect`. `timeout` is in seconds, for all hosts together.

    Raises what `asyncpg.connect` raises, and a `ConnectionError` where none of the hosts is a primary, and for
    `_PAUSE` seconds after a server that did not answer: whoever waited for it in vain, one after the other, would
    have a place in the pool meanwhile.

    Several hosts are asked in turn, first the one that was the primary the last time. asyncpg would do so too, but
    with one timeout for all, and a host that is gone without a word would use it up.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._first = 0
        self._is_silent = False
        self._next_attempt = 0.0
        self._last_success = 0.0

    async def __call__(
        self, *, host: str | Sequence[str] | None = None, port: int | Sequence[int] | None = None, **arguments: Any
    ) -> asyncpg.Connection:
        began = time.monotonic()
        if self._is_silent:
            if began < self._next_attempt:
                raise ConnectionError("The database did not answer a moment ago")
            self._next_attempt = began + _PAUSE
        try:
            connection = await self._connect(_addresses(host, port), arguments)
        except Exception as error:
            self._remember(error, began)
            raise
        self._is_silent = False
        self._last_success = time.monotonic()
        return connection

    def _remember(self, error: Exception, began: float) -> None:
        if began < self._last_success:
            return  # it has come back meanwhile
        if not self._is_silent:
            self._next_attempt = time.monotonic() + _PAUSE
        # A server that refuses does so at once: asking it again costs nobody anything.
        self._is_silent = isinstance(error, TimeoutError)

    async def _connect(self, addresses: list[tuple[Any, Any]], arguments: dict[str, Any]) -> asyncpg.Connection:
        if len(addresses) > 1:
            arguments = {"target_session_attrs": "primary", **arguments}
        arguments["timeout"] = self._timeout / len(addresses)
        failure: Exception | None = None
        for index in [(self._first + step) % len(addresses) for step in range(len(addresses))]:
            host, port = addresses[index]
            try:
                connection = await asyncpg.connect(host=host, port=port, **arguments)
            except (OSError, asyncpg.CannotConnectNowError) as error:
                failure = error
            except asyncpg.TargetServerAttributeNotMatched as error:  # it has no SQLSTATE
                failure = failure or ConnectionError(f"{host}:{port}: {error}")
            else:
                self._first = index
                _notice_when_it_is_gone(connection, self._timeout)
                return connection
        assert failure is not None
        raise failure


def _addresses(host: str | Sequence[str] | None, port: int | Sequence[int] | None) -> list[tuple[Any, Any]]:
    """As SQLAlchemy makes them of a URL: one of each, or as many of the one as of the other."""
    if isinstance(host, str) or not isinstance(port, Sequence):
        return [(host, port)]
    return list(zip(host or (), port, strict=True))


def _notice_when_it_is_gone(connection: asyncpg.Connection, after: float) -> None:
    """Let the kernel break it when what was sent has not arrived after so many seconds, or when nobody is there to
    acknowledge a keepalive: both long before a statement is given up. asyncpg has no option for it.
    """
    transport: Any = connection._transport  # noqa: SLF001
    sock = transport.get_extra_info("socket")
    if sock.family == getattr(socket, "AF_UNIX", None) or not hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(after * 1000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, int(after)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
