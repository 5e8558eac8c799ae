"""Server processes, started beside the running loop: a proxy in it has to serve them meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.steward_server import AS_SHIPPED, StewardServer

from .processes import kill_all, with_children


@asynccontextmanager
async def running(url: str, **settings: object) -> AsyncIterator[StewardServer]:
    """Signed in as the admin. Whatever is left of it at the end is killed."""
    server = StewardServer(url, "--migrate", **{**AS_SHIPPED, "access_token_ttl": 3600, **settings})
    try:
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.sign_in)
        yield server
    finally:
        await kill(server)


async def kill(server: StewardServer) -> None:
    """kill -9 of it and its worker processes. Once more does nothing."""
    if server.process.poll() is None:
        kill_all(with_children(server.process.pid))
    await asyncio.to_thread(server.kill)
    if server.url:
        server.client.close()
