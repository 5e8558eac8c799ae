"""What the tests of the suite do again and again."""
# ruff: noqa: ARG005 - these are tests, as those in tests/

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

from ...domain.attempts import Counter, CounterKey
from ...domain.errors import Conflict
from ...domain.idempotency import KeyHash, RequestKey
from ...domain.items import Item, NewItem
from ...domain.login_sessions import Client, Lifetimes, LoginSession, PresentedToken, TokenHash, TokenPair
from ...domain.users import MAX_ID, NewUser, User
from ...service_layer.tokens import Tokens
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_item, given_user

Result = TypeVar("Result")

NOWHERE = [0, -1, 7_000_000, MAX_ID, MAX_ID + 1, -(2**63) - 1, 10**30]  # ids that nobody and nothing has
LATER = datetime(2999, 1, 1, tzinfo=UTC)  # when nothing that the tests give a time to has run out, unless they say so


@dataclass(frozen=True, slots=True)
class Rows:
    """One of each, for the methods of the repositories to work on; `user` owns no item."""

    item: Item
    user: User
    session: LoginSession
    token: TokenHash
    presented: PresentedToken
    counter: Counter


Call = Callable[[UnitOfWork, Rows], Awaitable[object]]


def new_user(name: str) -> NewUser:
    return NewUser.of(username=name, email=f"{name}@example.org")


def new_item(owner: User, name: str = "Box", quantity: int = 1) -> NewItem:
    return NewItem.of(owner_id=owner.id, name=name, quantity=quantity)


async def add(uow: UnitOfWork, name: str) -> User:
    """One statement that writes, in the block that is open."""
    return await uow.users.add(new_user(name), at=uow.now)


async def again_after_conflicts(unit: Callable[[], Awaitable[Result]]) -> Result:
    while True:
        try:
            return await unit()
        except Conflict:
            await asyncio.sleep(0)


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


def new_tokens(at: datetime, lifetimes: Lifetimes | None = None) -> TokenPair:
    return Tokens.draw().stored(lifetimes or Lifetimes(), at=at)


def key_of(name: str) -> CounterKey:
    return CounterKey(sha256(name.encode()).digest())


async def given_rows(store: Store) -> Rows:
    item, user = await given_item(store), await given_user(store)
    async with store.unit_of_work() as uow:
        tokens = new_tokens(uow.now)
        session = await uow.login_sessions.add(user.id, Client(), tokens, at=uow.now)
        presented = await uow.login_sessions.find(tokens.refresh)
        (counter,) = await uow.attempts.count({key_of("counter"): LATER}, at=uow.now)
        key = request_key(user)
        await uow.idempotency_keys.claim(key, at=session.created_at, until=session.expires_at)
        await uow.idempotency_keys.remember(key, b"done", at=session.created_at)
        await uow.commit()
    assert presented is not None
    return Rows(item, user, session, tokens.refresh, presented, counter)


def request_key(user: User) -> RequestKey:
    return RequestKey(KeyHash(key_of("key")), key_of("request"), user.id)


async def not_refused(calls: Mapping[str, Call], uow: UnitOfWork, rows: Rows, error: type[Exception]) -> list[str]:
    """The names of those that do not raise that error."""
    found = []
    for name, call in calls.items():
        try:
            await call(uow, rows)
        except error:
            continue
        found.append(name)
    return found


