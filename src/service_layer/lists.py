"""Lists of users and of items, page by page."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypedDict, TypeVar, Unpack

from ..domain.actors import Actor
from ..domain.errors import Forbidden, UserNotFound
from ..domain.filters import ITEM_SORT_FIELDS, USER_SORT_FIELDS, ItemFilter, UserFilter
from ..domain.items import Item, OwnedItem
from ..domain.pages import Page, Position, Sort, check_limit
from ..domain.users import Role, User, UserId
from .unit_of_work import UnitOfWork

Entity = TypeVar("Entity")


class WhichItems(TypedDict, total=False):
    """The fields of an `ItemFilter`; None is as absent."""

    owner_id: UserId | None
    name: str | None
    q: str | None
    min_quantity: int | None
    max_quantity: int | None
    created_after: datetime | None
    created_before: datetime | None


async def list_users(
    uow: UnitOfWork,
    actor: Actor,
    *,
    q: str | None = None,
    role: Role | None = None,
    is_active: bool | None = None,
    sort: str = "-id",
    after: Position | None = None,
    limit: int = 50,
    count: bool = False,
) -> Page[User]:
    """At most `limit` of the users that meet what is given (see `UserFilter`), the newest first unless `sort` says
    otherwise; a later page begins `after` the `next` of the one before.

    Raises `Forbidden` unless an admin asks, and `InvalidValue`.
    """
    if not actor.is_admin:
        raise Forbidden("Only an admin lists users")
    where = UserFilter(q, role, is_active)
    order = _checked(Sort.of(sort, fields=USER_SORT_FIELDS), after, limit)
    async with _reading(uow, count):
        rows = await uow.users.page(where, sort=order, after=after, limit=limit + 1)
        return _page(rows, order.position_of, limit, await uow.users.count(where) if count else None)


async def list_items(
    uow: UnitOfWork,
    actor: Actor,
    *,
    sort: str = "-id",
    after: Position | None = None,
    limit: int = 50,
    count: bool = False,
    **which: Unpack[WhichItems],
) -> Page[Item]:
    """At most `limit` of the items that meet what is given (see `ItemFilter`), the newest first unless `sort` says
    otherwise; a later page begins `after` the `next` of the one before.

    The actor's own; an admin's all, or one owner's. With `count` the page says how many there are, as of the same
    moment. Raises `NotAuthenticated`, `UserNotFound` for an owner that is not the actor's to see, and `InvalidValue`.
    """
    where = _visible(actor, which)
    order = _checked(Sort.of(sort, fields=ITEM_SORT_FIELDS), after, limit)
    async with _reading(uow, count):
        rows = await uow.items.page(where, sort=order, after=after, limit=limit + 1)
        return _page(rows, order.position_of, limit, await uow.items.count(where) if count else None)


async def list_items_with_owner(
    uow: UnitOfWork,
    actor: Actor,
    *,
    sort: str = "-id",
    after: Position | None = None,
    limit: int = 50,
    count: bool = False,
    **which: Unpack[WhichItems],
) -> Page[OwnedItem]:
    """As `list_items`, each with what others may see of its owner; one statement, whatever the length."""
    where = _visible(actor, which)
    order = _checked(Sort.of(sort, fields=ITEM_SORT_FIELDS), after, limit)
    async with _reading(uow, count):
        rows = await uow.items.page_with_owner(where, sort=order, after=after, limit=limit + 1)
        total = await uow.items.count(where) if count else None
        return _page(rows, lambda owned: order.position_of(owned.item), limit, total)


def visible_owner(actor: Actor, owner_id: UserId | None) -> UserId | None:
    """Whose items the actor sees who asks for those of `owner_id`: None for everybody's. Raises `NotAuthenticated` and
    `UserNotFound`."""
    actor.require_signed_in()
    if owner_id is None:
        return None if actor.is_admin else actor.user_id
    if not actor.may_act_for(owner_id):
        raise UserNotFound(owner_id)
    return owner_id


def _visible(actor: Actor, which: WhichItems) -> ItemFilter:
    which["owner_id"] = visible_owner(actor, which.get("owner_id"))
    return ItemFilter(**which)


def _checked(sort: Sort, after: Position | None, limit: int) -> Sort:
    check_limit(limit)
    if after is not None:
        sort.check_position(after)
    return sort


def _reading(uow: UnitOfWork, count: bool) -> AbstractAsyncContextManager[UnitOfWork]:
    """A page alone is one statement; with its count it is two, which have to see the same."""
    return uow.reading(snapshot=count)


def _page(rows: list[Entity], position_of: Callable[[Entity], Position], limit: int, count: int | None) -> Page[Entity]:
    """`rows` holds one more than `limit` if there is more."""
    return Page(rows[:limit], position_of(rows[limit - 1]) if len(rows) > limit else None, count)
