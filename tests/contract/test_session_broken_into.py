"""What goes past the guards of the sessions: by the driver, by hooks, by comments, by settings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession
from sqlalchemy.orm.exc import StaleDataError
from steward.adapters.database.database import Database
from steward.adapters.database.drivers.pooled_connections import driver_lock
from steward.domain.actors import Actor
from steward.domain.errors import (
    ConcurrentUse,
    Conflict,
    DatabaseUnavailable,
    OutcomeUnknown,
    ReadOnly,
    TransactionAborted,
    UnitOfWorkError,
)
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork

from ..support.mapped import Counter, Tag, given_tag, tags

Call = Callable[[AsyncSession], Awaitable[object]]
Opened = Callable[[Database], Any]


@asynccontextmanager
async def unit(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.unit_of_work() as uow:
        yield uow.session
        await uow.commit()


@asynccontextmanager
async def plain(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.session() as session:
        yield session


BOTH = pytest.mark.parametrize("opened", [unit, plain])


@BOTH
@pytest.mark.promise(9)
async def test_a_commit_that_the_server_answers_with_rollback_says_so(mapped: Database, opened: Opened) -> None:
    if mapped.dialect == "sqlite":
        pytest.skip("SQLite commits what did not fail")
    await given_tag(mapped, "old")
    with pytest.raises(TransactionAborted):
        async with opened(mapped) as session:
            session.add(Tag(name="new"))
            await session.flush()
            driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
            with suppress(Exception):
                await driver.copy_records_to_table("tags", records=[(999, "old")], columns=["id", "name"])
    assert await tags(mapped) == {"old"}


@pytest.mark.parametrize(
    "sql",
    ["/* x */ COMMIT", "-- x\nCOMMIT", ";COMMIT", "/* /* x */ */ END", "/* x */ ROLLBACK", "PREPARE TRANSACTION 'x'"],
)
@pytest.mark.promise(1)
async def test_text_that_ends_the_transaction_is_refused_behind_a_comment(mapped: Database, sql: str) -> None:
    with pytest.raises(UnitOfWorkError):
        async with mapped.unit_of_work() as uow:
            uow.session.add(Tag(name="lost"))
            await uow.session.execute(text(sql))
    assert await tags(mapped) == set()


@pytest.mark.promise(2)
async def test_a_transaction_that_is_closed_by_hand_leaks_no_connection(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        await uow.session.execute(insert(Tag).values(name="lost"))
        with pytest.raises(UnitOfWorkError):
            await uow.session.run_sync(lambda sync: sync.get_transaction().close())  # type: ignore[union-attr]
    assert mapped.checked_out() == 0
    assert await tags(mapped) == set()


@pytest.mark.promise(2)
async def test_a_plain_session_has_a_place_in_the_queue_whenever_it_has_a_connection(mapped: Database) -> None:
    seen: list[tuple[int, int]] = []

    def look(*_: object) -> None:
        seen.append((mapped.checked_out(), sum(admission.in_use for admission in mapped.admissions.values())))

    async with mapped.session() as session:
        parent = Tag(name="parent")
        session.add(parent)
        event.listen(session.sync_session, "after_flush", look)
        event.listen(session.sync_session, "after_begin", look)
        await session.commit()
        await parent.awaitable_attrs.children
    assert len(seen) >= 3
    assert set(seen) == {(1, 1)}


@BOTH
@pytest.mark.promise(8)
async def test_a_stale_row_is_not_forgotten_if_its_error_is_swallowed(mapped: Database, opened: Opened) -> None:
    known = await given_tag(mapped, "old")
    error: type[Exception] = Conflict if opened is unit else StaleDataError
    statement, rows = update(Tag), [{"id": known, "name": "new"}, {"id": 999, "name": "missing"}]
    if mapped.dialect == "postgresql":
        pytest.skip("SQLAlchemy cannot tell how many rows asyncpg has found")
    with pytest.raises(TransactionAborted):
        async with opened(mapped) as session:
            with pytest.raises(error):
                await session.execute(statement, rows)
    assert await tags(mapped) == {"old"}


@BOTH
@pytest.mark.promise(10)
async def test_a_hook_that_fails_before_commit_has_stored_nothing_certainly(mapped: Database, opened: Opened) -> None:
    def fail(_: object) -> None:
        raise ConnectionRefusedError

    with pytest.raises(DatabaseUnavailable):
        async with opened(mapped) as session:
            session.add(Tag(name="lost"))
            event.listen(session.sync_session, "before_commit", fail)
    assert await tags(mapped) == set()


@pytest.mark.parametrize("error", [Conflict(), ValueError("of a hook")])
@pytest.mark.promise(10)
async def test_a_hook_that_fails_after_commit_is_no_reason_to_repeat(mapped: Database, error: Exception) -> None:
    def fail(_: object) -> None:
        raise error

    async def use_case(uow: UnitOfWork, _: Actor) -> None:
        async with uow:
            session: AsyncSession = uow.session  # type: ignore[attr-defined]
            session.add(Counter(value=1))
            event.listen(session.sync_session, "after_commit", fail)
            await uow.commit()

    with pytest.raises(OutcomeUnknown):
        await run(mapped.unit_of_work(), use_case, Actor.system())
    async with mapped.unit_of_work().reading() as uow:
        assert list(await uow.session.scalars(select(Counter.value))) == [1]


@pytest.mark.promise(6)
async def test_a_reader_streams_with_yield_per(mapped: Database) -> None:
    await given_tag(mapped, "one")
    statement = select(Tag.name).execution_options(yield_per=10)
    async with mapped.unit_of_work().reading() as uow:
        assert [name async for name in await uow.session.stream_scalars(statement)] == ["one"]
        rows = await uow.session.stream(select(Tag.name), execution_options={"yield_per": 10})
        assert [row.name async for row in rows] == ["one"]
    async with mapped.reader() as session:
        assert [name async for name in await session.stream_scalars(statement)] == ["one"]


@pytest.mark.promise(4)
async def test_an_object_of_a_committed_unit_can_be_used_in_the_next(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        kept, tag = uow.session, Tag(name="first")
        kept.add(tag)
        await uow.commit()
    async with mapped.unit_of_work() as uow:
        uow.session.add(tag)
        tag.name = "second"
        await uow.commit()
    assert await tags(mapped) == {"second"}


@pytest.mark.promise(6)
async def test_a_reader_that_changes_its_isolation_cannot_write(mapped: Database) -> None:
    if mapped.dialect == "sqlite":
        pytest.skip("the isolation of SQLite cannot be changed so")
    serializable = {"isolation_level": "SERIALIZABLE"}
    with pytest.raises(ReadOnly):
        async with mapped.unit_of_work().reading() as uow:
            await uow.session.connection(execution_options=serializable)
            await uow.session.execute(insert(Tag).values(name="lost"))
    with pytest.raises(ReadOnly):
        async with mapped.reader() as session:
            await session.connection(execution_options=serializable)
            await session.execute(insert(Tag).values(name="lost"))
    assert await tags(mapped) == set()


async def all_of(rows: AsyncResult[Any]) -> list[Any]:
    return [row async for row in rows]


@pytest.mark.promise(7)
async def test_a_task_that_reads_a_stream_while_another_commits_is_concurrent_use(mapped: Database) -> None:
    if mapped.dialect == "sqlite":
        pytest.skip("a stream of SQLite is read at once")
    with pytest.raises(ConcurrentUse):
        async with mapped.unit_of_work() as uow:
            await uow.session.execute(insert(Tag).values(name="lost"))
            slow = text(
                "SELECT pg_sleep(CASE WHEN number > 500 THEN 30 ELSE 0 END) FROM generate_series(1, 501) AS number"
            )
            rows = await uow.session.stream(slow, execution_options={"yield_per": 1})
            reading = asyncio.create_task(all_of(rows))
            lock = driver_lock(uow.session.sync_session.in_use)
            assert lock is not None
            while not lock.locked():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
            try:
                await uow.commit()
            finally:
                reading.cancel()
                with suppress(Exception, asyncio.CancelledError):
                    await reading
    assert await tags(mapped) == set()


@pytest.mark.promise(9)
async def test_a_commit_on_a_connection_that_was_invalidated_says_that_nothing_was_stored(mapped: Database) -> None:
    with pytest.raises(TransactionAborted):
        async with mapped.unit_of_work() as uow:
            await uow.session.execute(insert(Tag).values(name="lost"))
            await (await uow.session.connection()).invalidate()
            await uow.commit()
    if mapped.dialect == "postgresql":  # a database in memory loses its only connection
        assert await tags(mapped) == set()


@pytest.mark.promise(9)
async def test_a_hook_of_a_flush_that_fails_is_not_forgotten(mapped: Database) -> None:
    failures = [ValueError("of a hook")]

    def fail_once(*_: object) -> None:
        if failures:
            raise failures.pop()

    with pytest.raises(TransactionAborted):
        async with mapped.session() as session:
            event.listen(session.sync_session, "before_flush", fail_once)
            session.add(Tag(name="lost"))
            with pytest.raises(ValueError, match="of a hook"):
                await session.flush()
    assert await tags(mapped) == set()
