"""What our own backends keep beyond the suite, and the corners that the suite cannot reach from outside."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.errors import Conflict, DatabaseUnavailable, TransactionAborted, UsernameTaken
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing.contract.steps import add, names, register

Store = MemoryDatabase | Database


def in_use(store: Store) -> int:
    return store.open_units if isinstance(store, MemoryDatabase) else store.checked_out()


@pytest.mark.promise(2)
async def test_a_committed_unit_holds_nothing_even_before_its_block_is_left(store: Store) -> None:
    async with store.unit_of_work() as uow:
        await add(uow, "ada")
        await uow.commit()
        assert in_use(store) == 0


@pytest.mark.promise(2)
@pytest.mark.parametrize("reading", [True, False])
async def test_a_clock_that_fails_leaves_nothing_open(store: Store, reading: bool) -> None:
    def broken() -> datetime:
        raise RuntimeError("no time")

    store.clock = broken
    uow = store.unit_of_work()
    with pytest.raises(RuntimeError, match="no time"):
        async with uow.reading() if reading else uow:
            pytest.fail("It was entered")
    assert in_use(store) == 0
    assert not uow.is_open


@pytest.mark.promise(7)
async def test_units_on_two_databases_may_stand_in_each_other(store: Store) -> None:
    other = MemoryDatabase()
    async with store.unit_of_work() as uow, other.unit_of_work() as beside:
        await register(uow, "ada")
        await register(beside, "bob")
        await beside.commit()
        await uow.commit()
    assert await names(store) == {"ada"}
    assert await names(other) == {"bob"}


@pytest.mark.promise(9)
@pytest.mark.parametrize("failure", ["refused", "cancelled"])
async def test_after_a_failure_nothing_reaches_the_driver_but_the_rollback(database: Database, failure: str) -> None:
    await register(database.unit_of_work(), "ada")
    reached: list[str] = []
    async with database.unit_of_work() as uow:
        if failure == "refused":
            with pytest.raises(UsernameTaken):
                await add(uow, "ada")
        else:
            statement = asyncio.create_task(add(uow, "bob"))
            await asyncio.sleep(0)
            statement.cancel()
            with pytest.raises(asyncio.CancelledError):
                await statement
        for engine in database.engines.pools:
            event.listen(engine.sync_engine, "before_cursor_execute", lambda *of: reached.append(of[2]))
            event.listen(engine.sync_engine, "commit", lambda _: reached.append("COMMIT"))
        with pytest.raises(TransactionAborted):
            await uow.users.is_empty()
        with pytest.raises(TransactionAborted):
            await add(uow, "cyd")
        with pytest.raises(TransactionAborted):
            async with uow.savepoint():
                pytest.fail("It was entered")
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert reached == []


@pytest.mark.promise(5)
async def test_a_conflict_that_comes_with_a_cancellation_is_not_retried() -> None:
    calls = []

    async def use_case(uow: UnitOfWork, actor: Actor) -> None:
        calls.append(uow)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        raise Conflict

    running = asyncio.create_task(run(MemoryDatabase().unit_of_work(), use_case, Actor.system()))
    with pytest.raises(Conflict):
        await running
    assert len(calls) == 1


@pytest.mark.promise(1)
async def test_an_error_arrives_unchanged_even_if_its_savepoint_cannot_be_rolled_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = MemoryDatabase()
    uow: Any = database.unit_of_work()

    async def lost() -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(uow._transaction, "roll_back_savepoint", lost)
    error = ValueError("of the caller")
    async with uow:
        with pytest.raises(ValueError, match="of the caller") as caught:
            async with uow.savepoint():
                await add(uow, "ada")
                raise error
        assert caught.value is error
        with pytest.raises(TransactionAborted) as aborted:
            await uow.commit()
        assert isinstance(aborted.value.__cause__, DatabaseUnavailable)
    assert database.users == {}
    assert database.open_units == 0
