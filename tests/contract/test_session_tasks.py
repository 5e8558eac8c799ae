"""`uow.session` is used by one task at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import insert, select
from steward.adapters.database.database import Database
from steward.adapters.database.unit_of_work import DatabaseUnitOfWork
from steward.domain.errors import ConcurrentUse, TransactionAborted
from steward.testing.contract.steps import add, apart, names

from ..support.cancelling import steps
from ..support.held_statement import HeldStatement, held_statement
from ..support.holding import HOLDS, Hold, hold_by_execute
from ..support.mapped import Tag, given_tag, tags

HOLD = pytest.mark.parametrize("hold", HOLDS)


async def use_by_savepoint(uow: DatabaseUnitOfWork) -> None:
    async with uow.savepoint():
        pytest.fail("It was entered")


# What the second task has at hand it got from the first, before that was busy.
USES: dict[str, Callable[[Any, Any, Any], Awaitable[object]]] = {
    "execute": lambda session, connection, tag: session.execute(select(Tag)),
    "scalar": lambda session, connection, tag: session.scalar(insert(Tag).values(name="second").returning(Tag.id)),
    "stream": lambda session, connection, tag: session.stream(select(Tag)),
    "get": lambda session, connection, tag: session.get(Tag, 1_000),
    "refresh": lambda session, connection, tag: session.refresh(tag),
    "flush": lambda session, connection, tag: session.flush(),
    "connection": lambda session, connection, tag: session.connection(),
    "run_sync": lambda session, connection, tag: session.run_sync(lambda sync: sync.execute(select(Tag))),
    "raw connection": lambda session, connection, tag: connection.execute(select(Tag)),
    "raw driver SQL": lambda session, connection, tag: connection.exec_driver_sql("SELECT 1"),
    "lazy load": lambda session, connection, tag: tag.awaitable_attrs.children,
    "begin_nested": lambda session, connection, tag: session.begin_nested().__aenter__(),
    "merge": lambda session, connection, tag: session.merge(Tag(name="second")),
}


@pytest.mark.parametrize("use", [pytest.param(use, id=name) for name, use in USES.items()])
@pytest.mark.promise(7)
async def test_a_second_task_is_refused_whatever_it_does(mapped: Database, use: Any) -> None:
    tag_id = await given_tag(mapped, "stored")
    async with mapped.unit_of_work() as uow:
        session = uow.session
        connection = await session.connection()
        tag = await session.get_one(Tag, tag_id)
        session.add(Tag(name="lost"))
        await session.flush()
        async with held_statement(mapped, session) as held:
            first = asyncio.create_task(hold_by_execute(uow, held))
            await held.running()
            with pytest.raises(ConcurrentUse):
                await use(session, connection, tag)
            await held.release()
            await first
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == {"stored"}


@HOLD
@pytest.mark.filterwarnings("ignore:Usage of the 'Session.add")  # SQLAlchemy's own word for it, during a flush
@pytest.mark.promise(7)
async def test_a_second_task_is_refused_whatever_the_first_does(mapped: Database, hold: Hold) -> None:
    async with mapped.unit_of_work() as uow:
        session = uow.session
        connection = await session.connection()
        async with held_statement(mapped, session) as held:
            first = asyncio.create_task(hold(uow, held))
            await held.running()
            with pytest.raises(ConcurrentUse):
                await session.execute(select(Tag))
            with pytest.raises(ConcurrentUse):
                await connection.execute(select(Tag))
            with pytest.raises(ConcurrentUse):
                session.add(Tag(name="second"))
            with pytest.raises(ConcurrentUse):
                await add(uow, "ada")
            with pytest.raises(ConcurrentUse):
                await use_by_savepoint(uow)
            with pytest.raises(ConcurrentUse):
                await uow.commit()
            await held.release()
            await first
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()
    assert await names(mapped) == set()


@pytest.mark.promise(7)
async def test_a_gather_on_one_session_is_refused_and_nothing_is_committed(mapped: Database) -> None:
    with pytest.raises(ConcurrentUse):
        async with mapped.unit_of_work() as uow:
            await asyncio.gather(
                uow.session.execute(insert(Tag).values(name="one")),
                uow.session.execute(insert(Tag).values(name="two")),
            )
            await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(7)
async def test_whoever_swallows_the_refusal_commits_nothing(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        answers = await asyncio.gather(
            uow.session.execute(insert(Tag).values(name="one")),
            uow.session.execute(insert(Tag).values(name="two")),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers].count(ConcurrentUse) == 1
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(7)
async def test_a_gather_of_repository_and_session_is_refused(mapped: Database) -> None:
    with pytest.raises(ConcurrentUse):
        async with mapped.unit_of_work() as uow:
            await asyncio.gather(add(uow, "ada"), uow.session.execute(insert(Tag).values(name="one")))
            await uow.commit()
    assert await tags(mapped) == set()
    assert await names(mapped) == set()


@pytest.mark.promise(7)
async def test_a_gather_in_a_reading_block_is_refused(mapped: Database) -> None:
    with pytest.raises(ConcurrentUse):
        async with mapped.unit_of_work().reading() as uow:
            await asyncio.gather(uow.session.execute(select(Tag)), uow.session.execute(select(Tag)))


@HOLD
@pytest.mark.promise(7)
async def test_a_block_that_is_left_under_a_running_statement_waits_for_it(mapped: Database, hold: Hold) -> None:
    async def leave_too_early() -> None:
        async with mapped.unit_of_work() as uow:
            uow.session.add(Tag(name="lost"))
            await uow.session.flush()
            held = await stack.enter_async_context(held_statement(mapped, uow.session))
            late.append(asyncio.create_task(hold(uow, held)))
            await held.running()
            release.append(held)
            begun.set()

    late: list[asyncio.Task[object]] = []
    release: list[HeldStatement] = []
    begun = asyncio.Event()
    async with AsyncExitStack() as stack:
        leaving = apart(leave_too_early())
        await begun.wait()
        await steps(20)()
        assert not leaving.done()
        await release[0].release()
        with pytest.raises(ConcurrentUse):
            await leaving
        await asyncio.wait(late)
        late[0].exception()
    assert await tags(mapped) == set()


@pytest.mark.promise(7)
async def test_a_session_is_handed_from_task_to_task(mapped: Database) -> None:
    async def add_tag(uow: DatabaseUnitOfWork, name: str) -> None:
        uow.session.add(Tag(name=name))
        await uow.session.flush()

    async with mapped.unit_of_work() as uow:
        for number in range(3):
            await asyncio.create_task(add_tag(uow, f"tag {number}"))
        await uow.commit()
    assert await tags(mapped) == {"tag 0", "tag 1", "tag 2"}


async def test_the_error_that_gather_raises_names_the_other_task(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:

        async def write(name: str) -> None:
            await uow.session.execute(insert(Tag).values(name=name))

        await asyncio.gather(write("one"), write("two"), return_exceptions=True)
        with pytest.raises(TransactionAborted, match="Another task"):
            await uow.commit()
    assert await tags(mapped) == set()
