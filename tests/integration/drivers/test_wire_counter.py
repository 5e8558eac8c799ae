"""That the counting proxy counts what a client does: other tests hold the product to its numbers."""

import asyncio
import struct
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import make_url

from ...support.wire_counter import WireCounter


@pytest_asyncio.fixture
async def counter(postgres_url: str) -> AsyncIterator[WireCounter]:
    url = make_url(postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with WireCounter(url.host, url.port) as counter:
        yield counter


@pytest_asyncio.fixture
async def connection(counter: WireCounter, postgres_url: str) -> AsyncIterator["asyncpg.Connection"]:
    url = make_url(postgres_url).set(drivername="postgresql", host="127.0.0.1", port=counter.port)
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    counter.reset()
    yield connection
    await connection.close()


def counted(counter: WireCounter) -> tuple[int, int, int]:
    return counter.statements, counter.transaction_statements, counter.round_trips


async def test_preparing_is_a_round_trip_and_no_statement(
    counter: WireCounter, connection: "asyncpg.Connection"
) -> None:
    await connection.fetchval("SELECT $1::int + 1", 1)
    assert counted(counter) == (1, 0, 2)

    counter.reset()
    await connection.fetchval("SELECT $1::int + 1", 2)
    assert counted(counter) == (1, 0, 1)
    assert counter.sql == ["SELECT $1::int + 1"]


async def test_begin_and_commit_count_apart(counter: WireCounter, connection: "asyncpg.Connection") -> None:
    async with connection.transaction():
        await connection.execute("SELECT 1")
        async with connection.transaction():
            await connection.execute("SELECT 2")
    assert counted(counter) == (2, 4, 6)


async def test_several_statements_in_one_message_are_one_round_trip(
    counter: WireCounter, connection: "asyncpg.Connection"
) -> None:
    await connection.execute("BEGIN; SELECT 'a;b'; COMMIT")
    assert counted(counter) == (1, 2, 1)


async def test_many_executions_sent_at_once_are_one_round_trip(
    counter: WireCounter, connection: "asyncpg.Connection"
) -> None:
    statement = await connection.prepare("SELECT $1::int")
    counter.reset()
    await statement.executemany([(number,) for number in range(5)])
    assert counted(counter) == (5, 0, 1)


async def test_a_refused_statement_counts_and_those_after_it_too(
    counter: WireCounter, connection: "asyncpg.Connection"
) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetch("SELECT nothing FROM nowhere WHERE $1", True)
    counter.reset()
    await connection.execute("SELECT 1")
    assert counted(counter) == (1, 0, 1)


async def test_what_is_sent_without_waiting_for_the_answer_is_no_round_trip_more(
    counter: WireCounter, postgres_url: str
) -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body

    reader, writer = await asyncio.open_connection("127.0.0.1", counter.port)
    database = str(make_url(postgres_url).database).encode()
    writer.write(message(b"", struct.pack("!I", 196608) + b"user\0postgres\0database\0" + database + b"\0\0"))
    await reader.readuntil(b"Z\0\0\0\5I")
    counter.reset()

    writer.write(message(b"Q", b"BEGIN\0") + message(b"Q", b"SELECT 1\0"))
    await reader.readuntil(b"Z\0\0\0\5T")
    await reader.readuntil(b"Z\0\0\0\5T")
    assert counted(counter) == (1, 1, 1)

    writer.write(message(b"Q", b"COMMIT\0"))
    await reader.readuntil(b"Z\0\0\0\5I")
    assert counted(counter) == (1, 2, 2)
    writer.close()
