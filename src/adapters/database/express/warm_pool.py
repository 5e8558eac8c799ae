"""A pool that keeps a connection at hand between two uses that follow each other closely."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from ..drivers.lost_connections import IDLE_SINCE


class WarmPool(AsyncAdaptedQueuePool):
    """To hand a connection back to SQLAlchemy and out again takes a hundred calls and a change of greenlets: as much as
    a small statement. A connection that is given to `release` stays checked out, as `acquire` returned it, and the next
    call of `acquire` has it, the last one first.

    A checkout by SQLAlchemy finds those that are kept, too: they are handed back when there is no other. And
    nothing that the ordinary way looks at is passed by: one that has idled for `longest_idle` seconds, is closed, too
    old, or as old as one that was lost, goes back, and is checked, or replaced, at its next checkout there.
    """

    longest_idle = float("inf")
    is_closed: Callable[[Any], bool] = staticmethod(lambda _: False)  # of a driver's connection

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: list[PoolProxiedConnection] = []
        self._waiting = 0
        self.is_disposed = False

    def acquire(self) -> PoolProxiedConnection | None:
        """One that can be used at once, outside a transaction; None if there is none, or if the last one is no longer
        warm: who hands it back may have to wait, which the ordinary way can."""
        if not self._kept or not self._is_warm(self._kept[-1]):
            return None
        pooled = self._kept.pop()
        del pooled.info[IDLE_SINCE]
        return pooled

    def release(self, pooled: PoolProxiedConnection) -> None:
        """Instead of `close`, of one that is outside a transaction."""
        if _is_collected(pooled):
            return
        if self.must_return:
            pooled.close()
        else:
            pooled.info[IDLE_SINCE] = time.monotonic()
            self._kept.append(pooled)

    @property
    def must_return(self) -> bool:
        """True if connections must go back to the pool at once: a checkout is waiting, or the pool was disposed."""
        return self.is_disposed or self._waiting > 0

    def _is_warm(self, pooled: PoolProxiedConnection) -> bool:
        record: Any = pooled._connection_record  # noqa: SLF001
        return (
            time.monotonic() - pooled.info[IDLE_SINCE] < self.longest_idle
            # As `_ConnectionRecord.get_connection` looks at it.
            and max(self._invalidate_time, record._soft_invalidate_time) <= record.starttime  # noqa: SLF001
            and (self._recycle < 0 or time.time() - record.starttime <= self._recycle)
            and not self.is_closed(driver_of(pooled))
        )

    def _do_get(self) -> ConnectionPoolEntry:
        for pooled in [pooled for pooled in self._kept if not self._is_warm(pooled)]:
            self._hand_back(pooled)
        if self._kept and not super().checkedin() and self._overflow >= self._max_overflow:
            self._hand_back(self._kept[0])
        self._waiting += 1
        try:
            return super()._do_get()
        finally:
            self._waiting -= 1

    def _hand_back(self, pooled: PoolProxiedConnection) -> None:
        self._kept.remove(pooled)
        pooled.close()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if self.is_disposed:  # there will be no further checkout
            record.invalidate()
        else:
            super()._do_return_conn(record)

    def checkedin(self) -> int:
        return super().checkedin() + len(self._kept)

    def checkedout(self) -> int:
        return super().checkedout() - len(self._kept)

    def dispose(self) -> None:
        self.is_disposed = True
        while self._kept:
            self._hand_back(self._kept[-1])
        super().dispose()


# Its log stays SQLAlchemy's, which names it after the class.
WarmPool.__module__ = AsyncAdaptedQueuePool.__module__


def _is_collected(pooled: PoolProxiedConnection) -> bool:
    """Whether SQLAlchemy has dropped it, because its user was lost to the garbage collector: then the blocks of that
    user are left after it."""
    record: Any = pooled._connection_record  # noqa: SLF001
    return record is None or record.fairy_ref is None or record.fairy_ref() is not pooled


async def connection_of(engine: AsyncEngine) -> PoolProxiedConnection:
    """For `release`. Raises what SQLAlchemy raises when it connects."""
    pool: Any = engine.sync_engine.pool
    return pool.acquire() or await engine.raw_connection()


def release(pooled: PoolProxiedConnection) -> None:
    pool_of(pooled).release(pooled)


def pool_of(pooled: PoolProxiedConnection) -> WarmPool:
    """The one that it was taken from. The engine's is another one as soon as it has been disposed of."""
    fairy: Any = pooled
    pool: WarmPool = fairy._pool  # noqa: SLF001
    return pool


def driver_of(pooled: PoolProxiedConnection) -> Any:
    """Its `driver_connection`, which is four functions."""
    adapter: Any = pooled.dbapi_connection
    return adapter._connection  # noqa: SLF001
