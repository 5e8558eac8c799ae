"""A closed database stays closed, and closing it is never half done."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
import steward
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.domain.errors import DatabaseUnavailable

from tests.conftest import PATIENT

CLOSED = "The database has been closed"


async def _refuses_everything(database: Database) -> None:
    uow = database.unit_of_work()
    for block in (uow, uow.reading(), database.session(), database.reader()):
        with pytest.raises(DatabaseUnavailable, match=CLOSED):
            async with block:
                pytest.fail("it was entered")
    assert database.checked_out() == 0


async def test_a_closed_database_is_not_opened_again(database_url: str) -> None:
    database = Database(database_url, pool=PATIENT)
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
    await database.aclose()
    await _refuses_everything(database)
    await database.aclose()
    async with database:
        await _refuses_everything(database)


async def test_a_unit_of_work_from_before_is_refused_too(database: Database) -> None:
    uow = database.unit_of_work()
    async with uow.reading():
        assert await uow.users.is_empty() in (True, False)
    await database.aclose()
    with pytest.raises(DatabaseUnavailable, match=CLOSED):
        async with uow:
            pass


async def test_nothing_works_after_an_open_block(tmp_path: Path) -> None:
    async with steward.open(f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}", migrate=True) as opened:
        database = opened.database
    await _refuses_everything(database)


class _BrokenPool:
    async def dispose(self) -> None:
        raise OSError("broken")


async def test_closing_goes_on_when_a_step_fails() -> None:
    database = Database("sqlite+aiosqlite:///:memory:", pool=PATIENT)
    engines, [pool] = database.engines, database.engines.pools
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
    engines.pools = (_BrokenPool(), pool)  # type: ignore[assignment]
    engines.background_closer.start(asyncio.sleep(0.05))
    with pytest.raises(OSError, match="broken"):
        await database.aclose()
    _is_closed(database)


async def test_closing_is_run_to_its_end_when_it_is_cancelled() -> None:
    database = Database("sqlite+aiosqlite:///:memory:", pool=PATIENT)
    database.engines.background_closer.start(asyncio.sleep(0.05))
    closing = asyncio.create_task(database.aclose())
    await asyncio.sleep(0)
    for _ in range(3):
        closing.cancel()
        await asyncio.sleep(0.005)
    with pytest.raises(asyncio.CancelledError):
        await closing
    _is_closed(database)


def _is_closed(database: Database) -> None:
    engines = database.engines
    assert engines.pools[-1].pool.checkedin() == 0  # type: ignore[attr-defined]
    assert not engines.background_closer
    assert engines.anchor is not None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        engines.anchor.execute("SELECT 1")
