"""Each way in which a session writes, and each in which it reads."""

from collections.abc import Awaitable, Callable

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from .mapped import Tag

Call = Callable[[AsyncSession], Awaitable[object]]


async def write_by_adding(session: AsyncSession) -> None:
    session.add(Tag(name="inner"))


async def write_by_flushing(session: AsyncSession) -> None:
    session.add(Tag(name="inner"))
    await session.flush()


async def write_by_changing(session: AsyncSession) -> None:
    (await session.scalars(select(Tag))).one().weight = 7


async def write_by_deleting(session: AsyncSession) -> None:
    await session.delete((await session.scalars(select(Tag))).one())


async def write_by_core(session: AsyncSession) -> None:
    await session.execute(insert(Tag).values(name="inner"))


async def write_by_text(session: AsyncSession) -> None:
    await session.execute(text("INSERT INTO tags (name) VALUES ('inner')"))


async def write_by_connection(session: AsyncSession) -> None:
    await (await session.connection()).execute(insert(Tag).values(name="inner"))


async def write_by_driver_sql(session: AsyncSession) -> None:
    await (await session.connection()).exec_driver_sql("INSERT INTO tags (name) VALUES ('inner')")


async def write_by_run_sync(session: AsyncSession) -> None:
    await session.run_sync(lambda sync: sync.execute(update(Tag).values(weight=7)))


async def write_by_merge(session: AsyncSession) -> None:
    await session.merge(Tag(name="inner"))


async def write_of_no_row(session: AsyncSession) -> None:
    await session.execute(delete(Tag).where(Tag.name == "nobody"))


async def read_by_text_that_is_no_select(session: AsyncSession) -> None:
    await session.execute(text("WITH n AS (SELECT 1) SELECT * FROM n"))


WRITES = [
    write_by_adding,
    write_by_flushing,
    write_by_changing,
    write_by_deleting,
    write_by_core,
    write_by_text,
    write_by_connection,
    write_by_driver_sql,
    write_by_run_sync,
    write_by_merge,
    write_of_no_row,
    read_by_text_that_is_no_select,
]


async def read_nothing(session: AsyncSession) -> None:
    pass


async def read_by_select(session: AsyncSession) -> None:
    await session.scalars(select(Tag))


async def read_by_union(session: AsyncSession) -> None:
    await session.execute(select(Tag.name).union(select(Tag.name)))


async def read_by_cte(session: AsyncSession) -> None:
    cte = select(Tag.name).cte()
    await session.execute(select(cte.c.name))


async def read_by_text(session: AsyncSession) -> None:
    await session.execute(text(" select name FROM tags"))


async def read_by_option(session: AsyncSession) -> None:
    statement = text("WITH n AS (SELECT 1) SELECT * FROM n")
    await session.execute(statement, execution_options={"reads": True})
    await session.execute(statement.execution_options(reads=True))


async def read_by_connection(session: AsyncSession) -> None:
    await (await session.connection()).execute(select(Tag.name))


async def read_and_set_to_the_same(session: AsyncSession) -> None:
    tag = (await session.scalars(select(Tag))).first()
    assert tag is not None
    tag.name = str(tag.name)


async def read_by_flushing_nothing(session: AsyncSession) -> None:
    await session.flush()


READS = [
    read_nothing,
    read_by_select,
    read_by_union,
    read_by_cte,
    read_by_text,
    read_by_option,
    read_by_connection,
    read_and_set_to_the_same,
    read_by_flushing_nothing,
]


async def write_by_select(session: AsyncSession) -> None:
    written = insert(Tag).values(name="inner").returning(Tag.id).cte()
    await session.execute(select(written.c.id))
