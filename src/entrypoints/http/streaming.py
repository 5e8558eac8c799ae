"""Answers that are made while they are sent."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ...domain.errors import StewardError
from ...service_layer.deadline import within
from .problems.problem_responses import HttpProblem
from .request_context import context_of

log = logging.getLogger("steward.http")


class StreamedAnswer(StreamingResponse):
    """Never looks whole when it is not: if `pieces` fail after the beginning, the connection is broken off without the
    last chunk. A failure before is a problem, as in any other answer. HEAD asks for no piece.

    No piece is asked for before the client has taken those before; when the client has left, none is any more.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str], *, timeout: float) -> None:
        """`timeout` is for all of it, in seconds."""
        super().__init__(pieces, headers=headers)
        self._pieces = pieces
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._pieces):
            if context_of(scope).wants_head_alone:
                await self._start(send)
                await _send_piece(send, b"", more=False)
            elif scope["http_version"] == "1.0":
                # It knows no chunks: where its answer ends, a broken connection ends, too.
                raise HttpProblem(
                    "bad_request", "What is sent while it is made needs HTTP/1.1: by 1.0 it could be cut off unseen"
                )
            else:
                await self._send_as_it_comes(scope, receive, send)

    async def _send_as_it_comes(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        try:
            async with within(self._timeout):
                first = await anext(self._pieces, b"")
                begun = True
                await self._start(send)
                await _send_piece(send, first)
                await self._send_the_rest(receive, send)
        except StewardError as error:
            context = context_of(scope)
            if not begun or context.connection is None:
                raise
            log.warning("%s was broken off: %s", scope["path"], error)
            context.break_off()

    async def _send_the_rest(self, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(_until_client_leaves(receive))
        try:
            async for piece in self._pieces:
                if left.done():
                    return
                await _send_piece(send, piece)
                await asyncio.sleep(0)  # a client who takes all at once leaves others no turn
            await _send_piece(send, b"", more=False)
        finally:
            left.cancel()

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


async def _send_piece(send: Send, piece: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": more})


async def _until_client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
