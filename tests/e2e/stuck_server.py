"""Our server around an application whose end never comes, as where a database does not let go.

python -m tests.e2e.stuck_server PORT
"""

import asyncio
import sys

from starlette.types import Receive, Scope, Send
from steward.config import load_settings
from steward.entrypoints.server.server import Server, ServerConfig, listening_socket, start_listening


async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    settings = load_settings(port=int(sys.argv[1]))
    with listening_socket(settings) as listener:
        start_listening(settings, listener)
        server = Server(ServerConfig(stuck, settings))
        asyncio.run(server.serve([listener]))
        sys.exit(server.exit_code)
