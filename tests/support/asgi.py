"""An ASGI driver that watches each message at the moment when the application sends it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    status: int = 0
    body: bytes = b""


async def call(
    app: Any,
    method: str,
    path: str,
    *,
    body: object = None,
    watch: Callable[[str], Awaitable[None]] | None = None,
) -> Answer:
    """What the application raises after its answer is raised here too. `watch` gets the type of each message."""
    answer = Answer()
    content = b"" if body is None else json.dumps(body).encode()

    messages: list[dict[str, Any]] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()  # the client stays
        return messages.pop()

    async def send(message: dict[str, Any]) -> None:
        if watch is not None:
            await watch(message["type"])
        if message["type"] == "http.response.start":
            answer.status = message["status"]
        else:
            answer.body += message["body"]

    scope = _scope("http", path) | {"method": method, "headers": [(b"content-type", b"application/json")]}
    await app(scope, receive, send)
    return answer


async def converse(app: Any, path: str, *texts: str, watch: Callable[[str], Awaitable[None]]) -> None:
    """Send messages to a WebSocket and leave. `watch` gets the type or the text of each message that it sends."""
    messages: list[dict[str, Any]] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": text} for text in texts),
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        await watch(message.get("text") or message["type"])

    await app(_scope("websocket", path) | {"subprotocols": []}, receive, send)


def _scope(kind: str, path: str) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
