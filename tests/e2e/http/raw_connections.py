"""Connections without an HTTP client: half a request, bytes that trickle, answers that are not taken, sudden ends."""

import asyncio
import contextlib
import select
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.support.steward_server import StewardServer

LIMIT = 60.0  # seconds; a test that hangs must end
SMALL = 4096  # bytes, of a client's buffer
_RESET = struct.pack("ii", 1, 0)


@contextmanager
def connected(server: StewardServer, *, buffer: int | None = None) -> Iterator[socket.socket]:
    """`buffer` is how much the client's system takes for a client that takes nothing."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    with socket.socket() as connection:
        connection.settimeout(LIMIT)
        if buffer is not None:  # before it connects: the window is told then
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.connect((host, int(port)))
        yield connection


def head_of(server: StewardServer, request: str, *headers: str) -> bytes:
    """As whoever the server's client is signed in as."""
    credentials = [f"{name}: {value}" for name, value in server.credentials.items()]
    return "\r\n".join([f"{request} HTTP/1.1", "Host: a", *credentials, *headers, "", ""]).encode()


def all_of(connection: socket.socket) -> bytes:
    """Until the server hangs up."""
    answer = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            answer += piece
    return bytes(answer)


def up_to(connection: socket.socket, end: bytes) -> bytes:
    answer = bytearray()
    while not answer.endswith(end):
        piece = connection.recv(65536)
        assert piece, f"it was cut off: {answer[-200:]!r}"
        answer += piece
    return bytes(answer)


def wait_until_cut_off(connection: socket.socket) -> bool:
    """Whether the server breaks it off although nothing is taken of what it has sent."""
    poll = select.poll()
    poll.register(connection, select.POLLERR | select.POLLHUP)
    return bool(poll.poll(LIMIT * 1000))


def reset(connection: socket.socket) -> None:
    """As a process that is killed, or a machine that starts again, leaves."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


@asynccontextmanager
async def trickling(connection: socket.socket, piece: bytes, *, pause: float) -> AsyncIterator[None]:
    """Sends it again and again, until the server hangs up."""

    async def trickle() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.send(piece)
                await asyncio.sleep(pause)

    task = asyncio.create_task(trickle())
    try:
        yield
    finally:
        task.cancel()
