"""PostgreSQL through PgBouncer in transaction mode: each transaction may be another server connection's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from steward.adapters.database.database import Database
from steward.domain.errors import DatabaseUnavailable, ReadOnly

from tests.conftest import PATIENT
from tests.support.leaks import assert_nothing_is_left
from tests.support.notes import add_note, create_tables, texts
from tests.support.pgbouncer import PgBouncer, needs_pgbouncer

pytestmark = needs_pgbouncer

POOLED = replace(PATIENT, size=3, pooler="pgbouncer", statement=30.0)
SETTINGS = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "2min",
    "client_connection_check_interval": "500ms",
    "jit": "off",
    "TimeZone": "UTC",
    "application_name": "steward",
}


@pytest.fixture
def bouncer(empty_postgres_url: str) -> Iterator[PgBouncer]:
    bouncer = PgBouncer(empty_postgres_url, pool_size=4)
    yield bouncer
    bouncer.stop()


@pytest.fixture
def url(bouncer: PgBouncer, empty_postgres_url: str) -> str:
    return bouncer.url(empty_postgres_url)


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database(url, pool=POOLED) as database:
        await create_tables(database)
        yield database
        assert database.checked_out() == 0


async def test_without_the_setting_it_is_refused_and_not_half_working(url: str) -> None:
    async with Database(url, pool=PATIENT) as database:
        with pytest.raises(DatabaseUnavailable):
            async with database.unit_of_work() as uow:
                await uow.users.is_empty()


@pytest.mark.parametrize("opener", ["session", "reader"])
async def test_every_transaction_has_the_settings_that_a_connection_cannot_bring(
    database: Database, opener: str
) -> None:
    async with getattr(database, opener)() as session:
        assert {name: await session.scalar(text(f"SHOW {name}")) for name in SETTINGS} == SETTINGS
        assert await session.scalar(text("SHOW transaction_read_only")) == {"session": "off", "reader": "on"}[opener]


async def test_they_are_not_left_to_the_next_user_of_the_server_connection(database: Database, url: str) -> None:
    await texts(database)
    async with Database(url, pool=replace(POOLED, statement=7.0)) as other, other.session() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "7s"


async def test_a_reader_is_refused_by_the_database_when_it_writes(database: Database) -> None:
    with pytest.raises(ReadOnly):
        async with database.reader() as session:
            await add_note(session, "never")
    assert await texts(database) == set()


@pytest.mark.parametrize("opener", ["session", "reader"])
async def test_a_statement_that_takes_too_long_is_ended_by_the_server(url: str, opener: str) -> None:
    async with Database(url, pool=replace(POOLED, statement=1.0)) as database:
        with pytest.raises(DBAPIError, match="statement timeout"):
            async with getattr(database, opener)() as session:
                await session.execute(text("SELECT pg_sleep(600)"))
        await assert_nothing_is_left(database)


async def test_a_cancelled_statement_ends_and_its_server_connection_serves_others(database: Database) -> None:
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), database.session() as session:
                await add_note(session, "never")
                await session.execute(text("SELECT pg_sleep(600)"))
    await assert_nothing_is_left(database)
    assert await texts(database) == set()


async def test_more_at_once_than_server_connections_all_get_their_own_answers(database: Database, url: str) -> None:
    """With prepared statements some of them would get each other's."""
    async with Database(url, pool=POOLED) as other:

        async def ask(number: int) -> int | None:
            async with (database, other)[number % 2].reader() as session:
                columns = ", ".join(str(number + column) for column in range(1 + number % 7))
                answer: int | None = await session.scalar(text(f"SELECT {columns}"))
                return answer

        assert await asyncio.gather(*(ask(number) for number in range(100))) == list(range(100))
