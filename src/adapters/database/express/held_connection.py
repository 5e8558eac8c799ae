"""The connection of a transaction that begins on the express lane."""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from ..connection_events import LISTENER, ConnectionListener
from ..drivers.lost_connections import abort, cut
from .direct_statements import DirectStatement, Rows, report_error
from .direct_transactions import Direct
from .warm_pool import connection_of, pool_of

log = logging.getLogger("steward.database")


class HeldConnection:
    """One after the other, each for one transaction that writes.

    As long as all goes well it is a connection of the pool that SQLAlchemy does not use (`_pooled`). To leave the lane
    makes it a `Connection` of SQLAlchemy's as it stands (`_connection`): inside the transaction that has begun.

    Everything raises what the drivers raise, or SQLAlchemy.
    """

    listener: ConnectionListener | None = None  # gets the failures after it has left the lane

    def __init__(self, direct: Direct) -> None:
        self._direct = direct
        self._pooled: PoolProxiedConnection | None = None
        self._connection: Connection | None = None

    async def begin(self) -> bool:
        """Return False if SQLAlchemy has to begin: nothing is held then."""
        if self._direct.takeover_engine is None:
            return False
        pooled = await connection_of(self._direct.takeover_engine)
        try:
            if self._direct.transactions.begin(pooled):
                self._pooled = pooled
        finally:
            if self._pooled is None:
                await greenlet_spawn(pooled.close)  # SQLAlchemy finds it there, and begins
        return self._pooled is not None

    async def fetch(self, statement: DirectStatement, parameters: Mapping[str, Any]) -> Rows:
        """Run a statement that gives rows and is built once."""
        try:
            records = await self._direct.transactions.fetch(self._connection_of_pool, statement, parameters)
        except BaseException as error:
            await greenlet_spawn(report_error, await greenlet_spawn(self.as_connection), statement.sql, error)
            raise
        return Rows(statement.rows(records), statement.names)

    async def commit(self) -> None:
        try:
            await self._direct.transactions.commit(self._connection_of_pool)
        except BaseException as error:
            await greenlet_spawn(report_error, await greenlet_spawn(self.as_connection), "COMMIT", error)

    def as_connection(self) -> Connection:
        """Inside a greenlet of SQLAlchemy's, which learns that the transaction has begun; the database does not."""
        if self._connection is None:
            assert self._direct.takeover_engine is not None
            self._direct.log.note(
                "leaves the express lane: SQLAlchemy goes on with the transaction, and calls that BEGIN"
            )
            self._connection = Connection(self._direct.takeover_engine.sync_engine, self._connection_of_pool)
            self._connection.execution_options(**{LISTENER: self.listener})
            self._pooled = None
            self._connection.begin()
        return self._connection

    async def invalidate(self) -> None:
        await greenlet_spawn((await greenlet_spawn(self.as_connection)).invalidate)

    async def close(self) -> None:
        """Rolls back what is not committed. Raises no `Exception`."""
        if self.close_at_once():
            return
        try:
            await greenlet_spawn((await greenlet_spawn(self.as_connection)).close)
        except Exception as error:  # the connection was lost, and with it the transaction; it has been dropped
            log.debug("a connection was dropped: %r", error)
        finally:
            self._connection = None

    def close_at_once(self) -> bool:
        """If there is nothing to wait for; else False, and nothing is done."""
        pooled = self._pooled
        if pooled is None:
            return self._connection is None
        pool = pool_of(pooled)
        if pool.must_return or self._direct.transactions.is_begun(pooled):
            return False
        self._pooled = None
        pool.release(pooled)
        return True

    def abort(self) -> None:
        """Called while one of the others is under way; see `cut`."""
        abort(self._connection)
        if self._pooled is not None:
            cut(self._pooled.driver_connection)

    @property
    def _connection_of_pool(self) -> PoolProxiedConnection:
        assert self._pooled is not None, "it has left the lane"
        return self._pooled
