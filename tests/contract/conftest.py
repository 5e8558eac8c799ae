"""Stores for more than a thousand tests: on PostgreSQL they share one database, which is emptied for each."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from shutil import copyfile

import pytest
import pytest_asyncio
from steward.adapters.clock import system_clock
from steward.adapters.database.database import Database
from steward.adapters.database.engines import PoolSettings
from steward.adapters.database.tables import metadata
from steward.adapters.memory import MemoryDatabase
from steward.adapters.unit_of_work.transaction import TransactionMode
from steward.testing.promises import pytest_addoption, pytest_configure

from ..conftest import Postgres
from ..support.sqlite_files import copy_into_memory

# The suite asks for what is promised, not for how soon: a busy machine is no reason to send a test away.
PATIENT = PoolSettings(wait=60, connect=60, statement=60, busy=60)

__all__ = ["pytest_addoption", "pytest_configure"]  # `pytest tests/contract --promises`


@pytest_asyncio.fixture(scope="session")
async def postgres_to_share(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest.fixture
def origin(backend: str, request: pytest.FixtureRequest) -> str | Path | None:
    """What the store is made from: the URL of a database to empty, or a file to copy."""
    if backend == "memory":
        return None
    return request.getfixturevalue("postgres_to_share" if backend == "postgres" else "sqlite_template")  # type: ignore[no-any-return]


@pytest_asyncio.fixture
async def store(backend: str, origin: str | Path | None, tmp_path: Path) -> AsyncIterator[MemoryDatabase | Database]:
    """An empty store of this test alone; the test must leave no connection behind."""
    if origin is None:
        yield (memory := MemoryDatabase())
        assert memory.open_units == 0, "a unit of work was left open"
        return
    async with (
        Database(origin, pool=PATIENT)
        if isinstance(origin, str)
        else copy_of(origin, tmp_path if backend == "sqlite" else None)
    ) as database:
        if isinstance(origin, str):
            await empty(database)
        yield database
        assert database.checked_out() == 0, "a connection was left checked out"


async def empty(database: Database) -> None:
    """Delete every row of every table."""
    async with database.engines.by_mode[TransactionMode.WRITING].begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(table.delete())


def copy_of(template: Path, directory: Path | None, *, clock: Callable[[], datetime] = system_clock) -> Database:
    """A SQLite database in a file, or in memory if no directory is given."""
    if directory is not None:
        copyfile(template, directory / "steward.db")
        return Database(f"sqlite+aiosqlite:///{directory / 'steward.db'}", clock=clock, pool=PATIENT)
    database = Database("sqlite+aiosqlite:///:memory:", clock=clock, pool=PATIENT)
    copy_into_memory(template, database)
    return database
