"""The tests of the use cases are many and small: they share one database of each backend, emptied after each test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from steward.adapters.clock import system_clock
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.adapters.memory import MemoryDatabase
from steward.testing import Clock

from tests.conftest import PATIENT, Postgres
from tests.support.given import Store


@pytest_asyncio.fixture(scope="session")
async def kept_sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    async with Database(
        f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('use_cases') / 'steward.db'}", pool=PATIENT
    ) as database:
        await schema.upgrade(database)
        yield database


@pytest_asyncio.fixture(scope="session")
async def kept_sqlite_memory() -> AsyncIterator[Database]:
    async with Database("sqlite+aiosqlite:///:memory:", pool=PATIENT) as database:
        await schema.upgrade(database)
        yield database


@pytest_asyncio.fixture(scope="session")
async def kept_postgres(postgres: Postgres) -> AsyncIterator[Database]:
    url = await postgres.create()
    async with Database(url, pool=PATIENT) as database:
        yield database
    await postgres.drop(url)


@pytest.fixture
def kept_database(backend: str, request: pytest.FixtureRequest) -> Database | None:
    if backend == "memory":
        return None
    database: Database = request.getfixturevalue(f"kept_{backend.replace('-', '_')}")
    return database


@pytest_asyncio.fixture
async def store(kept_database: Database | None) -> AsyncIterator[Store]:
    """Whatever makes units of work, in every backend, with nobody and nothing in it."""
    if kept_database is None:
        yield MemoryDatabase()
        return
    yield kept_database
    assert kept_database.checked_out() == 0, "a connection was left checked out"
    kept_database.clock = system_clock
    async with kept_database.session() as session:
        await session.execute(text("DELETE FROM items"))
        await session.execute(text("DELETE FROM users"))  # sessions and tokens go along
        await session.execute(text("DELETE FROM attempt_counters"))
        await session.execute(text("DELETE FROM idempotency_keys"))


@pytest.fixture
def clock(store: Store) -> Clock:
    """The store's, standing still until the test moves it."""
    clock = Clock()
    store.clock = clock
    return clock
