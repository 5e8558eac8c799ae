"""Items in a database. Statements are built once; rows become entities by position."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Executable, any_, bindparam, delete, insert, select, update

from ....domain.errors import Conflict, ItemNotFound, UnknownOwner, UnknownRecipient, VersionMismatch
from ....domain.filters import EVERY_ITEM, ItemFilter, search_text
from ....domain.items import Item, ItemId, NewItem, OwnedItem
from ....domain.pages import NEWEST_FIRST, Position, Sort
from ....domain.text import fold
from ....domain.users import MAX_ID, Owner, UserId
from ...unit_of_work.guards import Guard, locks, reads, writes
from ..session_transaction import SessionTransaction
from ..tables import items, users
from .bulk_insert import BulkInsert
from .pages import Pages, contains

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
# Labelled, because both tables have an `id` by which a page may be sorted.
_with_owner = select(*(column.label(column.name) for column in _columns), users.c.username).join(
    users, users.c.id == items.c.owner_id
)
_get = select(*_columns).where(items.c.id == bindparam("id"))
_lock = (
    select(items.c.id)
    .where(items.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .order_by(items.c.id)
    .with_for_update()
)
_lock_own = _lock.where(items.c.owner_id == bindparam("owner_id"))
_get_with_owner = _with_owner.where(items.c.id == bindparam("id"))


_filters = {
    "owner_id": items.c.owner_id == bindparam("owner_id"),
    "name": items.c.name == bindparam("name"),
    "q": contains(items.c.search_text, bindparam("q", type_=items.c.search_text.type)),
    "min_quantity": items.c.quantity >= bindparam("min_quantity"),
    "max_quantity": items.c.quantity <= bindparam("max_quantity"),
    "created_after": items.c.created_at >= bindparam("created_after"),
    "created_before": items.c.created_at < bindparam("created_before"),
}
_pages = Pages(select(*_columns), items, _filters, grouped_by="owner_id")
_pages_with_owner = Pages(_with_owner, items, _filters, grouped_by="owner_id")
_SET = ("owner_id", "name", "description", "quantity", "attributes", "updated_at", "search_text")
_add = insert(items).values({name: bindparam(name) for name in (*_SET, "created_at", "version")}).returning(items.c.id)
_add_many = BulkInsert(items)
_made_from = (items.c.id == bindparam("key"), items.c.version == bindparam("made_from"))
_save = (
    update(items)
    .where(*_made_from)
    .values({**{name: bindparam(name) for name in _SET}, "version": items.c.version + 1})
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
    def __init__(self, unit: Guard, transaction: SessionTransaction) -> None:
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
        rows = [_new_row(each, at) for each in new]
        return await _add_many.execute(self._transaction, rows, foreign_key=UnknownOwner(new[0].owner_id))

    @reads
    async def get(self, item_id: ItemId) -> Item:
        return self._transaction.read(Item(*await self._one(_get, item_id)))

    @reads
    async def get_with_owner(self, item_id: ItemId) -> OwnedItem:
        return self._owned(await self._one(_get_with_owner, item_id))

    @reads
    async def page(
        self,
        where: ItemFilter = EVERY_ITEM,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[Item]:
        rows = await self._rows(_pages, where, sort, after, limit)
        return self._transaction.read_all([Item(*row) for row in rows])

    @reads
    async def page_with_owner(
        self,
        where: ItemFilter = EVERY_ITEM,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[OwnedItem]:
        return [self._owned(row) for row in await self._rows(_pages_with_owner, where, sort, after, limit)]

    @reads
    async def count(self, where: ItemFilter = EVERY_ITEM) -> int:
        if _meets_none(where):
            return 0
        result = await self._transaction.execute(*_pages.count(_parameters(where)))
        return result.scalar_one()  # type: ignore[no-any-return]

    @locks
    async def lock(self, item_ids: Collection[ItemId], *, owner_id: UserId | None = None) -> None:
        if self._transaction.dialect == "sqlite":
            return  # one unit writes at a time
        ids = [item_id for item_id in item_ids if 1 <= item_id <= MAX_ID]
        if owner_id is None:
            await self._transaction.execute(_lock, {"ids": ids})
        else:
            await self._transaction.execute(_lock_own, {"ids": ids, "owner_id": owner_id})

    @writes
    async def save(self, item: Item, *, expected_version: int | None = None) -> None:
        row = {
            "key": item.id,
            "made_from": item.version,
            "owner_id": item.owner_id,
            "name": item.name,
            "description": item.description,
            "quantity": item.quantity,
            "attributes": item.attributes,
            "updated_at": item.updated_at,
            "search_text": search_text(item),
        }
        result = await self._transaction.execute(_save, row, foreign_key=UnknownRecipient())
        version = result.scalar_one_or_none()
        if version is None:
            raise Conflict if expected_version is None else VersionMismatch
        item.version = version
        self._transaction.wrote(item)

    @writes
    async def delete(self, item: Item, *, expected_version: int | None = None) -> None:
        result = await self._transaction.execute(_delete, {"key": item.id, "made_from": item.version})
        if result.scalar_one_or_none() is None:
            raise Conflict if expected_version is None else VersionMismatch

    @writes
    async def delete_all_of(self, owner_id: UserId) -> int:
        result = await self._transaction.execute(_delete_all_of, {"owner": owner_id})
        return result.rowcount  # type: ignore[no-any-return]

    @writes
    async def hand_over_all_of(self, owner_id: UserId, *, to: UserId, at: datetime) -> int:
        result = await self._transaction.execute(
            _hand_over_all_of, {"owner": owner_id, "to": to, "at": at}, foreign_key=UnknownRecipient()
        )
        self._transaction.wrote_many_items()
        return result.rowcount  # type: ignore[no-any-return]

    def _owned(self, row: Any) -> OwnedItem:
        *columns, username = row
        item = self._transaction.read(Item(*columns))
        return OwnedItem(item, Owner(item.owner_id, username))

    async def _one(self, statement: Executable, item_id: ItemId) -> Any:
        row = None
        if 1 <= item_id <= MAX_ID:
            row = (await self._transaction.execute(statement, {"id": item_id})).one_or_none()
        if row is None:
            raise ItemNotFound(item_id)
        return row

    async def _rows(
        self, pages: Pages, where: ItemFilter, sort: Sort, after: Position | None, limit: int
    ) -> Sequence[Any]:
        if _meets_none(where):
            return []
        rows: Sequence[Any] = (
            await self._transaction.execute(
                *pages.page(self._transaction.dialect, _parameters(where), sort, after, limit)
            )
        ).all()
        return rows


def _meets_none(where: ItemFilter) -> bool:
    return where.owner_id is not None and not 1 <= where.owner_id <= MAX_ID


def _parameters(where: ItemFilter) -> dict[str, Any]:
    """Of the filters that are given, by their names."""
    given = {name: value for name in _filters if (value := getattr(where, name)) is not None}
    return given if where.q is None else {**given, "q": fold(where.q)}


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
        "search_text": search_text(new),
    }
