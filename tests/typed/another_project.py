"""A program on top of Steward, as another project writes one. It is not run: it is there for the type checkers.

`assert_type` fails where a type has got lost, and an ignored error that is none is an error, too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, assert_type

import steward
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from steward import Actor
from steward.adapters.database.database import Database
from steward.adapters.database.unit_of_work import DatabaseUnitOfWork
from steward.bootstrap import container_for
from steward.client import AsyncClient, Client
from steward.client import Item as ItemOfClient
from steward.config import load_settings
from steward.domain.items import Item, ItemId
from steward.domain.users import User
from steward.entrypoints.http.app import create_app
from steward.entrypoints.http.dependencies import CurrentUnitOfWork
from steward.entrypoints.http.requests.authentication import CurrentActor
from steward.service_layer import items, users
from steward.service_layer.deadline import within
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import Clock, FastHasher, MemoryDatabase, given_item, given_user

ADDRESS = "sqlite+aiosqlite:///shop.db"


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int]


# Use cases of its own


async def double(uow: UnitOfWork, actor: Actor, *, item_id: ItemId) -> Item:
    async with uow as same:
        assert_type(same, UnitOfWork)
        item = await items.get_item(uow, actor, item_id=item_id)
        doubled = await items.update_item(uow, actor, item_id=item_id, quantity=item.quantity * 2)
        await uow.commit()
    return doubled


async def order(uow: DatabaseUnitOfWork, actor: Actor, *, name: str) -> Order:
    async with uow:
        box = await items.create_item(uow, actor, name=name)
        placed = Order(item_id=box.id)
        uow.session.add(placed)
        async with uow.session.begin_nested():
            await uow.session.flush()
        assert_type((await uow.session.scalars(select(Order))).all()[0], Order)
        assert_type(await uow.session.get(Order, 1), Order | None)
        await uow.commit()
    return placed


# From a script


async def script() -> None:
    async with steward.open(ADDRESS, migrate=True) as app:
        ada = await app.users.register(
            Actor.system(), username="ada", email="ada@example.org", password="correct horse"
        )
        assert_type(ada, User)
        me = Actor.of(ada)
        box = await app.items.create(me, name="Box", quantity=3)
        assert_type(box, Item)
        assert_type(await app.items.get(me, item_id=box.id), Item)
        assert_type(await app.run(double, me, item_id=box.id), Item)
        await app.items.create(me, nmae="Box")  # type: ignore[call-arg]
        async with app.unit_of_work() as uow:
            assert_type(uow, DatabaseUnitOfWork)
            await items.create_item(uow, me, name="Lid")
            await double(uow, me, item_id=box.id)
            async with uow.savepoint():
                await users.get_user(uow, me, user_id=ada.id)
            await uow.commit()
        async with app.unit_of_work().reading(snapshot=True) as reading:
            assert_type(reading, DatabaseUnitOfWork)
            assert_type(await reading.items.get(box.id), Item)
            assert_type(await reading.users.find("ada"), User | None)
        async with within(10):
            assert_type(await run(app.unit_of_work(), order, me, name="Crate"), Order)


# Over HTTP

database = Database(ADDRESS)
Session = Annotated[AsyncSession, Depends(database.session)]
Reader = Annotated[AsyncSession, Depends(database.reader)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with database:
        yield


app = FastAPI(lifespan=lifespan)
served = create_app(container_for(load_settings(database_url=ADDRESS)))


@app.post("/orders/{item_id}", status_code=201)
async def place(item_id: int, session: Session) -> int:
    placed = Order(item_id=item_id)
    session.add(placed)
    await session.flush()
    return placed.id


@app.get("/orders/{order_id}")
async def show(order_id: int, reader: Reader) -> int:
    if (found := await reader.get(Order, order_id)) is None:
        raise HTTPException(404)
    return found.item_id


@served.post("/items/{item_id}/double")
async def double_item(item_id: int, uow: CurrentUnitOfWork, actor: CurrentActor) -> int:
    assert_type(uow, UnitOfWork)
    assert_type(actor, Actor)
    return (await run(uow, double, actor, item_id=ItemId(item_id))).quantity


async def outside_a_request() -> None:
    async with database.session() as session:
        assert_type(session, AsyncSession)
        session.add(Order(item_id=1))


# In its tests

pytest_plugins = ["steward.testing.fixtures"]


async def test_doubles_the_quantity(memory_database: MemoryDatabase, clock: Clock, hasher: FastHasher) -> None:
    ada = await given_user(memory_database, password_hash=await hasher.hash("correct horse"))
    box = await given_item(memory_database, owner=ada, quantity=3)
    assert_type(await memory_database.run(double, Actor.of(ada), item_id=box.id), Item)
    assert_type(await double(memory_database.unit_of_work(), Actor.system(), item_id=box.id), Item)
    assert memory_database.items[box.id].updated_at == clock()


# As a client


def client() -> None:
    with Client("http://127.0.0.1:8000") as steward_client:
        steward_client.sign_in("ada", "correct horse")
        box = steward_client.items.create(name="Box", quantity=3)
        assert_type(box, ItemOfClient)
        assert_type([item.name for item in steward_client.items.list(sort="-id")], list[str])
        steward_client.items.create(nmae="Box")  # type: ignore[call-arg]


async def async_client() -> None:
    async with AsyncClient("http://127.0.0.1:8000") as steward_client:
        await steward_client.sign_in("ada", "correct horse")
        assert_type(await steward_client.items.create(name="Box"), ItemOfClient)
        assert_type([item.name async for item in steward_client.items.list()], list[str])
