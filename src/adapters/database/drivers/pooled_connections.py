"""Keeps pooled connections clean after a cancelled statement, or a use past the session."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiosqlite
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.util import await_

from ....domain.errors import ConcurrentUse, StewardError
from .left_state import drop_with_state, reset_state
from .lost_connections import comes_from_server


def keep_connections_clean(engine: Engine) -> None:
    """Install the listeners; those for cancellation only where the driver survives one (aiosqlite)."""
    event.listen(engine, "reset", _end_transaction)
    event.listen(engine, "reset", reset_state)
    event.listen(engine, "checkin", _drop_if_not_idle)
    event.listen(engine, "checkin", drop_with_state)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "handle_error", _synchronize)
        event.listen(engine, "after_cursor_execute", _lock_fetches)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "handle_error", _keep_connection)


def _keep_connection(context: ExceptionContext) -> None:
    # SQLAlchemy takes a cancellation for a lost connection. Our aiosqlite connection has run the call to its end, so
    # it is whole; dropping it would drop an in-memory database with it. Never do this on asyncpg: its protocol is
    # still in the middle of the statement, and later commits on such a connection are lost.
    if isinstance(context.original_exception, asyncio.CancelledError):
        context.is_disconnect = False


def _synchronize(context: ExceptionContext) -> None:
    error = context.original_exception
    connection = context.connection
    if context.is_disconnect or connection is None or connection.closed or not isinstance(error, Exception):
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
    driver, in_transaction = connection.driver_connection, False
    if isinstance(driver, aiosqlite.Connection):
        with suppress(ValueError):  # it has been closed
            in_transaction = driver.in_transaction
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
