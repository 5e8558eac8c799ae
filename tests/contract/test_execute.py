"""`execute`, by which repositories run their statements, means the same in every kind of block."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import bindparam, exists, func, insert, literal_column, select, text
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from steward.adapters.database.database import Database

from ..support.mapped import Tag

Execute = Callable[..., Any]
NAMES = select(Tag.name).order_by(Tag.name)


@asynccontextmanager
async def block(database: Database, kind: str) -> AsyncIterator[Execute]:
    uow = database.unit_of_work()
    execute = uow._database_transaction.execute
    if kind in ("reading", "snapshot"):
        async with uow.reading(snapshot=kind == "snapshot"):
            yield execute
        return
    async with uow:
        if kind == "writing":
            yield execute
        else:
            async with uow.savepoint() if kind == "savepoint" else uow.reading():
                yield execute


@pytest.fixture(params=["writing", "reading", "snapshot", "savepoint", "reading inside writing"])
async def execute(mapped: Database, request: pytest.FixtureRequest) -> AsyncIterator[Execute]:
    async with mapped.unit_of_work() as uow:
        await uow._database_transaction.execute(insert(Tag), [{"name": name} for name in ("ada", "bob", "cyd")])
        await uow.commit()
    async with block(mapped, request.param) as execute:
        yield execute


@pytest.mark.promise(4)
async def test_a_statement_gives_the_same_rows_with_every_kind_of_parameter(execute: Execute) -> None:
    wanted = [("ada",), ("cyd",)]
    listed = NAMES.where(Tag.name.in_(["ada", "cyd"]))
    expanding = NAMES.where(Tag.name.in_(bindparam("names", expanding=True)))
    for statement, parameters in (
        (listed, None),
        (listed, {}),
        (expanding, {"names": ["ada", "cyd"]}),
        (NAMES.where(Tag.name != bindparam("name")), {"name": "bob"}),
        (text("SELECT name FROM tags WHERE name <> :name ORDER BY name"), {"name": "bob"}),
        (text("SELECT name FROM tags WHERE name <> 'bob' ORDER BY name"), None),
    ):
        assert [tuple(row) for row in (await execute(statement, parameters)).all()] == wanted, statement
    assert [tuple(row) for row in await execute(expanding, {"names": []})] == []


@pytest.mark.promise(4)
async def test_the_rows_have_every_method_of_a_result(execute: Execute) -> None:
    async def result(name: str) -> Any:
        return await execute(NAMES.where(Tag.name >= bindparam("name")), {"name": name})

    assert list((await result("bob")).scalars()) == ["bob", "cyd"]
    assert (await result("bob")).scalars().all() == ["bob", "cyd"]
    assert (await result("bob")).mappings().first() == {"name": "bob"}
    assert (await result("bob")).first().name == "bob"
    assert tuple((await result("cyd")).one()) == ("cyd",)
    assert (await result("cyd")).scalar_one() == (await result("cyd")).scalar() == "cyd"
    assert (await result("dan")).one_or_none() is (await result("dan")).scalar_one_or_none() is None
    for call in ("one", "one_or_none", "scalar_one", "scalar_one_or_none"):
        with pytest.raises(MultipleResultsFound):
            getattr(await result("bob"), call)()
    for call in ("one", "scalar_one"):
        with pytest.raises(NoResultFound):
            getattr(await result("dan"), call)()


@pytest.mark.promise(4)
async def test_a_statement_without_a_table_or_a_name_is_run_likewise(execute: Execute) -> None:
    assert (await execute(select(func.count()).select_from(Tag), {})).scalar_one() == 3
    is_there = select(exists().where(Tag.name == bindparam("name")))
    assert (await execute(is_there, {"name": "ada"})).scalar_one()
    assert (await execute(is_there, {"name": "ada"})).scalars().all() == [True]
    assert (await execute(select(literal_column("7").label("seven")), {})).mappings().one() == {"seven": 7}
