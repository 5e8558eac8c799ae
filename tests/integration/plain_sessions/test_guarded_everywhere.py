"""What uses a session's connection past the session's own methods is waited for too, and harms nobody (T3.2, T3.3)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column
from steward.adapters.database.database import Database
from steward.adapters.database.plain_session import OneTaskSession
from steward.domain.errors import ConcurrentUse

from tests.conftest import PATIENT
from tests.support.leaks import assert_nothing_is_left
from tests.support.notes import SLOW, Note, add_note, create_tables, texts

LateTask = asyncio.Future[Any]
Start = Callable[[AsyncSession, str], Awaitable[LateTask]]


class Base(AsyncAttrs, DeclarativeBase):
    pass


class SlowNote(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    slow_postgresql: Mapped[Any] = column_property(literal_column(f"({SLOW['postgresql'].text})"), deferred=True)
    slow_sqlite: Mapped[Any] = column_property(literal_column(f"({SLOW['sqlite'].text})"), deferred=True)


async def start_by_connection(session: AsyncSession, dialect: str) -> LateTask:
    return asyncio.ensure_future((await session.connection()).execute(SLOW[dialect]))


async def start_by_attribute(session: AsyncSession, dialect: str) -> LateTask:
    note = await session.scalar(select(SlowNote))
    assert note is not None
    late_task: LateTask = asyncio.ensure_future(getattr(note.awaitable_attrs, f"slow_{dialect}"))
    return late_task


async def until_it_runs(session: AsyncSession) -> None:
    """The late_task's statement has been sent, and not been answered: it holds the driver."""
    assert isinstance(session, OneTaskSession)
    while session.driver_lock is None or not session.driver_lock.locked():  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0)


START = pytest.mark.parametrize("start", [start_by_connection, start_by_attribute])


async def the_next_blocks_succeed(database: Database) -> None:
    assert database.checked_out() == 0
    for number in range(5):
        async with database.session() as session:
            await add_note(session, f"innocent {number}")
    assert await texts(database) == {f"innocent {number}" for number in range(5)}
    await assert_nothing_is_left(database)


@START
async def test_a_straggler_makes_the_block_fail(notes: Database, start: Start) -> None:
    with pytest.raises(ConcurrentUse):
        async with notes.session() as session:
            await add_note(session, "lost")
            late_task = await start(session, notes.dialect)
            await until_it_runs(session)

    await asyncio.wait([late_task])
    await the_next_blocks_succeed(notes)


@START
async def test_an_error_beside_a_straggler_waits_for_it(notes: Database, start: Start) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with notes.session() as session:
            await add_note(session, "lost")
            late_task = await start(session, notes.dialect)
            await until_it_runs(session)
            raise ValueError("mine")

    await asyncio.wait([late_task])
    await the_next_blocks_succeed(notes)


@START
async def test_the_session_is_refused_beside_a_straggler(notes: Database, start: Start) -> None:
    """A ROLLBACK under a running statement would break the connection."""
    with pytest.raises(ConcurrentUse, match="nothing is committed"):
        async with notes.session() as session:
            await add_note(session, "lost")
            late_task = await start(session, notes.dialect)
            await until_it_runs(session)
            with pytest.raises(ConcurrentUse):
                await session.rollback()
            await late_task

    await the_next_blocks_succeed(notes)


async def read_slowly(session: AsyncSession) -> "asyncio.Task[None]":
    """Return while the second part of the rows is waited for: between two parts nobody is inside."""
    rows = await session.stream(
        text("SELECT n FROM generate_series(1, 500) AS s (n) WHERE n <> 21 OR pg_sleep(0.5) IS NOT NULL"),
        execution_options={"yield_per": 20, "max_row_buffer": 20},
    )
    first_part = asyncio.Event()

    async def read() -> None:
        async for (number,) in rows:
            if number == 20:
                first_part.set()

    reading = asyncio.create_task(read())
    await first_part.wait()
    await until_it_runs(session)
    return reading


@pytest.mark.parametrize("error", [None, ValueError("mine")], ids=["clean", "by an error"])
async def test_a_stream_that_is_still_read(empty_postgres_url: str, error: Exception | None) -> None:
    """SQLite's streams have been read to their end before anybody sees them."""
    async with Database(empty_postgres_url, pool=PATIENT) as database:
        await create_tables(database)
        with pytest.raises(ValueError if error else ConcurrentUse):
            async with database.session() as session:
                await add_note(session, "lost")
                reading = await read_slowly(session)
                if error:
                    raise error

        await asyncio.wait([reading])
        assert reading.exception() is not None  # its transaction has gone
        await the_next_blocks_succeed(database)


async def test_a_stream_cannot_be_read_past_its_transaction(empty_postgres_url: str) -> None:
    """It would read from the connection of whoever comes next, and break their transaction."""
    async with Database(empty_postgres_url, pool=PATIENT) as database:
        await create_tables(database)
        async with database.session() as session:
            rows = await session.stream(
                text("SELECT generate_series(1, 500)"), execution_options={"yield_per": 1, "max_row_buffer": 1}
            )
            await rows.fetchone()
        async with database.session() as session:
            await add_note(session, "innocent")
            with pytest.raises(Exception):  # noqa: B017 - SQLAlchemy's or ours
                await rows.fetchmany(200)
            await session.scalar(select(Note.id))
        assert await texts(database) == {"innocent"}
        await assert_nothing_is_left(database)


async def test_who_comes_back_when_the_connection_is_lost_does_not_keep_it(
    notes: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = asyncio.Event()
    late_tasks: list[asyncio.Task[None]] = []

    async def stay(session: OneTaskSession) -> None:
        with session.one_task:
            await leave.wait()

    async def lose(session: OneTaskSession) -> None:
        late_tasks.append(asyncio.create_task(stay(session)))
        await asyncio.sleep(0)
        raise ConnectionError

    with pytest.raises(ValueError, match="mine"), monkeypatch.context() as patched:
        async with notes.session() as session:
            await add_note(session, "lost")
            patched.setattr(OneTaskSession, "close", lose)
            raise ValueError("mine")
    leave.set()
    await asyncio.gather(*late_tasks)
    assert await texts(notes) == set()
    await assert_nothing_is_left(notes)
