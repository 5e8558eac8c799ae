"""`uow.session` in `reading()`, which refuses writes, and in snapshots, which see one state."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import NotInTransaction, ReadOnly, TransactionAborted
from steward.testing.contract.steps import apart

from ..support.mapped import Tag, given_tag, tags
from ..support.session_statements import (
    READS,
    read_by_flushing_nothing,
    read_by_option,
    read_by_text_that_is_no_select,
    write_by_adding,
    write_by_changing,
    write_by_connection,
    write_by_core,
    write_by_deleting,
    write_by_driver_sql,
    write_by_flushing,
    write_by_merge,
    write_by_run_sync,
    write_by_select,
    write_by_text,
    write_of_no_row,
)

Call = Callable[[AsyncSession], Awaitable[object]]


REFUSED_WRITES = [
    write_by_flushing,
    write_by_core,
    write_by_text,
    write_by_connection,
    write_by_driver_sql,
    write_by_run_sync,
    write_of_no_row,
]


@pytest.mark.parametrize("write", REFUSED_WRITES)
@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.promise(6)
async def test_an_outermost_reading_block_refuses_a_write(mapped: Database, write: Call, snapshot: bool) -> None:
    await given_tag(mapped, "stored", weight=1)
    with pytest.raises(ReadOnly):
        async with mapped.unit_of_work().reading(snapshot=snapshot) as uow:
            await write(uow.session)
    async with mapped.unit_of_work().reading() as uow:
        assert (await uow.session.execute(select(Tag.name, Tag.weight))).all() == [("stored", 1)]


@pytest.mark.parametrize("write", REFUSED_WRITES)
@pytest.mark.promise(6)
async def test_a_joined_reading_block_refuses_a_write(mapped: Database, write: Call) -> None:
    await given_tag(mapped, "stored", weight=1)
    async with mapped.unit_of_work() as uow:
        with pytest.raises(ReadOnly):
            async with uow.reading():
                await write(uow.session)
    async with mapped.unit_of_work().reading() as uow:
        assert (await uow.session.execute(select(Tag.name, Tag.weight))).all() == [("stored", 1)]


@pytest.mark.parametrize("write", [each for each in REFUSED_WRITES if each is not write_by_flushing])
@pytest.mark.promise(6)
async def test_a_unit_goes_on_after_its_joined_reading_block_has_refused_a_statement(
    mapped: Database, write: Call
) -> None:
    await given_tag(mapped, "stored", weight=1)
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="before"))
        async with uow.reading():
            with pytest.raises(ReadOnly):
                await write(uow.session)
            assert set(await uow.session.scalars(select(Tag.weight))) == {None, 1}
        uow.session.add(Tag(name="after"))
        await uow.commit()
    assert await tags(mapped) == {"stored", "before", "after"}


PENDING = pytest.mark.parametrize(
    "write", [write_by_adding, write_by_changing, write_by_deleting, write_by_merge], ids=lambda write: write.__name__
)


@PENDING
@pytest.mark.promise(6)
async def test_objects_that_are_pending_when_an_outermost_reading_block_is_left_are_refused(
    mapped: Database, write: Call
) -> None:
    await given_tag(mapped, "stored", weight=1)
    with pytest.raises(ReadOnly):
        async with mapped.unit_of_work().reading() as uow:
            await write(uow.session)
    assert await tags(mapped) == {"stored"}


@PENDING
@pytest.mark.promise(6)
async def test_objects_that_are_pending_when_a_joined_reading_block_is_left_are_refused(
    mapped: Database, write: Call
) -> None:
    await given_tag(mapped, "stored", weight=1)
    async with mapped.unit_of_work() as uow:
        with pytest.raises(ReadOnly):
            async with uow.reading():
                await write(uow.session)
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == {"stored"}


@pytest.mark.promise(6)
async def test_an_error_of_the_callers_own_leaves_a_reading_block_with_pending_objects_unchanged(
    mapped: Database,
) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with mapped.unit_of_work().reading() as uow:
            uow.session.add(Tag(name="lost"))
            raise ValueError("mine")
    assert await tags(mapped) == set()


@pytest.mark.parametrize("read", [each for each in READS if each is not read_by_flushing_nothing])
@pytest.mark.promise(6)
async def test_reading_blocks_allow_every_read(mapped: Database, read: Call) -> None:
    await given_tag(mapped, "stored")
    async with mapped.unit_of_work().reading() as uow:
        await read(uow.session)
    async with mapped.unit_of_work() as uow, uow.reading():
        await read(uow.session)


@pytest.mark.promise(6)
async def test_a_select_with_a_writing_cte_is_refused_in_a_joined_reading_block(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        async with uow.reading():
            with pytest.raises(ReadOnly):
                await write_by_select(uow.session)
        await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(6)
async def test_a_text_that_is_no_select_is_refused_in_a_joined_reading_block(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        async with uow.reading():
            with pytest.raises(ReadOnly):
                await read_by_text_that_is_no_select(uow.session)
            await read_by_option(uow.session)
        await uow.commit()


@pytest.mark.promise(6)
async def test_a_text_that_only_reads_is_allowed_in_an_outermost_reading_block(mapped: Database) -> None:
    async with mapped.unit_of_work().reading() as uow:
        await read_by_text_that_is_no_select(uow.session)


@pytest.mark.promise(6)
async def test_a_joined_reading_block_sees_what_the_unit_has_not_committed(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="pending"))
        async with uow.reading(snapshot=True):
            assert (await uow.session.scalars(select(Tag.name))).all() == ["pending"]


# Snapshots


@pytest.mark.promise(6)
async def test_a_snapshot_inside_a_reading_block_has_a_session_of_its_own(mapped: Database) -> None:
    tag_id = await given_tag(mapped, "stored")
    async with mapped.unit_of_work().reading() as uow:
        before = uow.session
        tag = await before.get_one(Tag, tag_id)
        async with uow.reading(snapshot=True):
            assert uow.session is not before
            assert tag not in uow.session
            assert tag.name == "stored"
            with pytest.raises(NotInTransaction):
                await before.get(Tag, tag_id)
            assert await uow.session.get_one(Tag, tag_id) is not tag
        assert await uow.session.get_one(Tag, tag_id) is not tag


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.promise(6)
async def test_a_snapshot_sees_one_state(mapped: Database, database_backend: str, inside: bool) -> None:
    await given_tag(mapped, "before")
    uow = mapped.unit_of_work()
    async with uow.reading(snapshot=not inside), uow.reading(snapshot=True):
        first = (await uow.session.scalars(select(Tag.name))).all()
        writing = apart(given_tag(mapped, "between"))
        if database_backend != "sqlite-memory":  # there a writer waits for the reader
            await writing
        assert (await uow.session.scalars(select(Tag.name))).all() == first == ["before"]
    await asyncio.wait([writing])
    assert await tags(mapped) == {"before", "between"}


@pytest.mark.promise(6)
async def test_a_reading_block_sees_what_was_committed_meanwhile(mapped: Database, database_backend: str) -> None:
    async with mapped.unit_of_work().reading() as uow:
        assert (await uow.session.scalars(select(Tag.name))).all() == []
        writing = apart(given_tag(mapped, "between"))
        if database_backend != "sqlite-memory":  # there a writer waits for the reader
            await writing
            assert (await uow.session.scalars(select(Tag.name))).all() == ["between"]
    await asyncio.wait([writing])
