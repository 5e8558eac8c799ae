"""Promise 9 on the level of connections: a failed statement is not forgotten, whoever swallows its error.

After a failed statement PostgreSQL answers COMMIT with ROLLBACK, and neither asyncpg nor SQLAlchemy says so: the
caller believes a commit that was none. SQLite would commit what came before. With these listeners both refuse.
pgjdbc does the same since 42.2.11 (pgjdbc issue 1697).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.util import await_

from ...domain.errors import ConcurrentUse, StewardError, TransactionAborted
from .drivers.lost_connections import comes_from_server

_FAILURE = "steward_failure"


def remember_failed_statements(engine: Engine) -> None:
    """Install the listeners; those for cancellation only where the driver survives one (aiosqlite)."""
    event.listen(engine, "handle_error", _remember)
    event.listen(engine, "before_cursor_execute", _refuse_statement)
    event.listen(engine, "commit", _refuse_commit)
    event.listen(engine, "begin", _forget)
    event.listen(engine, "rollback", _forget)
    event.listen(engine, "rollback_savepoint", _forget_unless_cancelled)
    event.listen(engine, "reset", _end_transaction)
    event.listen(engine, "checkin", _drop_if_not_idle)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "handle_error", _synchronize)
        event.listen(engine, "after_cursor_execute", _lock_fetches)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "handle_error", _keep_connection)


def _remember(context: ExceptionContext) -> None:
    connection = context.connection
    if connection is not None and not connection.closed and not connection.invalidated:
        connection.info.setdefault(_FAILURE, context.original_exception)  # the first is the cause of the others


def _keep_connection(context: ExceptionContext) -> None:
    # SQLAlchemy takes a cancellation for a lost connection. Our aiosqlite connection has run the call to its end, so
    # it is whole; dropping it would drop an in-memory database with it. Never do this on asyncpg: its protocol is
    # still in the middle of the statement, and later commits on such a connection are lost.
    if isinstance(context.original_exception, asyncio.CancelledError):
        context.is_disconnect = False


def _refuse_statement(
    connection: Connection, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool
) -> None:
    if not statement.startswith("ROLLBACK TO"):
        refuse_after_failure(connection)


def refuse_after_failure(connection: Connection) -> None:
    """Raises `TransactionAborted` if a statement of this transaction has failed."""
    failure = connection.info.get(_FAILURE)
    if failure is not None:
        raise TransactionAborted("The transaction had failed and can only be rolled back") from failure


def _refuse_commit(connection: Connection) -> None:
    failure = connection.info.get(_FAILURE)
    if failure is not None:
        raise TransactionAborted("A statement of this transaction had failed: nothing is committed") from failure


def _synchronize(context: ExceptionContext) -> None:
    """After an error that the driver has raised by itself, the connection may be in the middle of a message."""
    connection, error = context.connection, context.original_exception
    if context.is_disconnect or connection is None or not isinstance(error, Exception):
        return  # it is dropped
    if isinstance(error, StewardError):
        return  # our own refusal: nothing was sent
    if not comes_from_server(error.__cause__ or error) and not connection.invalidated:
        driver: Any = connection.connection.driver_connection
        context.is_disconnect = driver.is_closed() or not await_(driver.synchronize())


def _end_transaction(connection: Any, _: ConnectionPoolEntry, state: PoolResetState) -> None:
    # SQLAlchemy takes a COMMIT that raised for the end of the transaction and does not roll back. It has not ended
    # if it was refused here, or by SQLite for a deferred constraint. Outside a transaction this costs nothing.
    if state.asyncio_safe and state.transaction_was_reset:
        connection.rollback()


def _forget(connection: Connection, *_: object) -> None:
    if not connection.invalidated:
        connection.info.pop(_FAILURE, None)


def _forget_unless_cancelled(connection: Connection, *_: object) -> None:
    # An interrupted statement has rolled the whole transaction back on SQLite: no savepoint is left to go on from.
    if not connection.invalidated and isinstance(connection.info.get(_FAILURE), Exception):
        connection.info.pop(_FAILURE)


# Who uses a connection behind its session's back, and what becomes of the connection


def driver_lock(connection: Connection | None) -> asyncio.Lock | None:
    """What SQLAlchemy's adapter holds while a statement runs on this connection."""
    if connection is None or connection.closed or connection.invalidated:
        return None
    lock: asyncio.Lock = connection.connection.dbapi_connection._execute_mutex  # type: ignore[union-attr]  # noqa: SLF001
    return lock


def _drop_if_not_idle(connection: Any, entry: ConnectionPoolEntry) -> None:
    """The last net: a connection that is busy, or inside a transaction, would break its next user's. One that stays at
    hand (`WarmPool`) does not come by: it has been asked before."""
    if connection is None:
        return
    driver = connection.driver_connection
    if isinstance(driver, aiosqlite.Connection):
        in_transaction = driver._connection is not None and driver.in_transaction  # noqa: SLF001
    else:
        in_transaction = not driver.is_closed() and driver.is_in_transaction()
    if in_transaction or connection._execute_mutex.locked():  # noqa: SLF001
        entry.invalidate()


def _lock_fetches(_: Connection, cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    if getattr(cursor, "server_side", False):
        context.cursor = _LockedStream(cursor)


class _LockedStream:
    """A server-side cursor each fetch of which holds the lock that statements hold, and that ends with its transaction.

    A task may still read when the session's block is left, and would read from under the connection's next user.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._adapter = cursor._adapt_connection  # noqa: SLF001
        self._transaction = self._adapter._transaction  # noqa: SLF001

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def fetchone(self) -> Any:
        return self._locked(self._cursor.fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        return self._locked(self._cursor.fetchmany, size)

    def fetchall(self) -> Any:
        return self._locked(self._cursor.fetchall)

    def _locked(self, fetch: Callable[..., Any], *args: Any) -> Any:
        lock: asyncio.Lock = self._adapter._execute_mutex  # noqa: SLF001
        await_(lock.acquire())
        try:
            if self._adapter._transaction is not self._transaction:  # noqa: SLF001
                raise ConcurrentUse("The transaction of this stream has ended")
            return fetch(*args)
        finally:
            lock.release()
