"""A PostgreSQL that is out of reach, and nobody says so: packets are lost, and no connection is reset.

Every place where we wait for it has an end, and when it is back the next use works.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from steward.adapters.database.database import Database
from steward.adapters.database.drivers import connector
from steward.adapters.database.engines import PoolSettings
from steward.domain.errors import OutcomeUnknown

from tests.conftest import PATIENT
from tests.support.leaks import assert_nothing_is_left
from tests.support.notes import add_note, create_tables, texts
from tests.support.proxy import Proxy

# Seconds. Without our limits the first to give up would be asyncpg, after a minute.
LIMIT = 30.0
SHORT = replace(PATIENT, size=4, connect=2.0, statement=1.5, ping=0.0)


@pytest_asyncio.fixture
async def proxy(empty_postgres_url: str) -> AsyncIterator[Proxy]:
    url = make_url(empty_postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with Database(empty_postgres_url, pool=PATIENT) as direct:
        await create_tables(direct)
    async with Proxy(url.host, url.port).open() as proxy:
        yield proxy


@asynccontextmanager
async def through(proxy: Proxy, url: str, pool: PoolSettings = SHORT) -> AsyncIterator[Database]:
    through_proxy = make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
    async with Database(through_proxy, pool=pool) as database:
        yield database
        lose_no_more(proxy)
        for opener in (database.session, database.reader):
            await asyncio.sleep(0.6)  # a silent server is asked again every half second
            async with asyncio.timeout(LIMIT), opener() as session:
                assert await session.scalar(text("SELECT 1")) == 1
        await assert_nothing_is_left(database)


def lose(proxy: Proxy, how: str) -> None:
    if how == "late":
        proxy.flowing.clear()
    else:
        proxy.is_swallowing = True


def lose_no_more(proxy: Proxy) -> None:
    proxy.is_swallowing = False
    proxy.flowing.set()


ways = pytest.mark.parametrize("how", ["late", "lost"])


async def test_connecting_has_an_end(proxy: Proxy, empty_postgres_url: str) -> None:
    async with through(proxy, empty_postgres_url) as database:
        lose(proxy, "lost")
        async with asyncio.timeout(LIMIT):
            with pytest.raises(TimeoutError):
                async with database.session() as session:
                    await session.execute(text("SELECT 1"))


async def test_a_silent_server_is_not_waited_for_by_one_after_the_other(
    proxy: Proxy, empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with through(proxy, empty_postgres_url) as database:
        lose(proxy, "lost")
        monkeypatch.setattr(connector, "_PAUSE", 60.0)
        with pytest.raises(TimeoutError):
            async with database.session() as session:
                await session.execute(text("SELECT 1"))
        with pytest.raises(ConnectionError, match="did not answer a moment ago"):
            async with database.session() as session:
                await session.execute(text("SELECT 1"))
        with monkeypatch.context() as patched:
            # A minute later; the event loop's clock stays as it is.
            patched.setattr(connector, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 61))
            lose_no_more(proxy)
            async with database.session() as session:
                await session.execute(text("SELECT 1"))


async def test_the_check_of_an_idle_connection_has_an_end(proxy: Proxy, empty_postgres_url: str) -> None:
    async with through(proxy, empty_postgres_url) as database:
        await texts(database)
        lose(proxy, "lost")
        async with asyncio.timeout(LIMIT):
            with pytest.raises(TimeoutError):
                async with database.session() as session:
                    await session.execute(text("SELECT 1"))


@ways
@pytest.mark.parametrize("opener", ["session", "reader"])
async def test_a_statement_has_an_end(proxy: Proxy, empty_postgres_url: str, how: str, opener: str) -> None:
    async with through(proxy, empty_postgres_url) as database:
        async with asyncio.timeout(LIMIT):
            with pytest.raises(TimeoutError):
                async with getattr(database, opener)() as session:
                    await session.execute(text("SELECT 1"))
                    lose(proxy, how)
                    await session.execute(text("SELECT 2"))
        assert database.checked_out() == 0


@ways
async def test_a_commit_has_an_end_and_its_outcome_is_unknown(proxy: Proxy, empty_postgres_url: str, how: str) -> None:
    async with through(proxy, empty_postgres_url) as database:
        async with asyncio.timeout(LIMIT):
            with pytest.raises(OutcomeUnknown):
                async with database.session() as session:
                    await add_note(session, "perhaps")
                    lose(proxy, how)


@ways
async def test_a_rollback_has_an_end_and_the_error_of_the_block_arrives(
    proxy: Proxy, empty_postgres_url: str, how: str
) -> None:
    async with through(proxy, empty_postgres_url) as database:
        async with asyncio.timeout(LIMIT):
            with pytest.raises(KeyError):
                async with database.session() as session:
                    await add_note(session, "never")
                    lose(proxy, how)
                    raise KeyError
    async with Database(empty_postgres_url, pool=PATIENT) as direct:
        assert await texts(direct) == set()


async def test_a_pool_full_of_connections_closes_at_once_and_not_one_after_the_other(
    proxy: Proxy, empty_postgres_url: str
) -> None:
    through_proxy = make_url(empty_postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
    database = Database(through_proxy, pool=PATIENT)
    gate = asyncio.Barrier(16)

    async def read() -> None:
        async with database.reader() as session:
            await session.execute(text("SELECT 1"))
            await gate.wait()

    await asyncio.gather(*(read() for _ in range(16)))
    lose(proxy, "lost")
    async with asyncio.timeout(LIMIT):
        await database.aclose()
    assert not database.engines.background_closer


async def test_a_tls_handshake_has_an_end() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def agree_to_tls_and_say_no_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.readexactly(8)
        writer.write(b"S")

    server = await asyncio.start_server(agree_to_tls_and_say_no_more, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Database(f"postgresql+asyncpg://postgres@127.0.0.1:{port}/db?ssl=require", pool=SHORT) as database:
        async with asyncio.timeout(LIMIT):
            with pytest.raises(TimeoutError):
                async with database.session() as session:
                    await session.execute(text("SELECT 1"))
        assert len(connections) == 1
    server.close()
    for writer in connections:
        writer.transport.abort()
