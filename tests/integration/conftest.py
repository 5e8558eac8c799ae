"""Databases for the tests of plain sessions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database

from tests.conftest import PATIENT, Postgres
from tests.support.notes import create_tables


@pytest_asyncio.fixture(scope="session")
async def empty_postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create(empty=True)
    yield url
    await postgres.drop(url)


@pytest.fixture
def notes_url(database_backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    match database_backend:
        case "postgres":
            return str(request.getfixturevalue("empty_postgres_url"))
        case "sqlite":
            return f"sqlite+aiosqlite:///{tmp_path / 'notes.db'}"
        case _:
            return "sqlite+aiosqlite:///:memory:"


@pytest_asyncio.fixture
async def notes(notes_url: str) -> AsyncIterator[Database]:
    """An open database with the tables of `tests.support.notes`; the test must leave no connection behind."""
    async with Database(notes_url, pool=PATIENT) as database:
        await create_tables(database)
        yield database
        assert database.checked_out() == 0, "a connection was left checked out"
