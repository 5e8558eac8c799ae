"""Our server around an application that answers with whom it sees.

python -m tests.e2e.http.echoing_server HOST TRUSTED_PROXIES
"""

import asyncio
import json
import sys

from starlette.types import Message, Receive, Scope, Send
from steward.config import load_settings
from steward.entrypoints.server.server import Server, ServerConfig, listening_socket, start_listening


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body = json.dumps([scope["client"][0], scope["scheme"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    message: Message = {"type": ""}
    while message["type"] != "lifespan.shutdown":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


if __name__ == "__main__":
    host, proxies = sys.argv[1:]
    settings = load_settings(host=host, port=0, trusted_proxies=proxies)
    with listening_socket(settings) as listener:
        start_listening(settings, listener)
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        asyncio.run(Server(ServerConfig(echo, settings)).serve([listener]))
