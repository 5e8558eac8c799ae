"""A TCP proxy that can stop passing anything on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """While `flowing` is not set, what either side sends waits; connections are accepted all the same. Something has
    had to wait when `held` is set, something of the client's when `held_question` is.

    While `ending` is not set, one side does not learn that the other has left it. `answered` is the last that was
    passed to a client.

    While `is_swallowing`, what either side sends is lost, and with it its connection: nothing is passed on there ever
    again, as by a firewall that has forgotten it. That one side has left it is passed on afterwards, as the kernel's
    keepalive would find out.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.held = asyncio.Event()
        self.held_question = asyncio.Event()
        self.ending = asyncio.Event()
        self.ending.set()
        self.answered = b""
        self.is_swallowing = False
        self.port = 0
        self._transports: list[asyncio.WriteTransport] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.flowing.set()
            self.ending.set()
            server.close()
            for transport in self._transports:
                transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:  # its target is not there
            writer.transport.abort()
            return
        self._transports += [writer.transport, target_writer.transport]
        lost = asyncio.Event()
        await asyncio.gather(
            self._pass(reader, target_writer, lost, is_question=True),
            self._pass(target_reader, writer, lost, is_question=False),
        )

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, lost: asyncio.Event, *, is_question: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if not self.flowing.is_set():
                    self.held.set()
                    if is_question:
                        self.held_question.set()
                await self.flowing.wait()
                if self.is_swallowing:
                    lost.set()
                if not lost.is_set():
                    sink.write(data)
                    await sink.drain()
                    if not is_question:
                        self.answered = data
            await self.flowing.wait()
            await self.ending.wait()
        while self.is_swallowing:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.05)
        with contextlib.suppress(OSError):
            sink.close()
            await sink.wait_closed()
