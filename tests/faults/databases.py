"""Databases for the checks: empty, and such that what they have acknowledged survives a crash."""

import asyncio
import atexit
import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from tests.support.postgres import PostgresServer, execute

_numbers = itertools.count()


@asynccontextmanager
async def fresh_database(backend: str) -> AsyncIterator[str]:
    """The URL of an empty database, which `StewardServer(url, "--migrate")` fills: a SQLite file, or a database in a
    PostgreSQL that all checks of this process share. Whoever kills PostgreSQL starts one of its own."""
    if backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="steward-faults-", ignore_cleanup_errors=True) as directory:
            yield f"sqlite+aiosqlite:///{directory}/steward.db"
        return
    server = await asyncio.to_thread(_shared_postgres)
    name = f"faults_{next(_numbers)}"
    await execute(server.url("postgres"), f"CREATE DATABASE {name}")
    try:
        yield server.url(name)
    finally:
        await execute(server.url("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@cache
def _shared_postgres() -> PostgresServer:
    server = PostgresServer(durable=True)
    atexit.register(server.stop)
    return server