READS: dict[str, Call] = {
    "users.get": lambda uow, rows: uow.users.get(rows.user.id),
    "users.find": lambda uow, rows: uow.users.find(rows.user.username),
    "users.find_by_email": lambda uow, rows: uow.users.find_by_email(rows.user.email),
    "users.page": lambda uow, rows: uow.users.page(limit=10),
    "users.count": lambda uow, rows: uow.users.count(),
    "users.is_empty": lambda uow, rows: uow.users.is_empty(),
    "items.get": lambda uow, rows: uow.items.get(rows.item.id),
    "items.get_with_owner": lambda uow, rows: uow.items.get_with_owner(rows.item.id),
    "items.page": lambda uow, rows: uow.items.page(limit=10),
    "items.page_with_owner": lambda uow, rows: uow.items.page_with_owner(limit=10),
    "items.count": lambda uow, rows: uow.items.count(),
    "login_sessions.find": lambda uow, rows: uow.login_sessions.find(rows.token),
    "login_sessions.get": lambda uow, rows: uow.login_sessions.get(rows.session.id),
    "login_sessions.list_of": lambda uow, rows: uow.login_sessions.list_of(rows.user.id, at=rows.session.created_at),
    "attempts.find": lambda uow, rows: uow.attempts.find(rows.counter.key, at=rows.session.created_at),
    "idempotency_keys.find": lambda uow, rows: uow.idempotency_keys.find(
        request_key(rows.user), at=rows.session.created_at
    ),
}
WRITES: dict[str, Call] = {
    "users.get for update": lambda uow, rows: uow.users.get(rows.user.id, for_update=True),
    "users.get for change": lambda uow, rows: uow.users.get(rows.user.id, for_change=True),
    "users.lock_active_admins": lambda uow, rows: uow.users.lock_active_admins(),
    "users.add": lambda uow, rows: uow.users.add(new_user("new"), at=rows.user.created_at),
    "users.add_many": lambda uow, rows: uow.users.add_many([new_user("new")], at=rows.user.created_at),
    "users.save": lambda uow, rows: uow.users.save(replace(rows.user, username="other")),
    "users.delete": lambda uow, rows: uow.users.delete(rows.user),
    "items.add": lambda uow, rows: uow.items.add(new_item(rows.user), at=rows.item.created_at),
    "items.add_many": lambda uow, rows: uow.items.add_many([new_item(rows.user)], at=rows.item.created_at),
    "items.lock": lambda uow, rows: uow.items.lock([rows.item.id]),
    "items.save": lambda uow, rows: uow.items.save(replace(rows.item, name="Lid")),
    "items.delete": lambda uow, rows: uow.items.delete(rows.item),
    "items.delete_all_of": lambda uow, rows: uow.items.delete_all_of(rows.item.owner_id),
    "items.hand_over_all_of": lambda uow, rows: uow.items.hand_over_all_of(
        rows.item.owner_id, to=rows.user.id, at=rows.item.created_at
    ),
    "login_sessions.add": lambda uow, rows: uow.login_sessions.add(
        rows.user.id, Client(), new_tokens(rows.session.created_at), at=rows.session.created_at
    ),
    "login_sessions.rotate": lambda uow, rows: uow.login_sessions.rotate(
        rows.presented, new_tokens(rows.session.created_at), at=rows.session.created_at
    ),
    "login_sessions.issue": lambda uow, rows: uow.login_sessions.issue(
        rows.presented, new_tokens(rows.session.created_at)
    ),
    "login_sessions.end": lambda uow, rows: uow.login_sessions.end(rows.session.id),
    "login_sessions.end_all_of": lambda uow, rows: uow.login_sessions.end_all_of(rows.user.id),
    "login_sessions.make_room": lambda uow, rows: uow.login_sessions.make_room(
        rows.user.id, keep=0, at=rows.session.created_at
    ),
    "attempts.count": lambda uow, rows: uow.attempts.count(
        {rows.counter.key: rows.counter.resets_at}, at=rows.session.created_at
    ),
    "attempts.take_back": lambda uow, rows: uow.attempts.take_back([rows.counter]),
    "idempotency_keys.claim": lambda uow, rows: uow.idempotency_keys.claim(
        request_key(rows.user), at=rows.session.created_at, until=rows.session.expires_at
    ),
    "idempotency_keys.remember": lambda uow, rows: uow.idempotency_keys.remember(
        request_key(rows.user), b"done", at=rows.session.created_at
    ),
}
