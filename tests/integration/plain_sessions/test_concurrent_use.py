"""One session, two tasks: refused, nothing committed, and the pooled connection stays healthy (T3.1, T3.2, T3.3)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import ConcurrentUse

from tests.support.notes import SLOW, Note, add_note, texts


async def twenty_innocent_blocks_succeed(database: Database) -> None:
    for number in range(20):
        async with database.session() as session:
            await add_note(session, f"innocent {number}")
    assert await texts(database) == {f"innocent {number}" for number in range(20)}


async def test_two_statements_at_once_are_refused(notes: Database) -> None:
    """T3.1"""
    with pytest.raises(ConcurrentUse):
        async with notes.session() as session:
            await add_note(session, "lost")
            await asyncio.gather(session.execute(select(Note)), session.execute(select(Note)))

    await twenty_innocent_blocks_succeed(notes)


async def test_whoever_swallows_the_refusal_commits_nothing(notes: Database) -> None:
    """T3.1"""
    with pytest.raises(ConcurrentUse):
        async with notes.session() as session:
            await add_note(session, "lost")
            await asyncio.gather(session.execute(select(Note)), session.execute(select(Note)), return_exceptions=True)

    await twenty_innocent_blocks_succeed(notes)


@pytest.mark.parametrize(
    "intrusion",
    [
        lambda session: session.commit(),
        lambda session: session.rollback(),
        lambda session: session.close(),
        lambda session: session.begin_nested().start(),
        lambda session: session.scalar(select(Note.id)),
        lambda session: session.run_sync(lambda sync: sync.flush()),
    ],
    ids=["commit", "rollback", "close", "savepoint", "scalar", "run_sync"],
)
async def test_nothing_gets_between_a_running_statement(
    notes: Database, intrusion: Callable[[AsyncSession], Awaitable[object]]
) -> None:
    """T3.1"""
    with pytest.raises(ConcurrentUse):
        async with notes.session() as session:
            await add_note(session, "lost")
            running = asyncio.create_task(session.execute(SLOW[notes.dialect]))
            await asyncio.sleep(0)
            with pytest.raises(ConcurrentUse):
                await intrusion(session)
            await running

    await twenty_innocent_blocks_succeed(notes)


async def test_an_error_beside_a_running_statement_waits_for_it(notes: Database) -> None:
    """T3.2: a rollback under a running statement would poison the connection for the next user."""

    async def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        async with notes.session() as session:
            await add_note(session, "lost")
            await asyncio.gather(session.execute(SLOW[notes.dialect]), fail())

    await twenty_innocent_blocks_succeed(notes)


async def test_a_task_left_behind_in_the_block_makes_it_fail(notes: Database) -> None:
    """T3.3"""
    with pytest.raises(ConcurrentUse):
        async with notes.session() as session:
            await add_note(session, "lost")
            late_task = asyncio.create_task(session.execute(SLOW[notes.dialect]))

    await late_task  # it was waited for, and has its answer
    await twenty_innocent_blocks_succeed(notes)


async def test_whoever_waits_for_a_task_left_behind_can_be_cancelled(notes: Database) -> None:
    """T3.3: and still no rollback runs under the statement."""

    async def work() -> None:
        async with notes.session() as session:
            await add_note(session, "lost")
            late_tasks.append(asyncio.create_task(session.execute(SLOW[notes.dialect])))
            await asyncio.sleep(0)  # it is inside
            leaving.set()
            raise ValueError("mine")

    late_tasks: list[asyncio.Task[object]] = []
    leaving = asyncio.Event()
    working = asyncio.create_task(work())
    await leaving.wait()
    working.cancel()
    await asyncio.wait([working])

    assert working.cancelled()
    await late_tasks[0]
    await twenty_innocent_blocks_succeed(notes)


async def test_a_task_that_comes_after_the_block_is_refused(notes: Database) -> None:
    async with notes.session() as session:
        await add_note(session, "innocent 0")
        gate = asyncio.Event()

        async def come_late() -> None:
            await gate.wait()
            await session.execute(select(Note))

        late = asyncio.create_task(come_late())
    gate.set()

    with pytest.raises(Exception, match="its block has ended"):
        await late
    assert await texts(notes) == {"innocent 0"}


async def test_a_session_may_be_handed_from_task_to_task(notes: Database) -> None:
    async with notes.session() as session:
        for number in range(3):
            await asyncio.create_task(add_note(session, f"note {number}"))

    assert await texts(notes) == {"note 0", "note 1", "note 2"}


async def test_tasks_with_sessions_of_their_own_do_not_meet(notes: Database) -> None:
    async def add(number: int) -> None:
        async with notes.session() as session:
            await add_note(session, f"note {number}")
            if number % 2:
                raise ValueError(number)

    async def try_to_add(number: int) -> None:
        with contextlib.suppress(ValueError):
            await add(number)

    await asyncio.gather(*(try_to_add(number) for number in range(40)))

    assert await texts(notes) == {f"note {number}" for number in range(0, 40, 2)}
