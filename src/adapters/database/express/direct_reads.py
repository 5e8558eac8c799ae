"""Reading blocks, which need no transaction: each of their statements goes straight to the driver."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from ..drivers.lost_connections import comes_from_server, cut, is_lost
from ..drivers.refused_reads import READ_ATTEMPTS, is_refused_read
from .direct_statements import DirectStatement, Rows
from .inline_reads import InlineReads
from .warm_pool import connection_of, driver_of, release


class DirectReads:
    """Of one reading block after the other, each on one connection of the pool: taken by the first statement, given
    back by `end`. Outside a transaction, so each statement sees its own snapshot."""

    def __init__(self, engine: Callable[[], AsyncEngine], inline: InlineReads | None) -> None:
        self._engine = engine
        self._inline = inline
        self._connection: PoolProxiedConnection | None = None

    async def fetch(self, direct: DirectStatement, parameters: Mapping[str, Any]) -> Rows:
        """Raises what the driver raises, and what SQLAlchemy raises when it connects."""
        if self._inline is not None:
            rows = await self._inline.fetch(direct.sql, direct.arguments(parameters))
            if rows is not None:
                return Rows(direct.rows(rows), direct.names)
        if self._connection is None:
            await self.connect()
        assert self._connection is not None
        driver = driver_of(self._connection)
        for attempt in range(READ_ATTEMPTS):
            try:
                records = await driver.fetch(direct.sql, *direct.arguments(parameters))
            except BaseException as error:
                if is_refused_read(error) and attempt < READ_ATTEMPTS - 1:
                    continue
                await self._repair(driver, error)
                raise
            return Rows(direct.rows(records), direct.names)
        raise AssertionError("unreachable")

    @property
    def needs_connection(self) -> bool:
        """Before a statement is compiled: the SQL may depend on what is learnt of the server by connecting."""
        return self._connection is None and self._inline is None

    async def connect(self) -> None:
        self._connection = await connection_of(self._engine())

    def end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            release(connection)

    def abort(self) -> None:
        if self._connection is not None:
            cut(self._connection.driver_connection)

    async def _repair(self, driver: Any, error: BaseException) -> None:
        """A connection to PostgreSQL that was cancelled is in the middle of a statement; with one that is lost all that
        are as old are lost; one whose arguments could not be sent has to be synchronized."""
        connection = self._connection
        if connection is None or not hasattr(driver, "synchronize"):
            return  # SQLite's has run the statement to its end, or is closed
        if is_lost(error) or driver.is_closed():
            self._engine().pool._invalidate(connection, error)  # noqa: SLF001 - as SQLAlchemy does
        elif not isinstance(error, Exception) or (not comes_from_server(error) and not await driver.synchronize()):
            connection.invalidate(error)
        if not connection.is_valid:
            self._connection = None
