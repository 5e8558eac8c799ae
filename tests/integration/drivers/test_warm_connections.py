"""Connections that stay at hand between two units of work, and what they must not be used for."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import event, text
from steward.adapters.database.database import Database
from steward.adapters.database.express.warm_pool import WarmPool
from steward.adapters.unit_of_work.transaction import TransactionMode
from steward.domain.actors import Actor
from steward.domain.errors import DeadlineExceeded
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.service_layer import users
from steward.testing import given_user

from tests.conftest import EXPRESS, PATIENT

# So many that to delete them takes far longer than a statement may.
KEYS = """WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 150000)
INSERT INTO idempotency_keys (key, fingerprint, user_id, expires_at) SELECT randomblob(32), randomblob(32), :user,
'2030-01-01 00:00:00.000000' FROM numbers"""


@pytest_asyncio.fixture
async def single(server_url: str) -> AsyncIterator[Database]:
    """With one connection that writes."""
    async with Database(server_url, pool=replace(PATIENT, size=1)) as database:
        await given_user(database)
        yield database
        assert database.checked_out() == 0


def pool_of(database: Database) -> WarmPool:
    pool = database.engines.engine(TransactionMode.WRITING).pool
    assert isinstance(pool, WarmPool)
    return pool


def told_of(database: Database, name: str) -> list[object]:
    """Grows with each event of SQLAlchemy's pool that has this name."""
    told: list[object] = []
    event.listen(pool_of(database), name, lambda *_: told.append(None))
    return told


async def write(database: Database) -> None:
    """One statement past SQLAlchemy, and a COMMIT."""
    async with database.unit_of_work() as uow:
        await uow.items.add(NewItem.of(owner_id=UserId(1), name="Box"), at=uow.now)
        await uow.commit()


@EXPRESS
async def test_the_next_unit_has_the_connection_of_the_last_and_the_pool_is_not_asked(single: Database) -> None:
    await write(single)
    taken = told_of(single, "checkout")
    for _ in range(3):
        await write(single)
        assert single.checked_out() == 0
    assert taken == []


async def test_whoever_comes_the_ordinary_way_has_it_too(single: Database) -> None:
    for number in range(1, 4):
        await write(single)
        async with single.session() as session:
            count = await session.execute(text("SELECT count(*) FROM items"))
            assert count.scalar_one() == number
        async with single.unit_of_work() as uow, uow.savepoint():
            await uow.users.is_empty()


@EXPRESS
async def test_one_that_has_idled_for_long_or_is_old_is_looked_at_before(single: Database) -> None:
    await write(single)
    pool, taken, connected = pool_of(single), told_of(single, "checkout"), told_of(single, "connect")
    pool.longest_idle = 0.0
    await write(single)
    assert (len(taken), len(connected)) == (1, 0)
    pool.longest_idle = float("inf")
    await write(single)
    assert (len(taken), len(connected)) == (1, 0)
    pool._recycle = 0  # seconds that a connection may live
    await asyncio.sleep(0.01)
    await write(single)
    assert (len(taken), len(connected)) == (2, 1)


@EXPRESS
async def test_of_those_that_were_lost_together_none_is_used(postgres_url: str) -> None:
    async with Database(postgres_url, pool=replace(PATIENT, size=3)) as database:
        await given_user(database)
        gate = asyncio.Barrier(3)

        async def hold() -> None:
            async with database.unit_of_work() as uow:
                await uow.users.is_empty()
                await gate.wait()
                await uow.commit()

        await asyncio.gather(hold(), hold(), hold())
        pool_of(database)._invalidate_time = time.time()  # as when one of them is found to be lost
        await asyncio.sleep(0.01)
        connected = told_of(database, "connect")
        await write(database)
        assert len(connected) == 1


@EXPRESS
async def test_a_writer_that_has_to_wait_for_another_process_keeps_its_connection(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Database(sqlite_url, pool=PATIENT) as database, Database(sqlite_url, pool=PATIENT) as another:
        await given_user(database)
        connected = told_of(database, "connect")
        async with another.unit_of_work() as uow:
            await uow.users.is_empty()
            waiting = asyncio.create_task(write(database))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await uow.commit()
        await waiting
        await write(database)
    assert connected == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_whoever_waits_the_ordinary_way_has_the_connection_when_a_unit_ends(single: Database) -> None:
    await write(single)
    async with single.unit_of_work() as uow:
        await uow.users.is_empty()
        waiting = asyncio.create_task(ask_the_engine(single))
        await asyncio.sleep(0.05)
        await uow.commit()
    assert await waiting == 1


async def ask_the_engine(database: Database) -> int:
    async with database.engines.pools[0].connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM items"))).scalar_one())


@pytest.mark.parametrize("committed", [True, False])
async def test_a_block_that_is_open_when_the_database_is_closed_leaves_no_connection(
    server_url: str, committed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(server_url, pool=PATIENT)
    opened = connections_of(database)
    await given_user(database)
    async with database.unit_of_work() as uow:
        await uow.users.is_empty()
        await database.aclose()
        if committed:
            await uow.commit()
    await asyncio.sleep(0)
    assert opened
    assert all(has_ended(driver) for driver in opened)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_reading_block_that_is_open_when_the_database_is_closed_leaves_none(postgres_url: str) -> None:
    database = Database(postgres_url, pool=PATIENT)
    opened = connections_of(database)
    async with database.unit_of_work().reading() as uow:
        await uow.users.is_empty()
        await database.aclose()
    await asyncio.sleep(0)
    assert opened
    assert all(has_ended(driver) for driver in opened)


def connections_of(database: Database) -> list[Any]:
    """Grows with each connection that is opened."""
    opened: list[Any] = []
    for engine in database.engines.pools:
        event.listen(engine.sync_engine, "connect", lambda connection, _: opened.append(connection.driver_connection))
    return opened


def has_ended(driver: Any) -> bool:
    if isinstance(driver, asyncpg.Connection):
        return driver.is_closed() or getattr(driver, "_is_closing_apart", False)
    return driver._connection is None or driver._stopped is not None


async def test_what_takes_others_with_it_is_deleted_by_a_thread_and_can_be_late(sqlite_url: str) -> None:
    async with Database(sqlite_url, pool=PATIENT) as database:
        user = await given_user(database)
        async with database.session() as session:
            await session.execute(text(KEYS), {"user": user.id})
    async with Database(sqlite_url, pool=replace(PATIENT, statement=0.05)) as database:
        with pytest.raises(DeadlineExceeded):
            await users.delete_user(database.unit_of_work(), Actor.system(), user_id=user.id)
