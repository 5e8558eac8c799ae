"""Filtering and sorting, as a database does it."""

from collections.abc import Iterable
from operator import attrgetter
from typing import TypeVar

from ...domain.filters import ItemFilter, UserFilter, search_text
from ...domain.items import Item
from ...domain.pages import Position, Sort
from ...domain.text import fold
from ...domain.users import User, email_key, username_key

Entity = TypeVar("Entity", User, Item)


def page_of(found: Iterable[Entity], sort: Sort, after: Position | None, limit: int) -> list[Entity]:
    rows = [row for row in found if after is None or _stands_after(sort, sort.position_of(row), after)]
    # The last key first, because sorting keeps the order of those that are equal.
    for key in reversed(sort.keys):
        rows.sort(key=attrgetter(key.field), reverse=key.descending)
    return rows[:limit]


def users_that_meet(where: UserFilter, users: Iterable[User]) -> Iterable[User]:
    if where.q is not None:
        username, email = username_key(where.q), email_key(where.q)
        users = (each for each in users if username in username_key(each.username) or email in email_key(each.email))
    if where.role is not None:
        users = (each for each in users if each.role == where.role)
    if where.is_active is not None:
        users = (each for each in users if each.is_active is where.is_active)
    return users


def items_that_meet(where: ItemFilter, items: Iterable[Item]) -> Iterable[Item]:
    if where.owner_id is not None:
        items = (each for each in items if each.owner_id == where.owner_id)
    if where.name is not None:
        items = (each for each in items if each.name == where.name)
    if where.q is not None:
        sought = fold(where.q)
        items = (each for each in items if sought in search_text(each))
    if (least := where.min_quantity) is not None:
        items = (each for each in items if each.quantity >= least)
    if (most := where.max_quantity) is not None:
        items = (each for each in items if each.quantity <= most)
    if (first := where.created_after) is not None:
        items = (each for each in items if each.created_at >= first)
    if (end := where.created_before) is not None:
        items = (each for each in items if each.created_at < end)
    return items


def _stands_after(sort: Sort, position: Position, after: Position) -> bool:
    for value, bound, key in zip(position, after, sort.keys, strict=True):
        if value != bound:
            return bool(value < bound if key.descending else value > bound)  # type: ignore[operator]
    return False
