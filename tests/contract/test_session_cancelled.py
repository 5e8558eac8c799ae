"""A task that is cancelled inside `uow.session` leaves all or nothing."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import select
from steward.adapters.database.database import Database
from steward.domain.errors import OutcomeUnknown, TransactionAborted
from steward.testing.contract.steps import apart

from ..support import cancelling
from ..support.cancelling import Style, steps
from ..support.held_statement import HeldCommit, HeldStatement, held_statement
from ..support.holding import HOLDS, Hold
from ..support.mapped import Tag, tags

HOLD = pytest.mark.parametrize("hold", HOLDS)


@pytest.mark.promise(1)
async def test_a_cancellation_before_a_statement_stores_nothing(mapped: Database) -> None:
    async def work() -> None:
        async with mapped.unit_of_work() as uow:
            uow.session.add(Tag(name="flushed"))
            await uow.session.flush()
            uow.session.add(Tag(name="pending"))
            reached.set()
            await asyncio.Event().wait()

    reached = asyncio.Event()
    working = apart(work())
    await reached.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert mapped.checked_out() == 0
    assert await tags(mapped) == set()


@HOLD
@pytest.mark.promise(1)
async def test_a_cancellation_during_a_statement_stores_nothing(mapped: Database, hold: Hold) -> None:
    async def work() -> None:
        async with mapped.unit_of_work() as uow:
            uow.session.add(Tag(name="flushed"))
            await uow.session.flush()
            held = await stack.enter_async_context(held_statement(mapped, uow.session))
            statements.append(held)
            begun.set()
            await hold(uow, held)
            pytest.fail("It has ended")

    statements: list[HeldStatement] = []
    begun = asyncio.Event()
    async with AsyncExitStack() as stack:
        working = apart(work())
        await begun.wait()
        await statements[0].running()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert mapped.checked_out() == 0
    assert await tags(mapped) == set()


@HOLD
@pytest.mark.promise(9)
async def test_a_cancellation_that_was_swallowed_is_remembered(mapped: Database, hold: Hold) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost"))
        await uow.session.flush()
        async with held_statement(mapped, uow.session) as held:
            statement = asyncio.create_task(hold(uow, held))
            await held.running()
            statement.cancel()
            with pytest.raises(asyncio.CancelledError):
                await statement
        with pytest.raises(TransactionAborted):
            await uow.session.execute(select(Tag))
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()


@HOLD
@pytest.mark.promise(4)
async def test_no_savepoint_heals_a_cancellation(mapped: Database, hold: Hold) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost"))
        async with held_statement(mapped, uow.session) as held:

            async def inside() -> None:
                async with uow.savepoint():
                    await hold(uow, held)

            statement = asyncio.create_task(inside())
            await held.running()
            statement.cancel()
            with pytest.raises(asyncio.CancelledError):
                await statement
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(2)
async def test_a_cancellation_in_a_reading_block_leaves_nothing_behind(mapped: Database) -> None:
    async def work() -> None:
        async with mapped.unit_of_work().reading() as uow:
            held = await stack.enter_async_context(held_statement(mapped, uow.session))
            statements.append(held)
            begun.set()
            await uow.session.execute(held.statement)
            pytest.fail("It has ended")

    statements: list[HeldStatement] = []
    begun = asyncio.Event()
    async with AsyncExitStack() as stack:
        working = apart(work())
        await begun.wait()
        await statements[0].running()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert mapped.checked_out() == 0


@pytest.mark.promise(10)
async def test_a_cancellation_during_commit_waits_for_it_and_is_an_unknown_outcome(
    mapped: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with mapped.unit_of_work() as uow:
            uow.session.add(Tag(name="one"))
            await uow.session.flush()
            uow.session.add(Tag(name="two"))
            await uow.commit()

    commit = HeldCommit(mapped, monkeypatch)
    working = apart(work())
    await commit.reached.wait()
    working.cancel()
    await steps(5)()
    assert not working.done()
    commit.released.set()
    with pytest.raises(OutcomeUnknown):
        await working
    assert mapped.checked_out() == 0
    assert await tags(mapped) == {"one", "two"}


@pytest.mark.parametrize("style", [cancelling.cancel, cancelling.move_on])
@pytest.mark.promise(1)
async def test_a_cancellation_at_any_step_leaves_all_or_nothing(mapped: Database, style: Style) -> None:
    acknowledged: set[str] = set()

    async def work() -> None:
        name = f"unit {number}"
        try:
            async with mapped.unit_of_work() as uow:
                uow.session.add(Tag(name=f"{name} first"))
                async with uow.savepoint():
                    uow.session.add(Tag(name=f"{name} second"))
                await uow.session.scalars(select(Tag))
                uow.session.add(Tag(name=f"{name} third"))
                await uow.commit()
        except OutcomeUnknown:
            return
        acknowledged.add(name)

    number = 0
    while len(acknowledged) < 2:
        await style(work, steps(number))
        assert mapped.checked_out() == 0
        number += 1 + number // 12  # on PostgreSQL most steps are spent waiting for an answer
    stored = await tags(mapped)
    units = {name.rpartition(" ")[0] for name in stored}
    assert acknowledged <= units
    assert stored == {f"{unit} {part}" for unit in units for part in ("first", "second", "third")}
