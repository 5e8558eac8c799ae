"""`uow.session` in savepoints, which confine failures."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import NotInTransaction, TransactionAborted, UsernameTaken
from steward.testing.contract.steps import add, names, register

from ..support.mapped import Tag, given_tag, person, tags


def by_uow(uow: Any) -> Any:
    return uow.savepoint()


def by_begin_nested(uow: Any) -> Any:
    return uow.session.begin_nested()


SAVEPOINT = pytest.mark.parametrize("savepoint", [by_uow, by_begin_nested])


@SAVEPOINT
@pytest.mark.promise(4)
async def test_a_savepoint_that_is_left_normally_keeps_its_work(mapped: Database, savepoint: Any) -> None:
    async with mapped.unit_of_work() as uow:
        async with savepoint(uow):
            uow.session.add(Tag(name="inside"))
        await uow.commit()
    assert await tags(mapped) == {"inside"}


@SAVEPOINT
@pytest.mark.promise(4)
async def test_the_work_of_a_savepoint_is_rolled_back_with_the_unit(mapped: Database, savepoint: Any) -> None:
    async with mapped.unit_of_work() as uow, savepoint(uow):
        uow.session.add(Tag(name="inside"))
    assert await tags(mapped) == set()


@SAVEPOINT
@pytest.mark.promise(4)
async def test_a_failing_flush_is_confined_by_a_savepoint(mapped: Database, savepoint: Any) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="before"))
        with pytest.raises(IntegrityError):
            async with savepoint(uow):
                uow.session.add(Tag(name="inside"))
                await uow.session.flush()
                uow.session.add(Tag(name="taken"))
                await uow.session.flush()
        uow.session.add(Tag(name="after"))
        await uow.commit()
    assert await tags(mapped) == {"taken", "before", "after"}


async def add_object(session: AsyncSession) -> None:
    """What is pending is flushed when the savepoint is left."""
    session.add(Tag(name="taken"))


async def execute(session: AsyncSession) -> None:
    await session.execute(insert(Tag).values(name="taken"))


async def execute_on_connection(session: AsyncSession) -> None:
    await (await session.connection()).execute(insert(Tag).values(name="taken"))


@SAVEPOINT
@pytest.mark.parametrize("fail", [add_object, execute, execute_on_connection])
@pytest.mark.promise(4)
async def test_a_failing_statement_is_confined_by_a_savepoint(
    mapped: Database, savepoint: Any, fail: Callable[[AsyncSession], Awaitable[None]]
) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="before"))
        with pytest.raises(IntegrityError):
            async with savepoint(uow):
                await fail(uow.session)
        uow.session.add(Tag(name="after"))
        await uow.commit()
    assert await tags(mapped) == {"taken", "before", "after"}


@SAVEPOINT
@pytest.mark.promise(4)
async def test_a_known_constraint_inside_a_savepoint_is_the_domains_error(mapped: Database, savepoint: Any) -> None:
    await register(mapped.unit_of_work(), "ada")
    async with mapped.unit_of_work() as uow:
        with pytest.raises(UsernameTaken):
            async with savepoint(uow):
                uow.session.add(person("ada"))
                await uow.session.flush()
        await add(uow, "bob")
        await uow.commit()
    assert await names(mapped) == {"ada", "bob"}


@SAVEPOINT
@pytest.mark.promise(9)
async def test_a_failure_that_was_swallowed_inside_a_savepoint_undoes_it(mapped: Database, savepoint: Any) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        with pytest.raises(TransactionAborted):
            async with savepoint(uow):
                await uow.session.execute(insert(Tag).values(name="inside"))
                with pytest.raises(IntegrityError):
                    await uow.session.execute(insert(Tag).values(name="taken"))
        uow.session.add(Tag(name="after"))
        await uow.commit()
    assert await tags(mapped) == {"taken", "after"}


@SAVEPOINT
@pytest.mark.promise(4)
async def test_pending_objects_of_a_savepoint_left_by_an_error_are_forgotten(mapped: Database, savepoint: Any) -> None:
    async with mapped.unit_of_work() as uow:
        with pytest.raises(ValueError, match="mine"):
            async with savepoint(uow):
                uow.session.add(Tag(name="inside"))
                raise ValueError("mine")
        await uow.commit()
    assert await tags(mapped) == set()


@SAVEPOINT
@pytest.mark.promise(4)
async def test_what_a_savepoint_has_changed_is_read_anew_after_it(mapped: Database, savepoint: Any) -> None:
    tag_id = await given_tag(mapped, "stored", weight=1)
    async with mapped.unit_of_work() as uow:
        tag = await uow.session.get_one(Tag, tag_id)
        with pytest.raises(ValueError, match="mine"):
            async with savepoint(uow):
                tag.weight = 2
                await uow.session.flush()
                raise ValueError("mine")
        assert await tag.awaitable_attrs.weight == 1
        await uow.commit()


@SAVEPOINT
@pytest.mark.promise(4)
async def test_savepoints_stand_in_each_other(mapped: Database, savepoint: Any) -> None:
    async with mapped.unit_of_work() as uow:
        async with savepoint(uow):
            uow.session.add(Tag(name="one"))
            with pytest.raises(ValueError, match="mine"):
                async with savepoint(uow):
                    uow.session.add(Tag(name="two"))
                    await uow.session.flush()
                    raise ValueError("mine")
            uow.session.add(Tag(name="three"))
        await uow.commit()
    assert await tags(mapped) == {"one", "three"}


@SAVEPOINT
@pytest.mark.promise(4)
async def test_a_savepoint_has_no_commit(mapped: Database, savepoint: Any) -> None:
    async with mapped.unit_of_work() as uow:
        async with savepoint(uow):
            with pytest.raises(NotInTransaction):
                await uow.commit()
        await uow.commit()
