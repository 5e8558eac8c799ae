"""A cancelled task leaves nothing behind, wherever the cancellation strikes (T2.1, T2.3)."""

import asyncio
import contextlib
import contextvars
import gc
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import TextClause, insert, select, text
from sqlalchemy.exc import InvalidRequestError
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.domain.errors import OutcomeUnknown, TransactionAborted
from steward.domain.users import NewUser

from tests.conftest import PATIENT
from tests.support import cancelling
from tests.support.cancelling import Style, delay, steps
from tests.support.leaks import assert_nothing_is_left
from tests.support.notes import ENDLESS, Note, add_note, create_tables, texts


@dataclass
class Log:
    began: list[str] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)  # the end of the block, where the commit begins
    acknowledged: set[str] = field(default_factory=set)

    def __call__(self) -> str:
        self.began.append(f"text{len(self.began):04}")
        return self.began[-1]

    def assert_agrees_with(self, stored: set[str]) -> None:
        assert self.acknowledged <= stored, "an acknowledged row is lost"
        assert stored <= self.reached, "a row is there although its block never came to its commit"


Target = Callable[[Database, str, Log], Coroutine[Any, Any, None]]


async def plain(database: Database, text: str, log: Log) -> None:
    with contextlib.suppress(OutcomeUnknown):  # how it says that it was cancelled during COMMIT
        async with database.session() as session:
            await add_note(session, text)
            await session.scalars(select(Note.text))
            log.reached.add(text)
        log.acknowledged.add(text)


async def unit(database: Database, text: str, log: Log) -> None:
    uow = database.unit_of_work()
    with contextlib.suppress(OutcomeUnknown):  # how it says that it was cancelled during COMMIT
        async with uow:
            await uow.users.add(NewUser.of(username=text, email=f"{text}@example.org"), at=uow.now)
            await uow.users.page(limit=5)
            log.reached.add(text)
            await uow.commit()
        log.acknowledged.add(text)


async def stored(database: Database, target: Target) -> set[str]:
    if target is plain:
        return await texts(database)
    uow = database.unit_of_work()
    async with uow.reading():
        return {user.username for user in await uow.users.page(limit=1000)}


@pytest_asyncio.fixture
async def small(database_url: str) -> AsyncIterator[Database]:
    """A database with both schemas and a pool of three."""
    async with Database(database_url, pool=replace(PATIENT, size=3)) as database:
        if database_url.endswith(":memory:"):
            await schema.upgrade(database)
        await create_tables(database)
        yield database


@pytest.fixture(autouse=True)
def _no_garbage_collection() -> Iterator[None]:
    """What only the garbage collector lets go of is a leak."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("style", cancelling.STYLES)
async def test_a_hundred_random_cancellations_leave_nothing(small: Database, style: Style) -> None:
    """T2.1: plain sessions and units of work, on one pool."""
    logs: dict[Target, Log] = {plain: Log(), unit: Log()}

    async def be_cancelled_often(target: Target) -> None:
        for _ in range(12):
            name = logs[target]()
            await style(partial(target, small, name, logs[target]), delay(random.uniform(0, 0.02)))

    await asyncio.gather(*(be_cancelled_often(target) for target in logs for _ in range(5)))

    await assert_nothing_is_left(small)
    for target, log in logs.items():
        log.assert_agrees_with(await stored(small, target))


@pytest.mark.parametrize("target", [plain, unit])
@pytest.mark.parametrize("style", [cancelling.cancel, cancelling.move_on])
async def test_every_step_of_a_block_can_be_cancelled(small: Database, style: Style, target: Target) -> None:
    """T2.1"""
    log = Log()
    number = 0
    while len(log.acknowledged) < 3:
        name = log()
        await style(partial(target, small, name, log), steps(number))
        assert small.checked_out() == 0
        number += 1 + number // 12  # on PostgreSQL most steps are spent waiting for an answer

    await assert_nothing_is_left(small)
    log.assert_agrees_with(await stored(small, target))


@pytest.mark.parametrize("style", cancelling.STYLES)
async def test_a_statement_without_end_is_stopped(notes: Database, style: Style) -> None:
    """T2.1"""

    async def work() -> None:
        async with notes.session() as session:
            await add_note(session, "lost")
            await session.execute(ENDLESS[notes.dialect])

    for wait in (steps(0), steps(1), steps(2), steps(3), delay(0.01), delay(0.05)):
        await style(work, wait)
        assert notes.checked_out() == 0

    await assert_nothing_is_left(notes)
    assert await texts(notes) == set()


async def test_a_swallowed_timeout_dooms_the_transaction(notes: Database) -> None:
    """SQLite rolls the whole transaction back when a statement that writes is interrupted; what came after it
    would be stored alone."""
    with pytest.raises(TransactionAborted):
        async with notes.session() as session:
            await session.execute(insert(Note).values(text="before"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await session.execute(ENDLESS[notes.dialect])
            with pytest.raises((TransactionAborted, InvalidRequestError)):
                await session.execute(insert(Note).values(text="after"))

    await assert_nothing_is_left(notes)
    assert await texts(notes) == set()


async def test_no_savepoint_confines_a_cancelled_statement(notes: Database) -> None:
    with pytest.raises(TransactionAborted):
        async with notes.session() as session:
            await session.execute(insert(Note).values(text="before"))
            with pytest.raises(TimeoutError):
                async with session.begin_nested(), asyncio.timeout(0.02):
                    await session.execute(ENDLESS[notes.dialect])
            with pytest.raises((TransactionAborted, InvalidRequestError)):
                await session.execute(insert(Note).values(text="after"))

    await assert_nothing_is_left(notes)
    assert await texts(notes) == set()


async def test_only_sqlite_keeps_the_connection_of_a_cancelled_statement(notes: Database) -> None:
    """asyncpg is still in the middle of its protocol, and would lose the commits of whoever comes next. SQLite is
    whole, and with its last connection a database in memory would be gone."""

    async def run(statement: TextClause, *, limit: float | None) -> None:
        async with notes.session() as session:
            await session.execute(text("SELECT 1"))
            used.append(session.sync_session.in_use.connection.driver_connection)  # type: ignore[attr-defined]
            async with asyncio.timeout(limit):
                await session.execute(statement)

    used: list[object] = []
    with pytest.raises(TimeoutError):
        await run(ENDLESS[notes.dialect], limit=0.02)
    await run(text("SELECT 1"), limit=None)

    assert (used[0] is used[1]) is (notes.dialect == "sqlite")


async def test_a_deadline_around_an_application_rolls_back(notes: Database) -> None:
    """T2.3: a pure ASGI middleware cancels the handler, and so the answer 504 is true."""
    answers: list[str] = []

    async def handler() -> None:
        async with notes.session() as session:
            await add_note(session, "lost")
            await session.execute(ENDLESS[notes.dialect])
        answers.append("201")

    try:
        async with asyncio.timeout(0.05):
            await handler()
    except TimeoutError:
        answers.append("504")

    assert answers == ["504"]
    assert await texts(notes) == set()
    await assert_nothing_is_left(notes)


async def test_whoever_waits_for_a_connection_can_be_cancelled(notes: Database) -> None:
    """On SQLite that is how writers wait for each other."""
    async with notes.session() as session:
        await add_note(session, "kept")

        async def wait_in_line() -> None:
            async with notes.session() as second:
                await second.execute(ENDLESS[notes.dialect])

        waiting = [asyncio.create_task(wait_in_line(), context=contextvars.Context()) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert all(task.cancelled() for task in waiting)

    assert await texts(notes) == {"kept"}
    await assert_nothing_is_left(notes)
