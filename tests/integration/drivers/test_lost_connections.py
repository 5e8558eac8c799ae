"""Connections to PostgreSQL that break, and those that are dropped (T6.2)."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from steward.adapters.database.database import Database

from tests.conftest import PATIENT
from tests.support import cancelling
from tests.support.cancelling import Style
from tests.support.leaks import assert_nothing_is_left, open_transactions
from tests.support.notes import ENDLESS, add_note, create_tables, texts
from tests.support.proxy import Proxy


async def terminate_all_backends(url: str) -> None:
    """Return when they have gone, however long the server takes."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        gone = await connection.fetchval(
            "SELECT bool_and(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend' AND pid != pg_backend_pid()"
        )
        assert gone is True, "there was none, or it is still there"
    finally:
        await connection.close()


async def fill_the_pool(database: Database, size: int) -> None:
    gate = asyncio.Barrier(size)

    async def read() -> None:
        async with database.reader() as session:
            await session.execute(text("SELECT 1"))
            await gate.wait()

    await asyncio.gather(*(read() for _ in range(size)))


async def test_idle_connections_that_were_lost_are_replaced_before_they_are_used(empty_postgres_url: str) -> None:
    """T6.2"""
    async with Database(empty_postgres_url, pool=replace(PATIENT, size=3, ping=0)) as database:
        await create_tables(database)
        for opener in (database.session, database.reader):
            await fill_the_pool(database, 3)
            await terminate_all_backends(empty_postgres_url)
            for _ in range(4):
                async with opener() as session:
                    assert await session.scalar(text("SELECT 1")) == 1
        await assert_nothing_is_left(database)


async def test_a_connection_lost_in_a_block_is_an_error_and_the_next_block_works(empty_postgres_url: str) -> None:
    """T6.2"""
    async with Database(empty_postgres_url, pool=PATIENT) as database:
        await create_tables(database)
        with pytest.raises(DBAPIError):
            async with database.session() as session:
                await add_note(session, "lost")
                await terminate_all_backends(empty_postgres_url)
                await session.execute(text("SELECT 1"))

        assert await texts(database) == set()
        await assert_nothing_is_left(database)


@pytest.mark.parametrize("style", cancelling.STYLES)
async def test_a_cancelled_statement_answers_at_once_and_is_cleaned_up_in_the_background(
    empty_postgres_url: str, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does not answer the request to cancel, and nobody but `aclose` waits for it."""
    close = asyncpg.Connection.close

    async def close_patiently(connection: Any, *, timeout: float | None = None) -> None:
        await close(connection, timeout=60)  # after the usual 2 s there would be nothing left to see

    monkeypatch.setattr(asyncpg.Connection, "close", close_patiently)
    url = make_url(empty_postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with Proxy(url.host, url.port).open() as proxy:
        through_proxy = url.set(port=proxy.port).render_as_string(hide_password=False)
        database = Database(through_proxy, pool=PATIENT)
        background_closer = database.engines.background_closer
        await fill_the_pool(database, 1)

        async def work() -> None:
            async with database.session() as session:
                await session.execute(ENDLESS["postgresql"])

        async def until_it_runs_and_the_server_is_out_of_reach() -> None:
            while await open_transactions(Database(empty_postgres_url, pool=PATIENT)) == 0:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)
            proxy.flowing.clear()

        await style(work, until_it_runs_and_the_server_is_out_of_reach)

        assert database.checked_out() == 0
        assert len(background_closer) == 1  # it still tries to stop the statement

        proxy.flowing.set()
        await database.aclose()
        assert len(background_closer) == 0
