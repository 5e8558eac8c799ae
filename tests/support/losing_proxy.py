"""A TCP proxy that loses requests, or the answers to them."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

_REQUEST = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE) /")


class Loss(Enum):
    """What gets lost before the connection is closed: the `REQUEST`, which never arrives; the `ANSWER`; half of the
    `HEAD` of it; or the `TAIL` of a long one. With `SILENCE` no answer comes, and the connection stays open."""

    REQUEST = "request"
    ANSWER = "answer"
    HEAD = "head"
    TAIL = "tail"
    SILENCE = "silence"


_SENT_BEFORE = {Loss.ANSWER: 0, Loss.HEAD: 100, Loss.TAIL: 50_000}  # bytes


@dataclass
class LosingProxy:
    """Each request takes the first of `losses`, and goes through when there is none left."""

    host: str
    port: int
    losses: list[Loss] = field(default_factory=list)
    url: str = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["LosingProxy"]:
        serving: set[asyncio.Task[None]] = set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.add(asyncio.create_task(self._serve(reader, writer)))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            server.close()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(self.host, self.port)
        loss: Loss | None = None
        sent = 0

        async def requests() -> None:
            nonlocal loss, sent
            while data := await reader.read(65536):
                if _REQUEST.match(data):
                    loss, sent = self.losses.pop(0) if self.losses else None, 0
                if loss is Loss.REQUEST:
                    return
                target_writer.write(data)
                await target_writer.drain()

        async def answers() -> None:
            nonlocal sent
            while data := await target_reader.read(65536):
                if loss is Loss.SILENCE:
                    continue
                if loss is not None:
                    data = data[: _SENT_BEFORE[loss] - sent]
                sent += len(data)
                writer.write(data)
                await writer.drain()
                if loss is not None and sent == _SENT_BEFORE[loss]:
                    return

        ways = [asyncio.create_task(requests()), asyncio.create_task(answers())]
        try:
            with contextlib.suppress(OSError):
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, target_writer):  # before anything is awaited: there it may be cancelled once more
                end.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
