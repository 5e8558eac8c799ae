"""What the project began with: each way in which its first readers used a session, with models of their own."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
import pytest_asyncio
from fastapi import Body, Depends, FastAPI, HTTPException
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from steward.adapters.database.database import Database

from tests.conftest import PATIENT
from tests.support.asgi import Answer, call


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]
    created_on: Mapped[datetime] = mapped_column(server_default=func.now())
    things: Mapped[list["Thing"]] = relationship(lazy="raise")


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str]
    price: Mapped[int]


@pytest_asyncio.fixture
async def db(notes_url: str) -> AsyncIterator[Database]:
    async with Database(notes_url, pool=PATIENT) as db:
        async with db.session() as session:
            connection = await session.connection()
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
        yield db
        assert db.checked_out() == 0


# The functions of the first readers, on `Database`


async def create_person(db: Database, username: str, email: str) -> str:
    async with db.session() as session:
        person = Person(username=username, email=email)
        session.add(person)
        await session.commit()
        await session.refresh(person)
        return f"{person.id}: {person.username}, since {person.created_on:%Y}"


async def add_and_list_people(db: Database, *names: str) -> Sequence[Person]:
    async with db.session() as session:
        for name in names:
            session.add(Person(username=name, email=f"{name}@example.org"))
            await session.commit()
        return (await session.execute(select(Person).order_by(Person.id))).scalars().all()


async def create_thing(db: Database, values: dict[str, Any]) -> Thing:
    async with db.session() as session:
        thing = Thing(**values)
        session.add(thing)
        await session.commit()
        await session.refresh(thing)
        return thing


async def get_thing(db: Database, thing_id: int) -> Thing | None:
    async with db.reader() as session:
        found = await session.execute(select(Thing).where(Thing.id == thing_id))
        return found.scalars().first()


async def update_thing(db: Database, thing_id: int, changes: dict[str, Any]) -> Thing | None:
    async with db.session() as session:
        thing = await session.get(Thing, thing_id)
        if thing is not None:
            for name, value in changes.items():
                setattr(thing, name, value)
            await session.commit()
            await session.refresh(thing)
        return thing


async def delete_thing(db: Database, thing_id: int) -> bool:
    async with db.session() as session:
        thing = await session.get(Thing, thing_id)
        if thing is None:
            return False
        await session.delete(thing)
        await session.commit()
        return True


async def test_a_created_person_shows_what_the_database_gave_it(db: Database) -> None:
    assert await create_person(db, "ada", "ada@example.org") == f"1: ada, since {datetime.now(UTC):%Y}"


async def test_people_are_added_one_by_one_and_listed(db: Database) -> None:
    people = await add_and_list_people(db, "ada", "bob")

    # Read after the session has been closed: nothing has expired.
    assert [(person.id, person.username, person.email) for person in people] == [
        (1, "ada", "ada@example.org"),
        (2, "bob", "bob@example.org"),
    ]


async def test_an_error_in_between_is_raised_as_it_is_and_leaves_what_was_committed(db: Database) -> None:
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        await add_and_list_people(db, "ada", "ada", "never")

    assert [person.username for person in await add_and_list_people(db)] == ["ada"]


async def test_a_thing_is_created_and_got(db: Database) -> None:
    box = await create_thing(db, {"name": "Box", "price": 3})

    found = await get_thing(db, box.id)
    assert found is not None
    assert (found.id, found.name, found.price) == (1, "Box", 3)
    assert await get_thing(db, box.id + 1) is None


async def test_a_thing_is_updated_from_a_dict(db: Database) -> None:
    box = await create_thing(db, {"name": "Box", "price": 3})

    updated = await update_thing(db, box.id, {"price": 4})
    assert updated is not None
    assert (updated.name, updated.price) == ("Box", 4)
    found = await get_thing(db, box.id)
    assert found is not None
    assert found.price == 4
    assert await update_thing(db, box.id + 1, {"price": 4}) is None


async def test_deleting_a_thing_says_whether_there_was_one(db: Database) -> None:
    box = await create_thing(db, {"name": "Box", "price": 3})

    assert await delete_thing(db, box.id) is True
    assert await delete_thing(db, box.id) is False
    assert await get_thing(db, box.id) is None


async def test_what_belongs_together_is_loaded_together(db: Database) -> None:
    """Nothing is loaded behind one's back; what is wanted is asked for, in a constant number of statements."""
    async with db.session() as session:
        session.add(Person(username="ada", email="ada@example.org", things=[Thing(name="Box", price=3)]))

    async with db.reader() as session:
        ada = (await session.scalars(select(Person).options(selectinload(Person.things)))).one()

    assert [thing.name for thing in ada.things] == ["Box"]


# The same session as a dependency of routes


async def answer_of(db: Database, method: str, path: str, body: object = None) -> Answer:
    app = FastAPI()
    Session = Annotated[AsyncSession, Depends(db.session, scope="function")]  # noqa: N806

    @app.get("/people/{person_id}")
    async def get_person(person_id: int, session: Session) -> dict[str, Any]:
        person = await session.get(Person, person_id)
        if person is None:
            raise HTTPException(404, f"There is no person {person_id}")
        return {"id": person.id, "username": person.username}

    @app.post("/things/", status_code=201)
    async def post_thing(values: Annotated[dict[str, Any], Body()], session: Session) -> dict[str, Any]:
        thing = Thing(**values)
        session.add(thing)
        await session.commit()
        await session.refresh(thing)
        return {"id": thing.id, "name": thing.name, "price": thing.price}

    return await call(app, method, path, body=body)


async def test_a_route_gets_a_person_or_says_that_there_is_none(db: Database) -> None:
    await create_person(db, "ada", "ada@example.org")

    found = await answer_of(db, "GET", "/people/1")
    missing = await answer_of(db, "GET", "/people/2")

    assert (found.status, found.body) == (200, b'{"id":1,"username":"ada"}')
    assert (missing.status, missing.body) == (404, b'{"detail":"There is no person 2"}')


async def test_a_route_creates_a_thing_and_answers_with_what_is_stored(db: Database) -> None:
    created = await answer_of(db, "POST", "/things/", {"name": "Box", "price": 3})

    assert (created.status, created.body) == (201, b'{"id":1,"name":"Box","price":3}')
    assert await get_thing(db, 1) is not None
