"""Mapped classes of the tests' own, as users of `uow.session` would declare theirs."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, ForeignKey, Integer, MetaData, TypeDecorator, UniqueConstraint, insert, select
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from steward.adapters.database import tables
from steward.adapters.database.database import Database
from steward.adapters.unit_of_work.transaction import TransactionMode

UNLUCKY = 13


class Picky(TypeDecorator[int]):
    """Refuses one number by an error of Python's, when a statement is about to be sent."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        if value == UNLUCKY:
            raise ValueError("unlucky")
        return value


class Base(AsyncAttrs, DeclarativeBase):
    metadata = MetaData(naming_convention=tables.metadata.naming_convention)


class Tag(Base):
    """A parent that does not exist fails at COMMIT, not before."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("name", name="uq_tags_name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    weight: Mapped[Any] = mapped_column(Picky, nullable=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tags.id", deferrable=True, initially="DEFERRED"))
    children: Mapped[list["Tag"]] = relationship(lazy="select")


class Counter(Base):
    """Its version is checked in each UPDATE."""

    __tablename__ = "counters"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy documents it


class Person(Base):
    """A class of somebody else's for our own table."""

    __table__ = tables.users


OWN_TABLES = [Tag.metadata.tables["tags"], Counter.metadata.tables["counters"]]


async def create_own_tables(database: Database) -> None:
    async with database.engines.by_mode[TransactionMode.WRITING].begin() as connection:
        await connection.run_sync(Base.metadata.create_all, tables=OWN_TABLES)


async def empty_own_tables(database: Database) -> None:
    async with database.engines.by_mode[TransactionMode.WRITING].begin() as connection:
        for table in OWN_TABLES:
            await connection.execute(table.delete())


async def given_tag(database: Database, name: str, **fields: Any) -> int:
    """Stored by a unit of its own. Returns its id."""
    async with database.unit_of_work() as uow:
        tag = Tag(name=name, **fields)
        uow.session.add(tag)
        await uow.commit()
    return tag.id


async def given_counter(database: Database, value: int = 0) -> int:
    """Stored by a unit of its own. Returns its id."""
    async with database.unit_of_work() as uow:
        counter = Counter(value=value)
        uow.session.add(counter)
        await uow.commit()
    return counter.id


async def tags(database: Database) -> set[str]:
    """The names of those that are stored, for everybody to see."""
    async with database.unit_of_work().reading() as uow:
        return set(await uow.session.scalars(select(Tag.name)))


async def value_of(database: Database, counter_id: int) -> int:
    """What is stored, for everybody to see."""
    async with database.unit_of_work().reading() as uow:
        return (await uow.session.scalars(select(Counter.value).where(Counter.id == counter_id))).one()


async def another_unit_writes(database: Database) -> None:
    """Fails if somebody has left a lock, or a connection in a transaction, behind."""
    async with database.unit_of_work() as uow:
        await uow.session.execute(insert(Counter).values(value=0, version=1))
        await uow.commit()


def person(username: str) -> Person:
    """Not stored yet."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Person(
        username=username,
        username_key=username,
        email=f"{username}@example.com",
        email_key=f"{username}@example.com",
        role="member",
        is_active=True,
        created_at=now,
        updated_at=now,
        version=1,
    )
