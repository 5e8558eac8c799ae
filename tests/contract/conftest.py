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
from ..support.leaks import assert_nothing_is_left
from ..support.mapped import another_unit_writes, create_own_tables, empty_own_tables
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


# The tests of `uow.session`, with the tables of `tests.support.mapped`

HELD = PoolSettings(size=4, wait=60, statement=60)  # some of their statements run until the test lets them end


@pytest_asyncio.fixture(scope="session")
async def mapped_postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create()
    async with Database(url) as database:
        await create_own_tables(database)
    yield url
    await postgres.drop(url)


@pytest_asyncio.fixture(scope="session")
async def mapped_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = copyfile(sqlite_template, tmp_path_factory.mktemp("mapped") / "steward.db")
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        await create_own_tables(database)
    return path


@pytest.fixture
def mapped_url(database_backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database_backend == "postgres":
        return str(request.getfixturevalue("mapped_postgres_url"))
    if database_backend == "sqlite-memory":
        return "sqlite+aiosqlite:///:memory:"
    return f"sqlite+aiosqlite:///{copyfile(request.getfixturevalue('mapped_template'), tmp_path / 'steward.db')}"


@pytest_asyncio.fixture
async def mapped(mapped_url: str, mapped_template: Path) -> AsyncIterator[Database]:
    """A database with `tests.support.mapped`'s tables, empty; the test must leave nothing behind in it."""
    async with Database(mapped_url, pool=HELD) as database:
        if database.dialect == "postgresql":
            await empty(database)
            await empty_own_tables(database)
        elif mapped_url.endswith(":memory:"):
            copy_into_memory(mapped_template, database)
        yield database
        assert database.checked_out() == 0, "a connection was left checked out"
        await another_unit_writes(database)
        await assert_nothing_is_left(database)
