"""What must not be left behind, whatever happened."""

import asyncio
import contextvars
import sqlite3
import time

import asyncpg
from sqlalchemy import text
from steward.adapters.database.database import Database

_LIMIT = 60.0  # seconds; what is left for good must end the test


async def assert_nothing_is_left(database: Database) -> None:
    assert database.checked_out() == 0
    if database.dialect == "postgresql":
        await database.engines.background_closer.wait()
        await _until_no_transaction_is_open(database)
    elif database.engines.anchor is None:
        await assert_nobody_writes(str(database.url.database))
    await _all_connections_answer(database)


async def _until_no_transaction_is_open(database: Database) -> None:
    """The server may need a moment to notice that a connection was closed."""
    async with asyncio.timeout(_LIMIT):
        while await open_transactions(database):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)


async def open_transactions(database: Database) -> int:
    """On PostgreSQL, as the server sees it."""
    connection = await asyncpg.connect(database.url.render_as_string(hide_password=False).replace("+asyncpg", ""))
    try:
        number = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid() AND state != 'idle'"
            " AND backend_type = 'client backend'"  # autovacuum comes when it likes
        )
    finally:
        await connection.close()
    return int(number)


async def assert_nobody_writes(path: str) -> None:
    """Fails if somebody holds the write lock of the SQLite file, and keeps it: a connection that was dropped ends in
    its own thread, a moment later."""
    give_up_at = time.monotonic() + _LIMIT
    while time.monotonic() < give_up_at:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE").close()
            connection.execute("ROLLBACK").close()
            return
        except sqlite3.OperationalError:
            await asyncio.sleep(0.01)
        finally:
            connection.close()
    raise AssertionError("The write lock is held")


async def _all_connections_answer(database: Database) -> None:
    size = database.pool_settings.size if database.engines.anchor is None else 1
    gate = asyncio.Barrier(size)

    async def read() -> None:
        async with database.reader() as session:
            await session.execute(text("SELECT 1"))
            await gate.wait()  # all of them at the same time

    # If one fails, the others are cancelled: left waiting, they would fail a later test.
    async with asyncio.TaskGroup() as tasks:
        for _ in range(size):
            tasks.create_task(read(), context=contextvars.Context())
