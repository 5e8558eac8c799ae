"""A proxy in front of PostgreSQL that cuts a connection at its COMMIT.

It reads the messages of the protocol (PostgreSQL documentation, chapter "Frontend/Backend Protocol"): a type byte, then
an int32 length that counts itself; the first message of a connection has no type.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

_ASKS_FIRST = (80877103, 80877104)  # for TLS, for GSSAPI: the answer is one byte, and the start-up message follows
_COMMITS = (b"COMMIT", b"COMMIT;", b"END", b"END;")

_OUT_OF_TRANSACTION = b"Z\0\0\0\5I"  # ReadyForQuery, idle: the server has said what became of the COMMIT


class Cut(Enum):
    """Where a connection is broken: `BEFORE` the COMMIT reaches the server, or `AFTER` the server has done it, and
    before its answer is passed on."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class CommitProxy:
    """Each COMMIT takes the first of `cuts`, and goes through when there is none left; `done` are those that
    were cut."""

    host: str
    port: int
    cuts: list[Cut] = field(default_factory=list)
    done: list[Cut] = field(default_factory=list)
    own_port: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["CommitProxy"]:
        serving: set[asyncio.Task[None]] = set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.add(asyncio.create_task(self._serve(reader, writer)))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.own_port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(self.host, self.port)
        swallowing = asyncio.Event()  # from a COMMIT that is to be cut after it

        async def questions() -> None:
            await _start(client, to_server)
            while True:
                kind, body = await _message(client)
                cut = None
                if kind == b"Q" and body.rstrip(b"\0").upper() in _COMMITS and self.cuts:
                    cut = self.cuts.pop(0)
                    self.done.append(cut)
                if cut is Cut.BEFORE:
                    return
                if cut is Cut.AFTER:
                    swallowing.set()
                to_server.write(kind + struct.pack("!i", len(body) + 4) + body)
                await to_server.drain()

        async def answers() -> None:
            swallowed = b""
            while data := await server.read(65536):
                if swallowing.is_set():
                    swallowed += data
                    if _OUT_OF_TRANSACTION in swallowed:
                        return
                    continue
                to_client.write(data)
                await to_client.drain()

        ways = [asyncio.create_task(questions()), asyncio.create_task(answers())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (to_client, to_server):
                with contextlib.suppress(OSError):
                    end.close()


async def _start(client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
    while True:
        head = await client.readexactly(8)
        length, code = struct.unpack("!ii", head)
        to_server.write(head + await client.readexactly(length - 8))
        if code not in _ASKS_FIRST:
            return


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
