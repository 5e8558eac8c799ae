"""Lists of users and of items, page by page."""

from ..domain.actors import Actor
from ..domain.errors import Forbidden, UserNotFound
from ..domain.items import Item, ItemId, OwnedItem
from ..domain.pages import check_limit
from ..domain.users import User, UserId
from .unit_of_work import UnitOfWork


async def list_users(uow: UnitOfWork, actor: Actor, *, before: UserId | None = None, limit: int = 50) -> list[User]:
    """At most `limit` users with ids below `before`, the newest first.

    Raises `Forbidden` unless an admin asks, and `InvalidValue` for a limit below 1.
    """
    if not actor.is_admin:
        raise Forbidden("Only an admin lists users")
    check_limit(limit)
    async with uow.reading():
        return await uow.users.page(before=before, limit=limit)


async def list_items(
    uow: UnitOfWork,
    actor: Actor,
    *,
    owner_id: UserId | None = None,
    before: ItemId | None = None,
    limit: int = 50,
) -> list[Item]:
    """At most `limit` items with ids below `before`, the newest first: the actor's own; an admin's all, or one
    owner's. Raises `NotAuthenticated`, `UserNotFound` for an owner that is not the actor's to see, and `InvalidValue`
    for a limit below 1."""
    owner_id = _visible_owner(actor, owner_id)
    check_limit(limit)
    async with uow.reading():
        return await uow.items.page(owner_id=owner_id, before=before, limit=limit)


async def list_items_with_owner(
    uow: UnitOfWork,
    actor: Actor,
    *,
    owner_id: UserId | None = None,
    before: ItemId | None = None,
    limit: int = 50,
) -> list[OwnedItem]:
    """As `list_items`, each with what others may see of its owner; one statement, whatever the length."""
    owner_id = _visible_owner(actor, owner_id)
    check_limit(limit)
    async with uow.reading():
        return await uow.items.page_with_owner(owner_id=owner_id, before=before, limit=limit)


def _visible_owner(actor: Actor, owner_id: UserId | None) -> UserId | None:
    actor.require_signed_in()
    if owner_id is None:
        return None if actor.is_admin else actor.user_id
    if not actor.may_act_for(owner_id):
        raise UserNotFound(owner_id)
    return owner_id
