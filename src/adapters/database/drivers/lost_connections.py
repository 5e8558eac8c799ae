"""Connections to PostgreSQL that are lost: they are found out before they are used, dropped with all others, or cut."""

import time
from typing import Any

import asyncpg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_

IDLE_SINCE = "steward_idle_since"  # in the `info` of an idle connection: seconds of `time.monotonic`

# The server ends: 57P01 to 57P03. The connection is broken: class 08. A standby, which was the primary: 25006.
_LOST = ("57P0", "08", "25006")


def drop_if_lost(context: ExceptionContext) -> None:
    """Drop this connection and, before they are used again, all that are as old.

    SQLAlchemy asks asyncpg whether the connection is closed. It is not yet when the server has only said that it ends;
    nor when it did not answer in time, which asyncpg tells by an error of the operating system: a ROLLBACK would wait
    for its answer just as long.
    """
    if is_lost(context.original_exception):
        context.is_disconnect = True


def is_lost(error: BaseException) -> bool:
    """asyncpg calls it an error of its own (InternalClientError) when a server's farewell has come already, and the end
    of the connection has not."""
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, (OSError, asyncpg.InternalClientError)) or state.startswith(_LOST)


def comes_from_server(error: BaseException) -> bool:
    """asyncpg raises the classes of the server's errors for arguments that it cannot encode, too."""
    return isinstance(error, asyncpg.PostgresError) and getattr(error, "severity", None) is not None


def check_at_checkout(engine: Engine, *, after: float, timeout: float) -> None:
    """Ask a connection that has idled for `after` seconds whether it is still there; `timeout` seconds are enough.

    Asking at each checkout (`pool_pre_ping`) costs a small transaction two fifths of its time; this costs a busy
    pool nothing. One that the server has closed is known without asking. If one is lost, all that are as old are
    replaced before they are used.
    """

    event.listen(engine, "checkin", _remember_idle)
    pool: Any = engine.pool
    pool.longest_idle, pool.is_closed = after, asyncpg.Connection.is_closed

    @event.listens_for(engine, "checkout")
    def check(connection: Any, entry: ConnectionPoolEntry, _: Any) -> None:
        idle = _idle_for(entry)
        if idle is None:  # just connected
            return
        driver: asyncpg.Connection = connection.driver_connection
        if driver.is_closed() or (idle >= after and not _answers(driver, timeout)):
            raise InvalidatePoolError


def _remember_idle(_: Any, entry: ConnectionPoolEntry) -> None:
    """A listener to `checkin`. What was kept before has idled since then."""
    entry.info.setdefault(IDLE_SINCE, time.monotonic())


def _idle_for(entry: ConnectionPoolEntry) -> float | None:
    """Seconds, at a checkout; None if it has just been connected."""
    since = entry.info.pop(IDLE_SINCE, None)
    return None if since is None else time.monotonic() - since


def _answers(driver: asyncpg.Connection, timeout: float) -> bool:
    try:
        await_(driver.execute("SELECT 1", timeout=timeout))  # one round trip; SQLAlchemy's own ping takes three
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True


def abort(connection: Connection | None) -> None:
    """Cut it, as `cut`."""
    if connection is not None and not connection.closed and not connection.invalidated:
        cut(connection.connection.driver_connection)


def cut(driver: Any) -> None:
    """Without a word to the server: whoever waits for an answer by it gets an error at once.

    For a server that does not answer. On SQLite it does nothing: a disk that does not answer cannot be left.
    """
    if isinstance(driver, asyncpg.Connection):
        asyncpg.Connection.terminate(driver)  # ours would ask the server to cancel, first
