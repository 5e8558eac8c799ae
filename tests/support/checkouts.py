"""How many connections are acquired from a database's pools, in the ordinary way or as they stand at hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
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

    def took(*_: Any) -> None:
        acquired.append(None)

    event.listen(pool, "checkout", took)
    try:
        with _counted_at_hand(pool, took) if isinstance(pool, WarmPool) else nullcontext():
            yield
    finally:
        event.remove(pool, "checkout", took)


@contextmanager
def _counted_at_hand(pool: WarmPool, took: Callable[[], None]) -> Iterator[None]:
    acquire = pool.acquire

    def acquire_and_tell() -> PoolProxiedConnection | None:
        pooled = acquire()
        if pooled is not None:
            took()
        return pooled

    pool.acquire = acquire_and_tell  # type: ignore[method-assign]
    try:
        yield
    finally:
        del pool.acquire
