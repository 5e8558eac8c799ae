"""Items in a database. Statements are built once; rows become entities by position."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, bindparam, delete, insert, select, update

from ...domain.errors import Conflict, ItemNotFound, UnknownOwner, UnknownRecipient, VersionMismatch
from ...domain.items import Item, ItemId, NewItem, OwnedItem
from ...domain.users import MAX_ID, Owner, UserId
from ..guards import Guard, reads, writes
from .tables import items, users

if TYPE_CHECKING:
    from .unit_of_work import DatabaseTransaction

_columns = (
    items.c.id,
    items.c.owner_id,
    items.c.name,
    items.c.description,
    items.c.quantity,
    items.c.attributes,
    items.c.created_at,
    items.c.updated_at,
    items.c.version,
)
_with_owner = select(*_columns, users.c.username).join(users, users.c.id == items.c.owner_id)
_get = select(*_columns).where(items.c.id == bindparam("id"))
_get_with_owner = _with_owner.where(items.c.id == bindparam("id"))


def _pages(base: Select[Any]) -> dict[tuple[bool, bool], Select[Any]]:
    """A page by whether an owner and by whether a bound is given, each one statement that an index serves."""
    page = base.order_by(items.c.id.desc()).limit(bindparam("limit"))
    own = page.where(items.c.owner_id == bindparam("owner_id"))
    return {
        (False, False): page,
        (True, False): own,
        (False, True): page.where(items.c.id < bindparam("before")),
        (True, True): own.where(items.c.id < bindparam("before")),
    }


_page = _pages(select(*_columns))
_page_with_owner = _pages(_with_owner)
_add = insert(items).returning(items.c.id)
_add_many = insert(items).returning(items.c.id, sort_by_parameter_order=True)
_made_from = (items.c.id == bindparam("key"), items.c.version == bindparam("made_from"))
_save = (
    update(items)
    .where(*_made_from)
    .values(
        {
            column: bindparam(column)
            for column in ("owner_id", "name", "description", "quantity", "attributes", "updated_at")
        }
    )
    .values(version=items.c.version + 1)
    .returning(items.c.version)
)
_delete = delete(items).where(*_made_from).returning(items.c.id)
_delete_all_of = delete(items).where(items.c.owner_id == bindparam("owner"))
_hand_over_all_of = (
    update(items)
    .where(items.c.owner_id == bindparam("owner"))
    .values(owner_id=bindparam("to"), updated_at=bindparam("at"), version=items.c.version + 1)
)


class DatabaseItems:
    def __init__(self, unit: Guard, transaction: "DatabaseTransaction") -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def add(self, new: NewItem, *, at: datetime) -> Item:
        unknown = UnknownOwner(new.owner_id)
        if not 1 <= new.owner_id <= MAX_ID:
            raise unknown
        result = await self._transaction.execute(_add, _new_row(new, at), foreign_key=unknown)
        item_id = result.scalar_one()
        item = Item(item_id, new.owner_id, new.name, new.description, new.quantity, dict(new.attributes), at, at, 1)
        return self._transaction.read(item)

    @writes
    async def add_many(self, new: Sequence[NewItem], *, at: datetime) -> list[ItemId]:
        if not new:
            return []
        result = await self._transaction.execute(
            _add_many, [_new_row(each, at) for each in new], foreign_key=UnknownOwner(new[0].owner_id)
        )
        return list(result.scalars())

    @reads
    async def get(self, item_id: ItemId) -> Item:
        return self._transaction.read(Item(*await self._one(_get, item_id)))

    @reads
    async def get_with_owner(self, item_id: ItemId) -> OwnedItem:
        return self._owned(await self._one(_get_with_owner, item_id))

    @reads
    async def page(self, *, owner_id: UserId | None = None, before: ItemId | None = None, limit: int) -> list[Item]:
        rows = await self._rows(_page, owner_id, before, limit)
        return [self._transaction.read(Item(*row)) for row in rows]

    @reads
    async def page_with_owner(
        self, *, owner_id: UserId | None = None, before: ItemId | None = None, limit: int
    ) -> list[OwnedItem]:
        return [self._owned(row) for row in await self._rows(_page_with_owner, owner_id, before, limit)]

    @writes
    async def save(self, item: Item, *, named: int | None = None) -> None:
        row = {
            "key": item.id,
            "made_from": item.version,
            "owner_id": item.owner_id,
            "name": item.name,
            "description": item.description,
            "quantity": item.quantity,
            "attributes": item.attributes,
            "updated_at": item.updated_at,
        }
        result = await self._transaction.execute(_save, row, foreign_key=UnknownRecipient())
        version = result.scalar_one_or_none()
        if version is None:
            raise Conflict if named is None else VersionMismatch
        item.version = version
        self._transaction.wrote(item)

    @writes
    async def delete(self, item: Item, *, named: int | None = None) -> None:
        result = await self._transaction.execute(_delete, {"key": item.id, "made_from": item.version})
        if result.scalar_one_or_none() is None:
            raise Conflict if named is None else VersionMismatch

    @writes
    async def delete_all_of(self, owner_id: UserId) -> int:
        result = await self._transaction.execute(_delete_all_of, {"owner": owner_id})
        return result.rowcount  # type: ignore[attr-defined, no-any-return]

    @writes
    async def hand_over_all_of(self, owner_id: UserId, *, to: UserId, at: datetime) -> int:
        result = await self._transaction.execute(
            _hand_over_all_of, {"owner": owner_id, "to": to, "at": at}, foreign_key=UnknownRecipient()
        )
        self._transaction.wrote_many_items()
        return result.rowcount  # type: ignore[attr-defined, no-any-return]

    def _owned(self, row: Any) -> OwnedItem:
        *columns, username = row
        item = self._transaction.read(Item(*columns))
        return OwnedItem(item, Owner(item.owner_id, username))

    async def _one(self, statement: Select[Any], item_id: ItemId) -> Any:
        row = None
        if 1 <= item_id <= MAX_ID:
            row = (await self._transaction.execute(statement, {"id": item_id})).one_or_none()
        if row is None:
            raise ItemNotFound(item_id)
        return row

    async def _rows(
        self,
        pages: dict[tuple[bool, bool], Select[Any]],
        owner_id: UserId | None,
        before: ItemId | None,
        limit: int,
    ) -> Sequence[Any]:
        if owner_id is not None and not 1 <= owner_id <= MAX_ID:
            return []
        if before is not None:
            before = ItemId(min(max(before, 0), MAX_ID))
        statement = pages[owner_id is not None, before is not None]
        result = await self._transaction.execute(statement, {"owner_id": owner_id, "before": before, "limit": limit})
        return result.all()


def _new_row(new: NewItem, at: datetime) -> dict[str, Any]:
    return {
        "owner_id": new.owner_id,
        "name": new.name,
        "description": new.description,
        "quantity": new.quantity,
        "attributes": new.attributes,
        "created_at": at,
        "updated_at": at,
        "version": 1,
    }
