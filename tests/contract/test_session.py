"""`uow.session` belongs to its unit of work: what it refuses, what it shows, and when it ends."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database
from steward.domain.errors import TransactionAborted, UnitOfWorkError, UserNotFound
from steward.domain.items import NewItem
from steward.domain.users import UserId
from steward.testing.contract.steps import add, names, register

from ..support.mapped import Person, Tag, given_tag, person, tags

Call = Callable[[AsyncSession], Awaitable[object]]

OWNED = {
    "commit": r"call uow\.commit\(\)",
    "rollback": r"without uow\.commit\(\)",
    "close": "leave the block",
    "reset": "leave the block",
    "invalidate": "leave the block",
    "begin": "enter the unit of work",
}
OWNED_BY_SYNC = {**OWNED, "prepare": r"call uow\.commit\(\)", "begin_nested": r"enter uow\.savepoint\(\)"}


async def by_session(session: AsyncSession, name: str) -> None:
    await getattr(session, name)()


async def by_run_sync(session: AsyncSession, name: str) -> None:
    await session.run_sync(lambda sync: getattr(sync, name)())


async def by_sync_session(session: AsyncSession, name: str) -> None:
    getattr(session.sync_session, name)()


async def by_connection(session: AsyncSession, name: str) -> None:
    await getattr(await session.connection(), name)()


async def by_transaction_of_connection(session: AsyncSession, name: str) -> None:
    transaction: Any = (await session.connection()).get_transaction()
    await getattr(transaction, name)()


WAYS = [
    *[pytest.param(by_session, name, instead, id=f"session.{name}") for name, instead in OWNED.items()],
    *[
        pytest.param(way, name, instead, id=f"{way.__name__}.{name}")
        for way in (by_run_sync, by_sync_session)
        for name, instead in OWNED_BY_SYNC.items()
    ],
    *[
        pytest.param(way, name, OWNED[name], id=f"{way.__name__}.{name}")
        for way in (by_connection, by_transaction_of_connection)
        for name in ("commit", "rollback")
    ],
]
OWN_END = pytest.mark.parametrize(("way", "name", "instead"), WAYS)
# SQLAlchemy takes a transaction for ended before it asks whether it may end it.
RAW_WAYS = {by_connection, by_transaction_of_connection}

Way = Callable[[AsyncSession, str], Awaitable[None]]


@OWN_END
@pytest.mark.promise(1)
async def test_an_end_of_its_own_is_refused_and_loses_nothing(
    mapped: Database, way: Way, name: str, instead: str
) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="flushed"))
        await uow.session.flush()
        uow.session.add(Tag(name="pending"))
        with pytest.raises(UnitOfWorkError, match=instead):
            await way(uow.session, name)
        if way not in RAW_WAYS:
            await uow.commit()
        else:
            with pytest.raises(TransactionAborted) as aborted:
                await uow.commit()
            assert isinstance(aborted.value.__cause__, UnitOfWorkError)
    assert await tags(mapped) == (set() if way in RAW_WAYS else {"flushed", "pending"})


@OWN_END
@pytest.mark.promise(1)
async def test_an_end_of_its_own_is_refused_and_stores_nothing(
    mapped: Database, way: Way, name: str, instead: str
) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="flushed"))
        await uow.session.flush()
        uow.session.add(Tag(name="pending"))
        with pytest.raises(UnitOfWorkError, match=instead):
            await way(uow.session, name)
    assert await tags(mapped) == set()


@OWN_END
@pytest.mark.promise(1)
async def test_an_end_of_its_own_is_refused_inside_reading_too(
    mapped: Database, way: Way, name: str, instead: str
) -> None:
    await given_tag(mapped, "stored")
    async with mapped.unit_of_work().reading() as uow:
        assert await uow.session.scalar(select(Tag.name)) == "stored"
        with pytest.raises(UnitOfWorkError, match=instead):
            await way(uow.session, name)
        if way not in RAW_WAYS:
            assert await uow.session.scalar(select(Tag.name)) == "stored"


@pytest.mark.parametrize("name", ["close", "invalidate"])
@pytest.mark.promise(1)
async def test_a_raw_connection_that_is_ended_all_the_same_stores_nothing(mapped: Database, name: str) -> None:
    with pytest.raises(Exception):  # noqa: B017 - of the refused end, of the commit, or of leaving
        async with mapped.unit_of_work() as uow:
            uow.session.add(Tag(name="lost"))
            await uow.session.flush()
            await by_connection(uow.session, name)
            await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(1)
async def test_a_with_of_the_session_itself_does_not_end_the_unit_in_silence(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        with pytest.raises(UnitOfWorkError, match="leave the block"):
            async with uow.session as session:
                session.add(Tag(name="kept"))
        await uow.commit()
    assert await tags(mapped) == {"kept"}


@pytest.mark.promise(1)
async def test_a_with_of_its_begin_is_refused(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        with pytest.raises(UnitOfWorkError, match="enter the unit of work"):
            async with uow.session.begin():
                pytest.fail("It was entered")
        uow.session.add(Tag(name="kept"))
        await uow.commit()
    assert await tags(mapped) == {"kept"}


# What it shows


async def test_a_pending_object_is_visible_to_a_query(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="pending"))
        assert (await uow.session.scalars(select(Tag.name))).all() == ["pending"]


async def test_a_pending_object_is_visible_to_sql_of_ones_own(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="pending"))
        assert (await uow.session.execute(text("SELECT name FROM tags"))).scalars().all() == ["pending"]


async def test_attributes_are_readable_after_commit_and_after_the_block(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        tag = Tag(name="kept")
        uow.session.add(tag)
        await uow.commit()
        assert tag.name == "kept"
    assert tag.name == "kept"
    assert tag.id > 0


async def test_repository_and_session_see_each_others_rows(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        await add(uow, "ada")
        assert await uow.session.scalar(select(Person.__table__.c.username)) == "ada"
        uow.session.add(person("bob"))
        bob = await uow.users.find("bob")
        assert bob is not None
        assert bob.username == "bob"


async def test_a_repository_sees_an_attribute_that_was_changed_and_not_flushed(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        user = await add(uow, "ada")
        row = await uow.session.get_one(Person, user.id)
        row.role = "admin"  # type: ignore[attr-defined]
        assert (await uow.users.get(user.id)).role == "admin"


@pytest.mark.promise(1)
async def test_rows_of_repository_and_session_are_committed_together(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="kept"))
        await add(uow, "ada")
        uow.session.add(person("bob"))
        await uow.commit()
    assert await names(mapped) == {"ada", "bob"}
    assert await tags(mapped) == {"kept"}


@pytest.mark.promise(1)
async def test_rows_of_repository_and_session_are_rolled_back_together(mapped: Database) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with mapped.unit_of_work() as uow:
            await add(uow, "ada")
            uow.session.add(Tag(name="lost"))
            await uow.session.flush()
            uow.session.add(person("bob"))
            raise ValueError("mine")
    assert await names(mapped) == set()
    assert await tags(mapped) == set()


async def test_an_answer_of_a_repository_is_no_failure_of_the_session(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="kept"))
        with pytest.raises(UserNotFound):
            await uow.users.get(UserId(1))
        await uow.commit()
    assert await tags(mapped) == {"kept"}


@pytest.mark.parametrize("block", ["writing", "reading"])
async def test_an_attribute_that_is_not_loaded_is_missing_greenlet_and_no_failure(mapped: Database, block: str) -> None:
    await given_tag(mapped, "stored")
    uow = mapped.unit_of_work()
    async with uow if block == "writing" else uow.reading():
        before = await driver_of(uow.session)
        tag = (await uow.session.scalars(select(Tag))).one()
        with pytest.raises(MissingGreenlet):
            assert tag.children == []
        uow.session.expire(tag)
        with pytest.raises(MissingGreenlet):
            assert tag.name
        assert await driver_of(uow.session) is before
        assert await tag.awaitable_attrs.name == "stored"
        assert await tag.awaitable_attrs.children == []


async def test_a_unit_goes_on_and_commits_after_missing_greenlet(mapped: Database) -> None:
    tag_id = await given_tag(mapped, "stored")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="flushed"))
        await uow.session.flush()
        tag = await uow.session.get_one(Tag, tag_id)
        with pytest.raises(MissingGreenlet):
            assert tag.children == []
        uow.session.add(Tag(name="after"))
        await uow.commit()
    assert await tags(mapped) == {"stored", "flushed", "after"}


async def driver_of(session: AsyncSession) -> Any:
    return (await (await session.connection()).get_raw_connection()).driver_connection


@pytest.mark.promise(1)
async def test_what_was_written_before_the_session_is_read_is_committed_with_it(database: Database) -> None:
    owner = await register(database.unit_of_work(), "ada")
    async with database.unit_of_work() as uow:
        await uow.items.add(NewItem.of(owner_id=owner.id, name="Box"), at=uow.now)
        assert uow.session is not None  # and is not used
        await uow.commit()
    async with database.unit_of_work().reading() as uow:
        assert [item.name for item in await uow.items.page(limit=10)] == ["Box"]


@pytest.mark.parametrize("sql", ["COMMIT", " commit work", "ROLLBACK", "END"])
@pytest.mark.promise(1)
async def test_the_transaction_cannot_be_ended_by_a_statement(mapped: Database, sql: str) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="before"))
        await uow.session.flush()
        with pytest.raises(UnitOfWorkError, match=r"uow\.commit\(\)"):
            await uow.session.execute(text(sql))
    assert await tags(mapped) == set()
