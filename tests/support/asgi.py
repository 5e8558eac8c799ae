"""An ASGI driver that watches each message at the moment when the application sends it."""

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

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if watch is not None:
            await watch(message["type"])
        if message["type"] == "http.response.start":
            answer.status = message["status"]
        else:
            answer.body += message["body"]

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    return answer
