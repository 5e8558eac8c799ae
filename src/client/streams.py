"""Answers and files that are read a part at a time: blocking, and for asyncio with an `a` in front."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager

import httpx2

from .errors import ConnectionFailed, UnexpectedAnswer
from .uploads import Upload
from .values import Item, item_of


class Lines:
    """Takes a stream apart at its line feeds, and nowhere else: names may hold what else divides lines."""

    def __init__(self) -> None:
        self._rest = b""

    def items(self, chunk: bytes) -> Iterator[Item]:
        """Raises `UnexpectedAnswer`."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            try:
                item = item_of(json.loads(line))
            except (LookupError, TypeError, ValueError) as error:
                raise UnexpectedAnswer("A line of the export is no item") from error
            yield item

    def end(self) -> None:
        if self._rest:
            raise UnexpectedAnswer("The export ends within a line")


@contextmanager
def _reading() -> Iterator[None]:
    """Around each read of a streamed answer. Raises `ConnectionFailed` if it breaks off."""
    try:
        yield
    except httpx2.RequestError as error:
        raise ConnectionFailed(f"The export broke off: {error or type(error).__name__}") from error


def _check_framing(response: httpx2.Response) -> None:
    """Raises `UnexpectedAnswer` for one that ends where the connection does (RFC 9112 section 6.3): something in
    between has made it so, and if it broke off, nobody could tell."""
    version = response.extensions.get("http_version")  # HTTP/2 has frames, and what is no network no version
    if version in (b"HTTP/1.0", b"HTTP/1.1") and not {"transfer-encoding", "content-length"} & response.headers.keys():
        raise UnexpectedAnswer("The export came so that nobody could tell whether it is whole")


def items(response: httpx2.Response) -> Iterator[Item]:
    lines = Lines()
    for chunk in chunks(response):
        yield from lines.items(chunk)
    lines.end()


def chunks(response: httpx2.Response) -> Iterator[bytes]:
    _check_framing(response)
    parts = response.iter_bytes()
    while True:
        with _reading():
            chunk = next(parts, None)
        if chunk is None:
            return
        yield chunk


async def aitems(response: httpx2.Response) -> AsyncGenerator[Item, None]:
    lines = Lines()
    async with aclosing(achunks(response)) as chunks:
        async for chunk in chunks:
            for item in lines.items(chunk):
                yield item
    lines.end()


async def achunks(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    _check_framing(response)
    parts = response.aiter_bytes()
    while True:
        with _reading():
            chunk = await anext(parts, None)
        if chunk is None:
            return
        yield chunk


async def asent(upload: Upload) -> AsyncIterator[bytes]:
    """Its chunks, read where a slow disk holds nobody up."""
    chunks = upload.chunks()
    while chunk := await asyncio.to_thread(next, chunks, b""):
        yield chunk
