"""How many connections are acquired from a database's pools, in the ordinary way or as they stand at hand."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import PoolProxiedConnection, event
from sqlalchemy.ext.asyncio import AsyncEngine
from steward.adapters.database.express.warm_pool import WarmPool


@contextmanager
def checkouts(*engines: AsyncEngine) -> Iterator[list[None]]:
    """One entry for each."""
    acquired: list[None] = []
    with ExitStack() as stack:
        for engine in engines:
            stack.enter_context(_counted(engine, acquired))
        yield acquired


@contextmanager
def _counted(engine: AsyncEngine, acquired: list[None]) -> Iterator[None]:
    pool = engine.sync_engine.pool
    assert isinstance(pool, WarmPool)
    acquire = pool.acquire

    def took(*_: Any) -> None:
        acquired.append(None)

    def acquire_and_tell() -> PoolProxiedConnection | None:
        pooled = acquire()
        if pooled is not None:
            took()
        return pooled

    event.listen(pool, "checkout", took)
    pool.acquire = acquire_and_tell  # type: ignore[method-assign]
    try:
        yield
    finally:
        event.remove(pool, "checkout", took)
        del pool.acquire
