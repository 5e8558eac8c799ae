"""A proxy in front of PostgreSQL that counts what a client asks of it.

It reads the messages of protocol 3 (https://www.postgresql.org/docs/current/protocol-message-formats.html).
"""

import asyncio
import contextlib
import re
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from types import TracebackType
from typing import Self

_PROTOCOL_3 = 196608  # of the start-up message; requests for encryption and cancellation have other numbers
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_OF_TRANSACTIONS = re.compile(
    r"\s*(BEGIN|START TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE)\b", re.IGNORECASE
)


class WireCounter:
    """Counts over all connections since the last `reset`; pass through it by its `port`.

        async with WireCounter("127.0.0.1", server.port) as counter:
            ... # warm up: the first call of a statement prepares it, and an unknown type is looked up
            counter.reset()
            ...
            assert (counter.statements, counter.round_trips) == (2, 2)

    `statements` are those executed, `transaction_statements` the BEGIN, COMMIT, SAVEPOINT and so on, which do not count
    as the former; `sql` is both, in order. A statement that is only prepared is a round trip and no statement. What a
    client sends before it has had the answer to what it sent earlier is no round trip more.

    It runs on the loop that opens it: a client that blocks this loop would wait for ever. `counting` is for those who
    block.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server
        self._transports: list[asyncio.WriteTransport] = []
        self.port = 0
        self.reset()

    def reset(self) -> None:
        self.sql: list[str] = []
        self.round_trips = 0

    @property
    def statements(self) -> int:
        return len(self.sql) - self.transaction_statements

    @property
    def transaction_statements(self) -> int:
        return sum(_OF_TRANSACTIONS.match(statement) is not None for statement in self.sql)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for transport in self._transports:
            transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(*self._target)
        self._transports += [writer.transport, target_writer.transport]
        conversation = _Conversation(self)
        await asyncio.gather(
            _pass(reader, target_writer, conversation.sent), _pass(target_reader, writer, conversation.received)
        )


@contextmanager
def counting(host: str, port: int) -> Iterator[WireCounter]:
    """On a loop in a thread of its own, so that the one who waits for answers does not keep it from passing them on."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    counter = WireCounter(host, port)
    asyncio.run_coroutine_threadsafe(counter.__aenter__(), loop).result()
    try:
        yield counter
    finally:
        asyncio.run_coroutine_threadsafe(counter.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Conversation:
    """Of one connection: which statement each name stands for, and what the server has still to answer."""

    def __init__(self, counter: WireCounter) -> None:
        self._counter = counter
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._unanswered: deque[bytes] = deque()
        self._sent, self._received = bytearray(), bytearray()
        self._has_begun = False

    def sent(self, data: bytes) -> None:
        self._sent += data
        while not self._has_begun and len(self._sent) >= 8:
            length, code = struct.unpack_from("!II", self._sent)
            if len(self._sent) < length:
                return
            del self._sent[:length]
            self._has_begun = code == _PROTOCOL_3
        if self._has_begun:
            for kind, body in _messages(self._sent):
                self._from_client(kind, body)

    def received(self, data: bytes) -> None:
        if not self._has_begun:  # the answer to a request for encryption is one byte, and no message
            assert data == b"N", "an encrypted connection cannot be counted"
            return
        self._received += data
        for kind, body in _messages(self._received):
            self._from_server(kind, body)

    def _from_client(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"Q":
                self._counter.sql += _parted(body[:-1].decode())
                self._ask(kind)
            case b"P":
                name, sql, _ = body.split(b"\0", 2)
                self._statements[name] = sql.decode()
            case b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._statements[name]
            case b"E":
                self._counter.sql.append(self._portals[body.partition(b"\0")[0]])
            case b"S" | b"H":
                self._ask(kind)

    def _ask(self, how: bytes) -> None:
        if not self._unanswered:
            self._counter.round_trips += 1
        self._unanswered.append(how)

    def _from_server(self, kind: bytes, _: bytes) -> None:
        # Flush gets no ready-for-query: what it flushed ends with the description of a statement, or with an error.
        if self._unanswered and (kind == b"Z" or (kind in (b"T", b"n", b"E") and self._unanswered[0] == b"H")):
            self._unanswered.popleft()


def _messages(buffer: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Take the complete ones out of the buffer: a byte for the kind, four for the length, the rest."""
    while len(buffer) >= 5:
        (length,) = struct.unpack_from("!I", buffer, 1)
        if len(buffer) < length + 1:
            return
        kind, body = bytes(buffer[:1]), bytes(buffer[5 : length + 1])
        del buffer[: length + 1]
        yield kind, body


def _parted(sql: str) -> list[str]:
    """The statements of one simple query."""
    return [part.strip() for part in _QUOTED.sub("''", sql).split(";") if part.strip()]


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter, count: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            count(data)
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError):
        sink.close()
        await sink.wait_closed()
