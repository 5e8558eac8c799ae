"""Statements inside a transaction, and its COMMIT, straight to the driver of a pooled connection.

As long as all goes well: an error is reported to SQLAlchemy, which then takes the transaction over as it stands
(`HeldConnection`).
"""

import sqlite3
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from ..drivers.sqlite_file import DatabaseFile
from .direct_statements import DirectStatement, DirectStatements
from .inline_reads import Limited
from .short_writes import WrittenTables, is_little
from .statement_log import StatementLog
from .warm_pool import driver_of


class DirectTransactions(Protocol):
    """How a driver does it. Everything raises what the driver raises, and `StorageError`."""

    def begin(self, pooled: PoolProxiedConnection) -> bool:
        """At once, or with the first statement. False if it would have to wait: nothing has begun then."""
        ...

    def is_begun(self, pooled: PoolProxiedConnection) -> bool: ...

    async def fetch(
        self, pooled: PoolProxiedConnection, statement: DirectStatement, parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]: ...

    async def commit(self, pooled: PoolProxiedConnection) -> None: ...


@dataclass(slots=True)
class Direct:
    """What goes straight to the driver.

    `takeover_engine` takes over a transaction which has begun so, and does not begin it again; it is None where
    SQLAlchemy begins them all. All of it is logged as SQLAlchemy logs statements.
    """

    statements: DirectStatements
    transactions: DirectTransactions
    takeover_engine: AsyncEngine | None
    log: StatementLog


class PostgresTransactions:
    """BEGIN is sent with the first statement, by SQLAlchemy's adapter, which thus knows of it."""

    def begin(self, pooled: PoolProxiedConnection) -> bool:
        return True

    def is_begun(self, pooled: PoolProxiedConnection) -> bool:
        adapter: Any = pooled.dbapi_connection
        return adapter._transaction is not None  # noqa: SLF001 - as it asks itself

    async def fetch(
        self, pooled: PoolProxiedConnection, statement: DirectStatement, parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        adapter: Any = pooled.dbapi_connection
        driver = driver_of(pooled)
        if adapter._transaction is None:  # noqa: SLF001
            await adapter._start_transaction()  # noqa: SLF001 - as it does itself
        records: list[Sequence[Any]] = await driver.fetch(statement.sql, *statement.arguments(parameters))
        return records

    async def commit(self, pooled: PoolProxiedConnection) -> None:
        adapter: Any = pooled.dbapi_connection
        if adapter._transaction is not None:  # noqa: SLF001
            await adapter._call_and_discard(adapter._transaction.commit)  # noqa: SLF001 - as `commit` there


class SqliteTransactions:
    """BEGIN, small reads, and writes that take a bounded time, on the thread of the event loop (ADR 0027, 0032).

    COMMIT, which waits for the disk, and all other statements run on the connection's own thread, where a cancellation
    interrupts them.
    """

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file
        self._limited = Limited()
        self._tables = WrittenTables()
        # The one writer, which has no lock to wait for any more; weak, so that one that is lost can be collected.
        self._begun: weakref.ref[PoolProxiedConnection] | None = None

    def begin(self, pooled: PoolProxiedConnection) -> bool:
        self._file.refuse_if_moved()
        driver = driver_of(pooled)
        try:
            connection = driver._conn  # noqa: SLF001
        except ValueError:  # it is closed: SQLAlchemy finds that out, and connects again
            return False
        connection.execute("PRAGMA busy_timeout = 0").close()
        try:
            connection.execute("BEGIN IMMEDIATE").close()
            self._tables.look_up(connection)
            self._begun = weakref.ref(pooled)
        except sqlite3.Error:  # another process writes, or worse: the thread waits, and says what it is
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout = {self._file.busy_timeout * 1000:.0f}").close()
        return True

    def is_begun(self, pooled: PoolProxiedConnection) -> bool:
        driver = driver_of(pooled)
        return driver._connection is None or driver.in_transaction  # noqa: SLF001 - SQLAlchemy drops one that is closed

    async def fetch(
        self, pooled: PoolProxiedConnection, statement: DirectStatement, parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        driver = driver_of(pooled)
        arguments = statement.arguments(parameters)
        rows = None
        has_begun = self._begun is not None and pooled is self._begun()
        if has_begun and (not statement.writes or self._is_short(statement, arguments)):
            rows = await self._limited.fetch(driver._conn, statement.sql, arguments, writes=statement.writes)  # noqa: SLF001
        return await driver.fetch(statement.sql, *arguments) if rows is None else rows

    def _is_short(self, write: DirectStatement, arguments: Sequence[Any]) -> bool:
        return (
            write.finds_rows_by_key
            and self._tables.are_alone(write.table, deletes=write.deletes)
            and is_little(arguments)
        )

    async def commit(self, pooled: PoolProxiedConnection) -> None:
        driver = driver_of(pooled)
        await driver.commit()
