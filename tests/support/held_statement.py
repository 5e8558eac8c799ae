"""A statement that runs in the database until the test lets it end, and a COMMIT that does."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import asyncpg.transaction
import pytest
from sqlalchemy import ColumnElement, TextClause, literal_column, text
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.adapters.database.drivers.sqlite import CancellationSafeConnection

LONGEST = 60  # seconds that a test waits for anything
_SQL = {
    "postgresql": "SELECT length(CAST(pg_advisory_xact_lock(42) AS text))",
    "sqlite": (
        "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE NOT may_end())"
        " SELECT i FROM n)"
    ),
}


class HeldStatement:
    """`statement` reads, and runs from when it is sent until `release`; `value` is the same inside another one."""

    def __init__(self, dialect: str) -> None:
        self.statement: TextClause = text(_SQL[dialect])
        self.value: ColumnElement[Any] = literal_column(f"({_SQL[dialect]})")

    async def running(self) -> None:
        """Return when the database is at it."""
        async with asyncio.timeout(LONGEST):
            while not await self._is_running():  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.002)

    async def release(self) -> None:
        raise NotImplementedError

    async def _is_running(self) -> bool:
        raise NotImplementedError


class _OnPostgres(HeldStatement):
    """A lock that another connection holds."""

    def __init__(self, other: asyncpg.Connection) -> None:
        super().__init__("postgresql")
        self._other = other

    async def release(self) -> None:
        await self._other.execute("SELECT pg_advisory_unlock_all()")

    async def _is_running(self) -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(await self._other.fetchval(waiting))


class _OnSqlite(HeldStatement):
    """A recursion that asks a function of ours after each row; it can be interrupted between two."""

    def __init__(self) -> None:
        super().__init__("sqlite")
        self._begun = threading.Event()
        self._released = threading.Event()

    def may_end(self) -> bool:
        self._begun.set()
        return self._released.wait(0.001)

    async def release(self) -> None:
        self._released.set()

    async def _is_running(self) -> bool:
        return self._begun.is_set()


@asynccontextmanager
async def held_statement(database: Database, session: AsyncSession) -> AsyncIterator[HeldStatement]:
    """For this session's transaction. Leaving the block releases it."""
    if database.dialect == "postgresql":
        other = await asyncpg.connect(database.url.render_as_string(hide_password=False).replace("+asyncpg", ""))
        try:
            await other.execute("SELECT pg_advisory_lock(42)")
            yield _OnPostgres(other)
        finally:
            await other.close()
    else:
        held = _OnSqlite()
        raw = await (await session.connection()).get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.create_function("may_end", 0, held.may_end)
        try:
            yield held
        finally:
            await held.release()


class HeldCommit:
    """The next COMMIT, at the driver: `reached` is set before it is sent, and `release` lets it go."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = asyncio.Event()
        self.released = asyncio.Event()
        driver: Any = (
            asyncpg.transaction.Transaction if database.dialect == "postgresql" else CancellationSafeConnection
        )
        commit = driver.commit

        async def held(connection: Any) -> None:
            monkeypatch.setattr(driver, "commit", commit)
            self.reached.set()
            await self.released.wait()
            await commit(connection)

        monkeypatch.setattr(driver, "commit", held)
