"""Filling a database with sample data, for trying things out, for tests and for benchmarks."""

import random
from collections.abc import Callable, Iterator

from ..domain.actors import Actor
from ..domain.errors import Forbidden, InvalidValue
from ..domain.pages import OLDEST_FIRST
from ..domain.users import PasswordHash, UserId
from . import retry
from .sample_data import Ownership, sample_item, sample_user
from .unit_of_work import UnitOfWork

CHUNK = 1_000  # rows of one transaction: large enough to be quick, small enough not to keep other writers waiting

# Called after each transaction with the kind, `users` or `items`, and how many of them are there now.
Progress = Callable[[str, int], None]


async def seed(
    uow: UnitOfWork,
    actor: Actor,
    *,
    users: int,
    items: int,
    seed: int = 0,
    password_hash: PasswordHash | None = None,
    progress: Progress = lambda _kind, _count: None,
) -> None:
    """Add that many users and items; without new users, the items go to those who are there.

    Each thousand is a transaction of its own, run again on a conflict; if `uow` is open, all are one. An empty
    database gets the same data from the same `seed`. Names end in a running number that goes on from what is there,
    so that a second run does not collide with the first.

    Raises `Forbidden` unless an admin asks, and `InvalidValue` if there is nobody to own the items.
    """
    _require_admin(actor)
    owners: list[UserId] = []
    for start, count in _chunks(users):
        owners += await retry.run(
            uow, _add_users, actor, count=count, seed=f"{seed} users {start}", password_hash=password_hash
        )
        progress("users", len(owners))
    if not items:
        return
    ownership = Ownership(owners or await _everybody(uow))
    for start, count in _chunks(items):
        await retry.run(
            uow, _add_items, actor, start=start, count=count, seed=f"{seed} items {start}", ownership=ownership
        )
        progress("items", start + count)


async def _add_users(
    uow: UnitOfWork, actor: Actor, *, count: int, seed: str, password_hash: PasswordHash | None
) -> list[UserId]:
    draw = random.Random(seed)  # noqa: S311 - sample data keeps no secret
    async with uow:
        newest = await uow.users.page(limit=1)
        # Ids only grow, so whoever has this number in the name has an id at least as high: it is free.
        first = newest[0].id + 1 if newest else 1
        new = [sample_user(draw, number, password_hash) for number in range(first, first + count)]
        added = await uow.users.add_many(new, at=uow.now)
        await uow.commit()
    return added


async def _add_items(uow: UnitOfWork, actor: Actor, *, start: int, count: int, seed: str, ownership: Ownership) -> None:
    draw = random.Random(seed)  # noqa: S311 - sample data keeps no secret
    async with uow:
        newest = await uow.items.page(limit=1)
        first = newest[0].id + 1 if newest else 1
        new = [sample_item(draw, first + position, ownership.of(draw, start + position)) for position in range(count)]
        await uow.items.add_many(new, at=uow.now)
        await uow.commit()


async def _everybody(uow: UnitOfWork) -> list[UserId]:
    found: list[UserId] = []
    while True:
        async with uow.reading():
            page = await uow.users.page(sort=OLDEST_FIRST, after=(found[-1],) if found else None, limit=CHUNK)
        found += [user.id for user in page]
        if len(page) < CHUNK:
            break
    if not found:
        raise InvalidValue("users", "missing", "There is no user to own the items: add some")
    return found


def _require_admin(actor: Actor) -> None:
    if not actor.is_admin:
        raise Forbidden("Only an admin adds sample data")


def _chunks(total: int) -> Iterator[tuple[int, int]]:
    for start in range(0, total, CHUNK):
        yield start, min(CHUNK, total - start)
