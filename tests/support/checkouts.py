"""How many connections are taken from a database's pools, in the ordinary way or as they stand at hand."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import PoolProxiedConnection, event
from sqlalchemy.ext.asyncio import AsyncEngine
from steward.adapters.database.express.warm_pool import WarmPool


@contextmanager
def checkouts(*engines: AsyncEngine) -> Iterator[list[None]]:
    """One entry for each."""
    taken: list[None] = []
    with ExitStack() as stack:
        for engine in engines:
            stack.enter_context(_counted(engine, taken))
        yield taken


@contextmanager
def _counted(engine: AsyncEngine, taken: list[None]) -> Iterator[None]:
    pool = engine.sync_engine.pool
    assert isinstance(pool, WarmPool)
    take = pool.take

    def took(*_: Any) -> None:
        taken.append(None)

    def take_and_tell() -> PoolProxiedConnection | None:
        pooled = take()
        if pooled is not None:
            took()
        return pooled

    event.listen(pool, "checkout", took)
    pool.take = take_and_tell  # type: ignore[method-assign]
    try:
        yield
    finally:
        event.remove(pool, "checkout", took)
        del pool.take
