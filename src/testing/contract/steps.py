"""What the tests of the suite do again and again."""
# ruff: noqa: ARG005 - these are tests, as those in tests/

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import replace
from typing import Any, TypeVar

from ...domain.items import Item, NewItem
from ...domain.users import NewUser, User
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store

Result = TypeVar("Result")
Call = Callable[[UnitOfWork, Item, User], Awaitable[object]]


def new_user(name: str) -> NewUser:
    return NewUser.of(username=name, email=f"{name}@example.org")


def new_item(owner: User, name: str = "Box", quantity: int = 1) -> NewItem:
    return NewItem.of(owner_id=owner.id, name=name, quantity=quantity)


async def add(uow: UnitOfWork, name: str) -> User:
    """One statement that writes, in the block that is open."""
    return await uow.users.add(new_user(name), at=uow.now)


async def register(uow: UnitOfWork, name: str) -> User:
    """A use case in small: a block of its own, committed."""
    async with uow:
        user = await add(uow, name)
        await uow.commit()
    return user


async def names(store: Store) -> set[str]:
    """Who is there for everybody to see."""
    async with store.unit_of_work().reading() as uow:
        return {user.username for user in await uow.users.page(limit=1000)}


async def names_in(uow: UnitOfWork) -> set[str]:
    """Who is there in the eyes of the block that is open."""
    return {user.username for user in await uow.users.page(limit=1000)}


async def stale(uow: UnitOfWork, item: Item) -> None:
    """A statement that loses a race which nobody asked about: it raises `Conflict`."""
    await uow.items.save(replace(item, version=item.version + 7))


def apart(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """A task that stands in none of our blocks, as that of another request."""
    return asyncio.create_task(work, context=Context())


async def has_begun(task: "asyncio.Task[object]") -> None:
    """The task is inside its first statement: one step of the loop takes it to its first await."""
    await asyncio.sleep(0)
    assert not task.done()


READS: dict[str, Call] = {
    "users.get": lambda uow, item, user: uow.users.get(user.id),
    "users.find": lambda uow, item, user: uow.users.find(user.username),
    "users.page": lambda uow, item, user: uow.users.page(limit=10),
    "users.is_empty": lambda uow, item, user: uow.users.is_empty(),
    "items.get": lambda uow, item, user: uow.items.get(item.id),
    "items.get_with_owner": lambda uow, item, user: uow.items.get_with_owner(item.id),
    "items.page": lambda uow, item, user: uow.items.page(limit=10),
    "items.page_with_owner": lambda uow, item, user: uow.items.page_with_owner(limit=10),
}
WRITES: dict[str, Call] = {
    "users.get for update": lambda uow, item, user: uow.users.get(user.id, for_update=True),
    "users.add": lambda uow, item, user: uow.users.add(new_user("new"), at=user.created_at),
    "users.add_many": lambda uow, item, user: uow.users.add_many([new_user("new")], at=user.created_at),
    "users.save": lambda uow, item, user: uow.users.save(replace(user, username="other")),
    "users.delete": lambda uow, item, user: uow.users.delete(user),
    "items.add": lambda uow, item, user: uow.items.add(new_item(user), at=item.created_at),
    "items.add_many": lambda uow, item, user: uow.items.add_many([new_item(user)], at=item.created_at),
    "items.save": lambda uow, item, user: uow.items.save(replace(item, name="Lid")),
    "items.delete": lambda uow, item, user: uow.items.delete(item),
    "items.delete_all_of": lambda uow, item, user: uow.items.delete_all_of(item.owner_id),
    "items.hand_over_all_of": lambda uow, item, user: uow.items.hand_over_all_of(
        item.owner_id, to=user.id, at=item.created_at
    ),
}
