"""All items of one owner, however many there are."""

from collections.abc import AsyncGenerator

from ..domain.actors import Actor
from ..domain.errors import InvalidValue
from ..domain.filters import ItemFilter
from ..domain.items import Item, ItemId
from ..domain.pages import OLDEST_FIRST
from ..domain.users import UserId
from .lists import visible_owner
from .retry import run
from .unit_of_work import UnitOfWork

CHUNK = 200  # items of one read: at 50 KB each, which is the most, ten megabytes


async def export_items(
    uow: UnitOfWork, actor: Actor, *, owner_id: UserId | None = None
) -> AsyncGenerator[list[Item], None]:
    """The items of one owner, the actor's own if none is named, in the order of their ids, a few at a time.

    Each part is a short read of its own, so that whoever takes their time with it holds no connection: an item that is
    there throughout comes exactly once, as it was when its part was read. Inside `uow.reading(snapshot=True)` all are
    as they were at one moment. Raises as `read_chunk`.
    """
    after: ItemId | None = None
    while chunk := await run(uow, read_chunk, actor, owner_id=owner_id, after=after):
        yield chunk
        if len(chunk) < CHUNK:
            break
        after = chunk[-1].id


async def read_chunk(
    uow: UnitOfWork, actor: Actor, *, owner_id: UserId | None = None, after: ItemId | None = None
) -> list[Item]:
    """The next items of one owner, the actor's own if none is named, in the order of their ids.

    Raises `NotAuthenticated`, `UserNotFound` for an owner that is not the actor's to see, and `InvalidValue` where
    nobody is named and the actor is the system, which owns nothing.
    """
    where = _of_one_owner(actor, owner_id)
    async with uow.reading():
        return await uow.items.page(where, sort=OLDEST_FIRST, after=None if after is None else (after,), limit=CHUNK)


async def count_items(uow: UnitOfWork, actor: Actor, *, owner_id: UserId | None = None) -> int:
    """How many an export would have now. Raises as `read_chunk`."""
    where = _of_one_owner(actor, owner_id)
    async with uow.reading():
        return await uow.items.count(where)


def _of_one_owner(actor: Actor, owner_id: UserId | None) -> ItemFilter:
    """Unlike a list, an admin's export is not of everybody's."""
    owner = visible_owner(actor, actor.user_id if owner_id is None else owner_id)
    if owner is None:
        raise InvalidValue("owner_id", "missing", "The system owns nothing: say whose items")
    return ItemFilter(owner_id=owner)
