"""Tasks that are lost inside a block, or outlive it."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.errors import NotInTransaction
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing.contract.steps import add, names, register

LIMIT = 60.0  # seconds


async def in_a_block(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    async with database.unit_of_work() as uow:
        await add(uow, "lost")
        await never()


async def in_a_savepoint(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    async with database.unit_of_work() as uow, uow.savepoint():
        await add(uow, "lost")
        await never()


async def in_a_reading_block(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    if database.lane is not None:
        database.lane.inline = None  # as for a statement that takes long on SQLite: by a connection of the pool
    async with database.unit_of_work().reading() as uow:
        await uow.users.is_empty()
        await never()


async def in_a_snapshot(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    async with database.unit_of_work().reading(snapshot=True) as uow:
        await uow.users.is_empty()
        await never()


async def in_a_block_that_is_entered_by_hand(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    uow = await database.unit_of_work().__aenter__()
    await add(uow, "lost")
    await never()


async def in_a_generator(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    async def rows() -> AsyncGenerator[int, None]:
        async with database.unit_of_work() as uow:
            await add(uow, "lost")
            yield 1

    async with aclosing(rows()) as each:
        async for _ in each:
            await never()


async def with_its_session(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    async with database.unit_of_work() as uow:
        await uow.session.execute(text("SELECT 1"))
        await never()


async def in_a_plain_session(database: Any, never: Callable[[], Awaitable[None]]) -> None:
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
        await never()


@pytest.mark.parametrize(
    "work",
    [
        in_a_block,
        in_a_savepoint,
        in_a_reading_block,
        in_a_snapshot,
        in_a_block_that_is_entered_by_hand,
        in_a_generator,
        with_its_session,
        in_a_plain_session,
    ],
)
@pytest.mark.promise(2)
@pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_task_that_is_lost_gives_its_place_back(database: Database, work: Callable[..., Any]) -> None:
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()

    async def never() -> None:
        reached.set()
        await loop.create_future()

    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending"
    try:
        task = asyncio.create_task(work(database, never))
        async with asyncio.timeout(LIMIT):
            await reached.wait()
        assert sum(admission.in_use for admission in database.admissions.values()) == 1
        del task
        async with asyncio.timeout(LIMIT):
            while any(admission.in_use for admission in database.admissions.values()) or database.checked_out():
                gc.collect()
                await asyncio.sleep(0.01)
    finally:
        loop.set_exception_handler(None)
    # A lost connection to SQLite may still be closing, and holds its lock until then: `run` repeats that conflict.
    await run(database.unit_of_work(), register_ada, Actor.system())
    assert await names(database) == {"ada"}


async def register_ada(uow: UnitOfWork, _: Actor) -> None:
    await register(uow, "ada")


@pytest.mark.promise(7)
async def test_a_task_that_outlives_its_block_stores_nothing(store: MemoryDatabase | Database) -> None:
    go_on = asyncio.Event()
    uow = store.unit_of_work()

    async def late() -> None:
        await go_on.wait()
        await register(uow, "late")

    async with uow:
        await add(uow, "first")
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(NotInTransaction, match="has ended"):
        await task
    assert await names(store) == set()
    await register(uow, "another")
    assert await names(store) == {"another"}
