"""The connection that a transaction holds."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Executable, PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from ...unit_of_work.transaction import TransactionMode
from ..drivers.lost_connections import abort, cut
from ..failed_statements import refuse_after_failure
from .direct_statements import Rows, report_error
from .direct_transactions import Direct
from .warm_pool import connection_of, pool_of

log = logging.getLogger("steward.database")


class HeldConnection:
    """One after the other, each inside a transaction of its own.

    One that writes begins past SQLAlchemy where the driver can do that, on a connection of the pool (`_pooled`). For
    the first statement without rows, savepoint, rollback or error it is taken over by SQLAlchemy as it stands
    (`_connection`), and from there on all goes its way: it knows of everything that went wrong. Several of its steps
    are one function each here, because each change between it and the event loop costs, too.

    Everything raises what the drivers raise, or SQLAlchemy.
    """

    def __init__(self, engine: Callable[[TransactionMode], AsyncEngine], direct: Direct | None) -> None:
        self._engine = engine
        self._direct = direct
        self._pooled: PoolProxiedConnection | None = None
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._pooled is not None or self._connection is not None

    async def begin(self, mode: TransactionMode) -> None:
        engine = self._engine(mode)
        if mode is not TransactionMode.WRITING or not await self._begin_directly():
            await greenlet_spawn(self._connect_and_begin, engine.sync_engine)

    async def _begin_directly(self) -> bool:
        direct = self._direct
        if direct is None or direct.begun is None:
            return False
        pooled = await connection_of(direct.begun)
        try:
            if direct.transactions.begin(pooled):
                self._pooled = pooled
        finally:
            if self._pooled is None:
                await greenlet_spawn(pooled.close)  # SQLAlchemy finds it there, who begins then
        return self._pooled is not None

    def _connect_and_begin(self, engine: Engine) -> None:
        self._connection = engine.connect()
        self._connection.begin()

    async def leave_lane(self) -> Connection:
        """By SQLAlchemy, which is told that the transaction has begun; the database is not."""
        if self._connection is None:
            await greenlet_spawn(self._leave_lane)
        assert self._connection is not None
        return self._connection

    def _leave_lane(self) -> None:
        pooled, begun = self._pooled, self._require_direct().begun
        assert pooled is not None, "the unit of work guards against this"
        assert begun is not None
        self._connection = Connection(begun.sync_engine, pooled)
        self._pooled = None
        self._connection.begin()

    async def fetch(self, statement: Executable, parameters: Mapping[str, Any]) -> Rows:
        """One that gives rows and is built once, of a database with `engines.direct`."""
        direct = self._require_direct()
        read = direct.statements(statement)
        pooled = self._pooled
        if pooled is None:
            connection = await self.leave_lane()
            refuse_after_failure(connection)
            pooled = connection.connection
        try:
            records = await direct.transactions.fetch(pooled, read, parameters)
        except BaseException as error:
            await greenlet_spawn(report_error, await self.leave_lane(), read.sql, error)
            raise
        return Rows(read.rows(records))

    async def commit(self) -> None:
        if self._pooled is None:
            await greenlet_spawn((await self.leave_lane()).commit)
            return
        try:
            await self._require_direct().transactions.commit(self._pooled)
        except BaseException as error:
            await greenlet_spawn(report_error, await self.leave_lane(), "COMMIT", error)

    async def invalidate(self) -> None:
        await greenlet_spawn((await self.leave_lane()).invalidate)

    async def close(self) -> None:
        """Rolls back what is not committed. Raises no `Exception`."""
        if self.close_at_once():
            return
        try:
            await greenlet_spawn((await self.leave_lane()).close)
        except Exception as error:  # the connection was lost, and with it the transaction; it has been dropped
            log.debug("a connection was dropped: %r", error)
        finally:
            self._connection = None

    def close_at_once(self) -> bool:
        """If there is nothing to wait for; else False, and nothing is done."""
        pooled = self._pooled
        if pooled is None:
            return self._connection is None
        direct = self._require_direct()
        pool = pool_of(pooled)
        if pool.must_return or direct.transactions.is_begun(pooled):
            return False
        self._pooled = None
        pool.release(pooled)
        return True

    def abort(self) -> None:
        """Called while one of the others is under way; see `cut`."""
        abort(self._connection)
        if self._pooled is not None:
            cut(self._pooled.driver_connection)

    def _require_direct(self) -> Direct:
        direct = self._direct
        assert direct is not None
        return direct
