"""What is there before a test begins, each with as little said as the test cares about."""

import itertools
from collections.abc import Mapping
from typing import Any, Protocol

from ..domain.actors import Actor
from ..domain.items import Item
from ..domain.login_sessions import Client, Lifetimes, LoginSession
from ..domain.users import PasswordHash, Role, User, UserId
from ..service_layer import items, login_sessions, retry, users
from ..service_layer.tokens import Tokens
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
        # Past the use case, which keeps the last active admin: a test may begin with none.
        async with store.unit_of_work() as uow:
            user.change(at=uow.now, is_active=False)
            await uow.users.save(user)
            await uow.commit()
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


async def given_session(
    store: Store,
    *,
    user: User | None = None,
    client: Client | None = None,
    lifetimes: Lifetimes | None = None,
) -> tuple[LoginSession, Tokens]:
    """A committed session, of a new user unless one is given, and the texts of its tokens.

    Raises `InvalidCredentials` for a user who is not active: deactivate afterwards, which ends the session.
    """
    tokens = Tokens.draw()
    session = await retry.run(
        store.unit_of_work(),
        login_sessions.begin_login_session,
        Actor.system(),
        user=await given_user(store) if user is None else user,
        tokens=tokens,
        lifetimes=lifetimes or Lifetimes(),
        client=client or Client(),
    )
    return session, tokens
