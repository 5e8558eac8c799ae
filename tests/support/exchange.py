"""One request to an application without a server, by a client who sends and takes piece by piece, or leaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any


async def nothing() -> AsyncIterator[bytes]:
    return
    yield


def scope_of(
    method: str, path: str, headers: Mapping[str, str], *, http_version: str = "1.1"
) -> MutableMapping[str, Any]:
    """What a server makes of a request."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": http_version,
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("steward.test", 80),
        "state": {},
    }


@dataclass
class Exchange:
    """`pieces` are sent one after the other; `taking` is called at each piece of the answer's body. To set `left` is to
    leave."""

    app: Any
    pieces: AsyncIterator[bytes] = field(default_factory=nothing)
    taking: Callable[[], Awaitable[None]] | None = None
    http_version: str = "1.1"
    left: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    taken: int = 0
    is_whole: bool = False

    async def request(self, method: str, path: str, headers: Mapping[str, str]) -> "Exchange":
        await self.app(scope_of(method, path, headers, http_version=self.http_version), self._receive, self._send)
        return self

    async def _receive(self) -> dict[str, Any]:
        async for piece in self.pieces:
            return {"type": "http.request", "body": piece, "more_body": True}
        if not self.is_whole and self.status == 0:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.body += message["body"]
        self.taken += 1
        self.is_whole = not message.get("more_body", False)
        if self.taking is not None and not self.is_whole:
            await self.taking()
