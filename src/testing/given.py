"""What is there before a test begins, each with as little said as the test cares about."""

import itertools
from collections.abc import Mapping
from typing import Any, Protocol

from ..domain.actors import Actor
from ..domain.items import Item
from ..domain.users import PasswordHash, Role, User, UserId
from ..service_layer import items, retry, users
from ..service_layer.unit_of_work import UnitOfWork

_numbers = itertools.count(1)


class Store(Protocol):
    """A `MemoryDatabase`, a `Database`, or what else makes units of work."""

    def unit_of_work(self) -> UnitOfWork: ...


async def given_user(
    store: Store,
    *,
    username: str | None = None,
    email: str | None = None,
    role: Role = Role.MEMBER,
    is_active: bool = True,
    password_hash: PasswordHash | None = None,
) -> User:
    """A committed user. Names and addresses that are not given are ones that nobody else has."""
    username = f"user-{next(_numbers)}" if username is None else username
    user = await retry.run(
        store.unit_of_work(),
        users.register_user,
        Actor.system(),
        username=username,
        email=f"{username}@example.org" if email is None else email,
        password_hash=password_hash,
        role=role,
    )
    if not is_active:
        user = await retry.run(
            store.unit_of_work(), users.update_user, Actor.system(), user_id=user.id, is_active=False
        )
    return user


async def given_item(
    store: Store,
    *,
    owner: User | UserId | None = None,
    name: str | None = None,
    description: str | None = None,
    quantity: int = 1,
    attributes: Mapping[str, Any] | None = None,
) -> Item:
    """A committed item, of a new user unless an owner is given."""
    if owner is None:
        owner = await given_user(store)
    return await retry.run(
        store.unit_of_work(),
        items.create_item,
        Actor.system(),
        owner_id=owner.id if isinstance(owner, User) else owner,
        name=f"Item {next(_numbers)}" if name is None else name,
        description=description,
        quantity=quantity,
        attributes=attributes,
    )
