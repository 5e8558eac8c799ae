"""A session, a raw connection and a stream of `uow.session` end with their block."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import NotInTransaction

from ..support.mapped import Tag, given_tag, tags

Call = Callable[[AsyncSession], Awaitable[object]]

USES: dict[str, Call] = {
    "execute": lambda session: session.execute(select(Tag)),
    "scalar": lambda session: session.scalar(insert(Tag).values(name="late").returning(Tag.id)),
    "stream": lambda session: session.stream(select(Tag)),
    "get": lambda session: session.get(Tag, 1),
    "connection": lambda session: session.connection(),
    "run_sync": lambda session: session.run_sync(lambda sync: sync.execute(select(Tag))),
    "get_bind": lambda session: session.run_sync(lambda sync: sync.get_bind()),
    "flush": lambda session: session.flush(),
    "merge": lambda session: session.merge(Tag(id=1, name="late")),
    "begin_nested": lambda session: session.begin_nested().__aenter__(),
}
USE = pytest.mark.parametrize("use", [pytest.param(use, id=name) for name, use in USES.items()])


@USE
@pytest.mark.promise(4)
async def test_a_session_that_was_kept_is_refused_after_commit(mapped: Database, use: Call) -> None:
    async with mapped.unit_of_work() as uow:
        kept = uow.session
        kept.add(Tag(name="kept"))
        await uow.commit()
        with pytest.raises(NotInTransaction):
            await use(kept)
    assert await tags(mapped) == {"kept"}


@USE
@pytest.mark.promise(4)
async def test_a_session_that_was_kept_is_refused_after_its_block(mapped: Database, use: Call) -> None:
    async with mapped.unit_of_work() as uow:
        kept = uow.session
    with pytest.raises(NotInTransaction):
        await use(kept)
    assert await tags(mapped) == set()


@USE
@pytest.mark.promise(4)
async def test_a_session_that_was_kept_is_refused_in_the_next_block(mapped: Database, use: Call) -> None:
    uow = mapped.unit_of_work()
    async with uow:
        kept = uow.session
    async with uow:
        with pytest.raises(NotInTransaction):
            await use(kept)
        await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(4)
async def test_nothing_is_added_to_a_session_after_commit(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        kept = uow.session
        await uow.commit()
        with pytest.raises(NotInTransaction):
            kept.add(Tag(name="late"))
        with pytest.raises(NotInTransaction):
            kept.add_all([Tag(name="late")])


@pytest.mark.promise(4)
async def test_nothing_is_added_to_a_session_after_its_block(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        kept = uow.session
        await uow.commit()
    with pytest.raises(NotInTransaction):
        kept.add(Tag(name="late"))


@pytest.mark.promise(4)
async def test_nothing_is_added_to_the_session_of_an_inner_block_after_its_commit(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        async with uow:
            kept = uow.session
            await uow.commit()
            with pytest.raises(NotInTransaction):
                kept.add(Tag(name="late"))
            with pytest.raises(NotInTransaction):
                await kept.execute(select(Tag))
        await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(4)
async def test_the_session_is_read_inside_a_block_alone(mapped: Database) -> None:
    uow = mapped.unit_of_work()
    with pytest.raises(NotInTransaction):
        assert uow.session
    async with uow:
        await uow.commit()
        with pytest.raises(NotInTransaction):
            assert uow.session
    with pytest.raises(NotInTransaction):
        assert uow.session


@pytest.mark.promise(4)
async def test_a_raw_connection_that_was_kept_stores_nothing_after_commit(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        kept = await uow.session.connection()
        await uow.commit()
        with pytest.raises(Exception):  # noqa: B017 - SQLAlchemy's
            await kept.execute(insert(Tag).values(name="late"))
    assert await tags(mapped) == set()


@pytest.mark.promise(4)
async def test_a_lazy_load_after_commit_is_refused(mapped: Database) -> None:
    tag_id = await given_tag(mapped, "stored")
    async with mapped.unit_of_work() as uow:
        tag = await uow.session.get_one(Tag, tag_id)
        await uow.commit()
        with pytest.raises(Exception):  # noqa: B017 - SQLAlchemy's, for an object without a session
            await tag.awaitable_attrs.children


# Streams


@pytest.mark.parametrize("block", ["writing", "reading", "snapshot"])
async def test_a_stream_gives_its_rows(mapped: Database, block: str) -> None:
    await given_tag(mapped, "one")
    await given_tag(mapped, "two")
    uow = mapped.unit_of_work()
    blocks: dict[str, Any] = {"writing": uow, "reading": uow.reading(), "snapshot": uow.reading(snapshot=True)}
    async with blocks[block]:
        rows = [row async for row in await uow.session.stream_scalars(select(Tag.name).order_by(Tag.id))]
        assert rows == ["one", "two"]
        assert [name async for (name,) in await uow.session.stream(select(Tag.name).order_by(Tag.id))] == rows


@pytest.mark.promise(2)
async def test_a_block_is_left_with_an_open_stream(mapped: Database) -> None:
    await given_tag(mapped, "one")
    await given_tag(mapped, "two")
    async with mapped.unit_of_work() as uow:
        stream = await uow.session.stream(select(Tag.name))
        await stream.fetchone()
    assert mapped.checked_out() == 0


@pytest.mark.promise(2)
async def test_a_block_commits_with_an_open_stream(mapped: Database) -> None:
    await given_tag(mapped, "one")
    await given_tag(mapped, "two")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="three"))
        stream = await uow.session.stream(select(Tag.name))
        await stream.fetchone()
        await uow.commit()
    assert await tags(mapped) == {"one", "two", "three"}
