"""What fails in `uow.session` is named, remembered, and stores nothing."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from steward.adapters.database.database import Database
from steward.domain.errors import TransactionAborted, UsernameTaken
from steward.testing.contract.steps import names, register

from ..support.mapped import (
    UNLUCKY,
    Person,
    Tag,
    given_tag,
    person,
    tags,
)

Call = Callable[[AsyncSession], Awaitable[object]]


# Swallowed


async def fail_in_flush(session: AsyncSession) -> None:
    session.add(Tag(name="taken"))
    await session.flush()


async def fail_in_autoflush(session: AsyncSession) -> None:
    session.add(Tag(name="taken"))
    await session.scalars(select(Tag))


def flush_with(sync: Session, row: object) -> None:
    sync.add(row)
    sync.flush()


FAILURES: dict[str, Call] = {
    "execute": lambda session: session.execute(insert(Tag).values(name="taken")),
    "execute_many": lambda session: session.execute(insert(Tag), [{"name": "new"}, {"name": "taken"}]),
    "scalar": lambda session: session.scalar(insert(Tag).values(name="taken").returning(Tag.id)),
    "text": lambda session: session.execute(text("INSERT INTO tags (name) VALUES ('taken')")),
    "flush": fail_in_flush,
    "autoflush": fail_in_autoflush,
    "run_sync": lambda session: session.run_sync(lambda sync: sync.execute(insert(Tag).values(name="taken"))),
    "run_sync_flush": lambda session: session.run_sync(flush_with, Tag(name="taken")),
    "bulk_insert": lambda session: session.run_sync(
        lambda sync: sync.bulk_insert_mappings(inspect(Tag), [{"name": "new"}, {"name": "taken"}])
    ),
    "bulk_save": lambda session: session.run_sync(lambda sync: sync.bulk_save_objects([Tag(name="taken")])),
    "connection": lambda session: on_connection(session, "INSERT INTO tags (name) VALUES ('taken')"),
}
FAILURE = pytest.mark.parametrize("fail", [pytest.param(fail, id=name) for name, fail in FAILURES.items()])
SLIPS: dict[str, Call] = {
    "execute": lambda session: session.execute(text("SELECT nonsense")),
    "connection": lambda session: on_connection(session, "SELECT nonsense"),
    "run_sync": lambda session: session.run_sync(lambda sync: sync.execute(text("SELECT nonsense"))),
}


async def on_connection(session: AsyncSession, sql: str) -> None:
    await (await session.connection()).execute(text(sql))


@FAILURE
@pytest.mark.promise(9)
async def test_a_failure_that_was_swallowed_is_remembered(mapped: Database, fail: Call) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="before"))
        await uow.session.flush()
        with pytest.raises(IntegrityError):
            await fail(uow.session)
        with pytest.raises(TransactionAborted) as aborted:
            await uow.commit()
        assert isinstance(aborted.value.__cause__, IntegrityError)
    assert await tags(mapped) == {"taken"}


@FAILURE
@pytest.mark.promise(9)
async def test_nothing_is_sent_after_a_failure_that_was_swallowed(mapped: Database, fail: Call) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        with pytest.raises(IntegrityError):
            await fail(uow.session)
        with pytest.raises(TransactionAborted):
            await uow.session.execute(select(Tag))
        with pytest.raises(TransactionAborted):
            await uow.users.count()
        with pytest.raises(TransactionAborted):
            await uow.session.flush()
        with pytest.raises(TransactionAborted):
            async with uow.savepoint():
                pytest.fail("It was entered")


@FAILURE
@pytest.mark.promise(9)
async def test_a_failure_that_was_swallowed_in_an_inner_block_is_remembered(mapped: Database, fail: Call) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        async with uow:
            with pytest.raises(IntegrityError):
                await fail(uow.session)
            with pytest.raises(TransactionAborted):
                await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == {"taken"}


@pytest.mark.promise(9)
async def test_a_stream_that_fails_is_remembered(mapped: Database) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost"))
        with pytest.raises(Exception, match=r"unique|UNIQUE"):  # SQLAlchemy does not wrap asyncpg's error here
            await uow.session.stream(insert(Tag).values(name="taken").returning(Tag.id))
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == {"taken"}


@pytest.mark.parametrize("swallow", [pytest.param(slip, id=name) for name, slip in SLIPS.items()])
@pytest.mark.promise(9)
async def test_a_statement_with_a_slip_in_it_is_remembered(mapped: Database, swallow: Call) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost"))
        with pytest.raises(Exception, match=r"nonsense|schema"):
            await swallow(uow.session)
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()


@pytest.mark.promise(9)
async def test_a_raw_connection_is_refused_after_a_failure(mapped: Database) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        connection = await uow.session.connection()
        with pytest.raises(IntegrityError):
            await connection.execute(insert(Tag).values(name="taken"))
        with pytest.raises(TransactionAborted):
            await connection.execute(select(Tag.name))


@pytest.mark.promise(9)
async def test_a_unit_can_be_used_again_after_a_failure(mapped: Database) -> None:
    await given_tag(mapped, "taken")
    uow = mapped.unit_of_work()
    with pytest.raises(IntegrityError):
        async with uow:
            await fail_in_flush(uow.session)
    async with uow:
        uow.session.add(Tag(name="after"))
        await uow.commit()
    assert await tags(mapped) == {"taken", "after"}


# Constraints

TAKE_USERNAME: dict[str, Call] = {
    "flush": lambda session: session.run_sync(flush_with, person("ada")),
    "execute": lambda session: session.execute(insert(Person).values(columns_of(person("ada")))),
    "update": lambda session: session.execute(
        update(Person).where(Person.__table__.c.username == "bob").values(username_key="ada")
    ),
}


def columns_of(row: Person) -> dict[str, object]:
    return {column.name: getattr(row, column.name) for column in Person.__table__.c if column.name in vars(row)}


@pytest.mark.parametrize("take", [pytest.param(take, id=name) for name, take in TAKE_USERNAME.items()])
@pytest.mark.promise(9)
async def test_a_known_constraint_is_the_domains_error(mapped: Database, take: Call) -> None:
    await register(mapped.unit_of_work(), "ada")
    await register(mapped.unit_of_work(), "bob")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost"))
        with pytest.raises(UsernameTaken):
            await take(uow.session)
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await names(mapped) == {"ada", "bob"}
    assert await tags(mapped) == set()


async def test_a_known_constraint_on_a_raw_connection_stays_sqlalchemys(mapped: Database) -> None:
    await register(mapped.unit_of_work(), "ada")
    with pytest.raises(IntegrityError):
        async with mapped.unit_of_work() as uow:
            connection = await uow.session.connection()
            await connection.execute(insert(Person).values(columns_of(person("ada"))))


async def test_a_known_constraint_in_the_flush_of_a_commit_is_the_domains_error(mapped: Database) -> None:
    await register(mapped.unit_of_work(), "ada")
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost"))
        uow.session.add(person("ada"))
        with pytest.raises(UsernameTaken):
            await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await names(mapped) == {"ada"}
    assert await tags(mapped) == set()


async def test_an_unknown_constraint_in_the_flush_of_a_commit_stays_sqlalchemys(mapped: Database) -> None:
    await given_tag(mapped, "taken")
    async with mapped.unit_of_work() as uow:
        uow.session.add_all([Tag(name="lost"), Tag(name="taken")])
        with pytest.raises(IntegrityError):
            await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == {"taken"}


async def test_a_constraint_that_is_checked_by_commit_stores_nothing_and_the_outcome_is_known(
    mapped: Database,
) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(name="lost", parent_id=1_000_000))
        await uow.session.flush()
        with pytest.raises(IntegrityError):
            await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()


async def test_a_constraint_that_is_met_before_commit_is_no_failure(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Tag(id=1, name="child", parent_id=2))
        await uow.session.flush()
        uow.session.add(Tag(id=2, name="parent"))
        await uow.commit()
    assert await tags(mapped) == {"child", "parent"}


# Errors of Python's


@pytest.mark.promise(9)
async def test_an_error_of_pythons_in_a_flush_is_remembered(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Person(**columns_of(person("ada"))))
        uow.session.add(Tag(name="lost", weight=UNLUCKY))
        with pytest.raises(StatementError, match="unlucky"):
            await uow.session.flush()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()
    assert await names(mapped) == set()


@pytest.mark.promise(9)
async def test_an_error_of_pythons_in_the_flush_of_a_commit_stores_nothing(mapped: Database) -> None:
    async with mapped.unit_of_work() as uow:
        uow.session.add(Person(**columns_of(person("ada"))))
        uow.session.add(Tag(name="lost", weight=UNLUCKY))
        with pytest.raises(StatementError, match="unlucky"):
            await uow.commit()
        with pytest.raises(TransactionAborted):
            await uow.commit()
    assert await tags(mapped) == set()
    assert await names(mapped) == set()


BAD_ARGUMENTS: dict[str, Call] = {
    "bind processor": lambda session: session.execute(insert(Tag).values(name="lost", weight=UNLUCKY)),
    "missing parameter": lambda session: session.execute(text("SELECT :missing")),
    "no statement": lambda session: session.execute("SELECT 1"),  # type: ignore[call-overload]
    "unknown column": lambda session: session.execute(insert(Tag), [{"nonsense": 1}]),
    "object": lambda session: session.execute(select(Tag).where(Tag.name == object())),
    "not mapped": lambda session: session.run_sync(lambda sync: sync.add(object())),
}


@pytest.mark.parametrize("mistake", [pytest.param(mistake, id=name) for name, mistake in BAD_ARGUMENTS.items()])
@pytest.mark.parametrize("block", ["writing", "reading"])
@pytest.mark.promise(2)
async def test_a_bad_argument_leaves_the_connection_whole(mapped: Database, mistake: Call, block: str) -> None:
    uow = mapped.unit_of_work()
    with pytest.raises(Exception) as caught:
        async with uow if block == "writing" else uow.reading():
            await mistake(uow.session)
    assert not isinstance(caught.value, TransactionAborted)
    assert mapped.checked_out() == 0
