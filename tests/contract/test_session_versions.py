"""A mapped class with `version_id_col` loses no update."""

import asyncio

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import Conflict, TransactionAborted
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing.contract.steps import again_after_conflicts, apart

from ..support.mapped import (
    Counter,
    given_counter,
    value_of,
)


async def change_behind_its_back(session: AsyncSession, counter_id: int) -> None:
    connection = await session.connection()
    await connection.execute(update(Counter).where(Counter.id == counter_id).values(version=Counter.version + 1))


@pytest.mark.promise(8)
async def test_a_stale_version_in_a_flush_is_a_conflict(mapped: Database) -> None:
    counter_id = await given_counter(mapped)
    async with mapped.unit_of_work() as uow:
        counter = await uow.session.get_one(Counter, counter_id)
        await change_behind_its_back(uow.session, counter_id)
        counter.value += 1
        with pytest.raises(Conflict):
            await uow.session.flush()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await value_of(mapped, counter_id) == 0


@pytest.mark.promise(8)
async def test_a_stale_version_in_a_commit_is_a_conflict(mapped: Database) -> None:
    counter_id = await given_counter(mapped)
    async with mapped.unit_of_work() as uow:
        counter = await uow.session.get_one(Counter, counter_id)
        await change_behind_its_back(uow.session, counter_id)
        counter.value += 1
        with pytest.raises(Conflict):
            await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await value_of(mapped, counter_id) == 0


@pytest.mark.promise(8)
async def test_a_stale_version_in_the_flush_before_a_query_is_a_conflict(mapped: Database) -> None:
    counter_id = await given_counter(mapped)
    with pytest.raises(Conflict):
        async with mapped.unit_of_work() as uow:
            counter = await uow.session.get_one(Counter, counter_id)
            await change_behind_its_back(uow.session, counter_id)
            counter.value += 1
            await uow.users.count()
    assert await value_of(mapped, counter_id) == 0


@pytest.mark.promise(4)
async def test_no_savepoint_heals_a_stale_version(mapped: Database) -> None:
    counter_id = await given_counter(mapped)
    async with mapped.unit_of_work() as uow:
        counter = await uow.session.get_one(Counter, counter_id)
        with pytest.raises(Conflict):
            async with uow.savepoint():
                await change_behind_its_back(uow.session, counter_id)
                counter.value += 1
                await uow.session.flush()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await value_of(mapped, counter_id) == 0


@pytest.mark.promise(5)
async def test_a_stale_version_is_retried(mapped: Database) -> None:
    counter_id = await given_counter(mapped)
    attempts: list[int] = []

    async def add_one(_: UnitOfWork, actor: Actor) -> None:
        async with uow:
            counter = await uow.session.get_one(Counter, counter_id)
            attempts.append(counter.value)
            if len(attempts) < 3:
                await change_behind_its_back(uow.session, counter_id)
            counter.value += 1
            await uow.commit()

    uow = mapped.unit_of_work()
    await run(uow, add_one, Actor.system())
    assert attempts == [0, 0, 0]
    assert await value_of(mapped, counter_id) == 1


@pytest.mark.promise(8)
async def test_twenty_tasks_that_each_add_one_leave_twenty(mapped: Database) -> None:
    counter_id = await given_counter(mapped)

    async def add_one_in_a_unit_of_its_own() -> None:
        uow = mapped.unit_of_work()

        async def add_one(_: UnitOfWork, actor: Actor) -> None:
            async with uow:
                counter = await uow.session.get_one(Counter, counter_id)
                counter.value += 1
                await uow.commit()

        await again_after_conflicts(lambda: run(uow, add_one, Actor.system()))

    await asyncio.gather(*(apart(add_one_in_a_unit_of_its_own()) for _ in range(20)))
    assert await value_of(mapped, counter_id) == 20
