"""`uow.session` in blocks that stand in each other."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import TransactionAborted

from ..support.mapped import Tag, given_tag, tags
from ..support.session_statements import READS, WRITES

Call = Callable[[AsyncSession], Awaitable[object]]


@pytest.mark.promise(4)
async def test_an_inner_block_joins(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="outer"))
        async with uow:
            assert (await uow.session.scalars(select(Tag.name))).all() == ["outer"]
            uow.session.add(Tag(name="inner"))
            await uow.commit()
        await uow.commit()
    assert await tags(mapped) == {"outer", "inner"}


@pytest.mark.promise(4)
async def test_what_an_inner_block_has_committed_is_stored_by_the_outermost_alone(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow, uow:
        uow.session.add(Tag(name="inner"))
        await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.parametrize("kind", ["writing", "reading", "snapshot", "savepoint"])
@pytest.mark.promise(4)
async def test_entering_an_inner_block_flushes(mapped: Database, kind: str) -> None:
    async with mapped.unit_of_work() as uow:
        tag = Tag(name="outer")
        uow.session.add(tag)
        blocks: dict[str, Any] = {
            "writing": uow,
            "reading": uow.reading(),
            "snapshot": uow.reading(snapshot=True),
            "savepoint": uow.savepoint(),
        }
        async with blocks[kind]:
            assert tag not in uow.session.new
            assert tag.id is not None
        await uow.commit()
    assert await tags(mapped) == {"outer"}


@pytest.mark.promise(4)
async def test_an_inner_commit_flushes(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        async with uow:
            tag = Tag(name="inner")
            uow.session.add(tag)
            await uow.commit()
            assert tag.id is not None
        await uow.commit()
    assert await tags(mapped) == {"inner"}


@pytest.mark.promise(4)
async def test_a_flush_that_fails_is_raised_by_the_inner_commit(mapped: Database) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        with pytest.raises(IntegrityError):
            async with uow:
                uow.session.add(Tag(name="taken"))
                await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == {"taken"}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.promise(4)
async def test_an_inner_block_that_writes_and_does_not_commit_makes_the_whole_rollback_only(
    mapped: Database, write: Call
) -> None:
    await given_tag(mapped, "stored", weight=1)
    async with mapped.unit_of_work() as uow:
        async with uow:
            await write(uow.session)
        with pytest.raises(TransactionAborted):
            await uow.commit()
    async with mapped.unit_of_work().reading() as uow:
        assert (await uow.session.execute(select(Tag.name, Tag.weight))).all() == [("stored", 1)]


@pytest.mark.parametrize("read", READS)
@pytest.mark.promise(4)
async def test_an_inner_read_beside_pending_objects_of_the_outer_has_not_written(mapped: Database, read: Call) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="outer"))
        async with uow:
            await read(uow.session)
        await uow.commit()
    assert await tags(mapped) == {"outer"}
