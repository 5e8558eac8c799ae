"""Deadlines against databases that do not answer: nobody waits longer, and nothing stays behind."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from steward.adapters.database.database import Database
from steward.adapters.database.error_translation import translate
from steward.domain.errors import DeadlineExceeded, OutcomeUnknown, Overloaded, StorageError
from steward.service_layer.deadline import within
from steward.testing import given_user

from tests.conftest import PATIENT
from tests.support.leaks import assert_nothing_is_left
from tests.support.notes import ENDLESS, add_note, create_tables, texts
from tests.support.proxy import Proxy

SOON, HANGS = 1.0, 60.0  # seconds; far more than anything here takes is a hang


@asynccontextmanager
async def behind_a_proxy(url: str) -> AsyncIterator[tuple[Database, Proxy]]:
    """A database that can fall silent. Its statements may take longer than any deadline of these tests."""
    target = make_url(url)
    proxy = Proxy(str(target.host), int(target.port or 5432))
    async with proxy.open():
        through = target.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        async with Database(through, pool=replace(PATIENT, size=2, statement=600)) as database:
            try:
                yield database, proxy
            finally:
                proxy.flowing.set()


async def test_a_commit_that_is_not_answered_is_an_unknown_outcome_at_the_last_moment(postgres_url: str) -> None:
    """Promise 10."""
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        uow = database.unit_of_work()
        with pytest.raises(OutcomeUnknown):
            async with uow:
                await uow.users.is_empty()
                proxy.flowing.clear()
                async with within(SOON):
                    await uow.commit()
        assert database.checked_out() == 0
        assert database.admissions["connections"].in_use == 0


async def test_a_commit_that_is_late_but_answered_is_a_commit(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        uow = database.unit_of_work()
        async with within(HANGS / 2), uow:
            await uow.users.is_empty()
            proxy.flowing.clear()
            asyncio.get_running_loop().call_later(0.3, proxy.flowing.set)
            await uow.commit()
        await assert_nothing_is_left(database)


async def test_a_rollback_that_is_not_answered_is_abandoned(postgres_url: str) -> None:
    """Promise 2."""
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        uow = database.unit_of_work()
        with pytest.raises((ZeroDivisionError, DeadlineExceeded)):
            async with within(SOON), uow:
                await uow.users.is_empty()
                proxy.flowing.clear()
                raise ZeroDivisionError
        assert database.checked_out() == 0
        proxy.flowing.set()
        await assert_nothing_is_left(database)


async def test_a_rollback_after_the_deadline_is_abandoned_too(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        uow = database.unit_of_work()
        with pytest.raises(DeadlineExceeded):
            async with within(SOON), uow:
                await uow.users.is_empty()
                proxy.flowing.clear()
                await asyncio.sleep(HANGS)  # cancelled here, and so not while it rolls back
        assert database.checked_out() == 0
        proxy.flowing.set()
        await assert_nothing_is_left(database)


async def test_a_statement_that_is_not_answered_is_late(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        uow = database.unit_of_work()
        with pytest.raises(DeadlineExceeded):
            async with within(SOON), uow:
                await uow.users.is_empty()
                proxy.flowing.clear()
                await uow.users.is_empty()
        assert database.checked_out() == 0
        proxy.flowing.set()
        await given_user(database, username="ada")
        await assert_nothing_is_left(database)


async def test_a_plain_session_whose_commit_is_not_answered_is_an_unknown_outcome(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        block = database.session()
        session = await block.__aenter__()
        await session.execute(text("CREATE TABLE perhaps (id int)"))
        proxy.flowing.clear()
        with pytest.raises(OutcomeUnknown):
            async with within(SOON):  # of the COMMIT alone: what comes before may take as long as the machine needs
                await block.__aexit__(None, None, None)
        assert database.checked_out() == 0


async def test_a_statement_without_end_is_stopped_at_the_deadline(database: Database) -> None:
    await create_tables(database)
    with pytest.raises(DeadlineExceeded):
        async with within(SOON), database.session() as session:
            await add_note(session, "late")
            await session.execute(ENDLESS[database.dialect])
    assert await texts(database) == set()
    await assert_nothing_is_left(database)


async def test_a_statement_has_a_time_of_its_own(database_url: str) -> None:
    async with (
        Database(database_url, pool=replace(PATIENT, size=1, statement=2 * SOON)) as database,
        asyncio.timeout(HANGS),
    ):
        await create_tables(database)
        with pytest.raises((DeadlineExceeded, DBAPIError)) as caught:
            async with database.session() as session:
                await add_note(session, "late")
                await session.execute(ENDLESS[database.dialect])
        assert isinstance(translate(caught.value), DeadlineExceeded)
        assert await texts(database) == set()
        await assert_nothing_is_left(database)


async def test_the_database_can_be_asked_when_its_pool_is_full(database: Database) -> None:
    leave = asyncio.Event()

    async def hold() -> None:
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
            holding.release()
            await leave.wait()

    (pool, *_) = database.admissions.values()
    holding = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(hold(), context=contextvars.Context()) for _ in range(pool.size)]
    for _ in tasks:
        await holding.acquire()
    assert pool.in_use == pool.size
    await asyncio.gather(*(database.ping(timeout=HANGS) for _ in range(50)))
    leave.set()
    await asyncio.gather(*tasks)


async def test_readiness_has_a_bound_of_its_own(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy), asyncio.timeout(HANGS):
        await database.ping(timeout=HANGS)
        proxy.flowing.clear()
        with pytest.raises(StorageError):
            await database.ping(timeout=SOON)
        proxy.flowing.set()
        await database.ping(timeout=HANGS)


async def test_whoever_comes_to_a_full_database_is_refused_before_anything_begins(database_url: str) -> None:
    async with Database(database_url, pool=replace(PATIENT, size=1, queue=0)) as database:
        uow, other = database.unit_of_work(), database.unit_of_work()

        async def enter() -> None:
            async with other:
                raise AssertionError("unreachable")

        async with uow:
            with pytest.raises(Overloaded):
                await asyncio.create_task(enter(), context=contextvars.Context())
            with pytest.raises(Overloaded):
                async with asyncio.timeout(HANGS):
                    await asyncio.create_task(_through_the_door(database), context=contextvars.Context())
        assert sum(admission.refused for admission in database.admissions.values()) == 2
        assert all(admission.in_use == 0 for admission in database.admissions.values())


async def _through_the_door(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
        raise AssertionError("unreachable")
