"""The tutorial: FastAPI and SQLAlchemy as they are usually put together, and nobody is signed in.

A session by `Depends`, ORM entities, `response_model`, commit and refresh. A careful one: the owner is loaded with a
join, the version is the mapper's own, the pool does not overflow.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Integer, Text, event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from sqlalchemy.orm.exc import StaleDataError
from steward.adapters.database.column_types import UtcDateTime

from .environment import PRAGMAS, database_url, pool_size

engine = create_async_engine(database_url(), pool_size=pool_size(), max_overflow=0)
new_session = async_sessionmaker(engine, expire_on_commit=False)

if engine.dialect.name == "sqlite":

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _: object) -> None:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {
        int: BigInteger().with_variant(Integer, "sqlite"),
        str: Text(),
        dict[str, Any]: JSON(),
        datetime: DateTime(timezone=True).with_variant(UtcDateTime(), "sqlite"),  # SQLite keeps no zone
    }


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    description: Mapped[str | None]
    quantity: Mapped[int]
    attributes: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    version: Mapped[int] = mapped_column(Integer)
    search_text: Mapped[str]
    owner: Mapped[User] = relationship()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy declares it


class ItemCreate(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=10_000)
    quantity: int = Field(default=1, ge=0, le=2**31 - 1)
    attributes: dict[str, Any] = {}


class ItemUpdate(BaseModel):
    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=10_000)
    quantity: int | None = Field(default=None, ge=0, le=2**31 - 1)
    attributes: dict[str, Any] | None = None


class ToItem(BaseModel):
    item_id: int


class TransferCreate(BaseModel):
    to: ToItem
    quantity: int = Field(ge=1)


class OwnerRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class ItemRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    owner_id: int
    name: str
    description: str | None
    quantity: int
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    version: int


class ItemReadWithOwner(ItemRead):
    owner: OwnerRead


class ItemList(BaseModel):
    data: list[ItemRead]
    next_cursor: str | None


class TransferRead(BaseModel):
    item: ItemRead
    received: ItemRead


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]

app = FastAPI()


@app.get("/items/{item_id}", response_model=ItemRead)
async def read_item(item_id: int, session: SessionDep) -> Any:
    item = await session.get(Item, item_id)
    if item is None:
        raise HTTPException(404, "Item not found")
    return item


@app.get("/items/{item_id}/with-owner", response_model=ItemReadWithOwner)
async def read_item_with_owner(item_id: int, session: SessionDep) -> Any:
    statement = select(Item).where(Item.id == item_id).options(joinedload(Item.owner))
    item = (await session.execute(statement)).scalar_one_or_none()
    if item is None:
        raise HTTPException(404, "Item not found")
    return item


@app.get("/items", response_model=ItemList)
async def read_items(session: SessionDep, limit: int = 50) -> Any:
    result = await session.execute(select(Item).order_by(Item.id.desc()).limit(limit))
    items = result.scalars().all()
    return {"data": items, "next_cursor": str(items[-1].id) if items else None}


@app.post("/items", response_model=ItemRead, status_code=201)
async def create_item(body: ItemCreate, session: SessionDep) -> Any:
    search_text = f"{body.name} {body.description or ''}".casefold()
    item = Item(**body.model_dump(), owner_id=1, search_text=search_text)
    session.add(item)
    await session.commit()
    await session.refresh(item)
    return item


@app.patch("/items/{item_id}", response_model=ItemRead)
async def update_item(item_id: int, body: ItemUpdate, session: SessionDep, if_match: Annotated[str, Header()]) -> Any:
    item = await session.get(Item, item_id)
    if item is None:
        raise HTTPException(404, "Item not found")
    if if_match != f'"{item.id}-{item.version}"':
        raise HTTPException(412, "The item has changed")
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(item, name, value)
    try:
        await session.commit()
    except StaleDataError:
        raise HTTPException(412, "The item has changed") from None
    await session.refresh(item)
    return item


@app.post("/items/{item_id}/transfer", response_model=TransferRead)
async def transfer_item(item_id: int, body: TransferCreate, session: SessionDep) -> Any:
    item = await session.get(Item, item_id)
    received = await session.get(Item, body.to.item_id)
    if item is None or received is None:
        raise HTTPException(404, "Item not found")
    if item.quantity < body.quantity:
        raise HTTPException(409, "Not enough")
    item.quantity -= body.quantity
    received.quantity += body.quantity
    try:
        await session.commit()
    except StaleDataError:
        raise HTTPException(409, "Somebody else was faster") from None
    await session.refresh(item)
    await session.refresh(received)
    return {"item": item, "received": received}
