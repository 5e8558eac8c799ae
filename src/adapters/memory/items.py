"""Items in memory. The repository enforces what the databases' constraints enforce."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from ...domain.errors import ItemNotFound, UnknownOwner, UnknownRecipient
from ...domain.filters import EVERY_ITEM, ItemFilter
from ...domain.items import Item, ItemId, NewItem, OwnedItem
from ...domain.pages import NEWEST_FIRST, Position, Sort
from ...domain.users import Owner, UserId
from ..unit_of_work.guards import Guard, locks, reads, writes
from .pages import items_that_meet, page_of
from .state import State, check_item, check_made_from, copy_item
from .transaction import MemoryTransaction


class MemoryItems:
    def __init__(self, unit: Guard, transaction: MemoryTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def add(self, new: NewItem, *, at: datetime) -> Item:
        state = await self._transaction.write()
        return copy_item(self._store_new(state, new, at))

    @writes
    async def add_many(self, new: Sequence[NewItem], *, at: datetime) -> list[ItemId]:
        state = await self._transaction.write()
        return [self._store_new(state, each, at).id for each in new]

    @reads
    async def get(self, item_id: ItemId) -> Item:
        state = await self._transaction.read()
        try:
            return copy_item(state.items[item_id])
        except KeyError:
            raise ItemNotFound(item_id) from None

    @reads
    async def get_with_owner(self, item_id: ItemId) -> OwnedItem:
        state = await self._transaction.read()
        try:
            return _with_owner(state, state.items[item_id])
        except KeyError:
            raise ItemNotFound(item_id) from None

    @reads
    async def page(
        self,
        where: ItemFilter = EVERY_ITEM,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[Item]:
        state = await self._transaction.read()
        return [copy_item(item) for item in page_of(items_that_meet(where, state.items.values()), sort, after, limit)]

    @reads
    async def page_with_owner(
        self,
        where: ItemFilter = EVERY_ITEM,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[OwnedItem]:
        state = await self._transaction.read()
        found = items_that_meet(where, state.items.values())
        return [_with_owner(state, item) for item in page_of(found, sort, after, limit)]

    @reads
    async def count(self, where: ItemFilter = EVERY_ITEM) -> int:
        state = await self._transaction.read()
        return sum(1 for _ in items_that_meet(where, state.items.values()))

    @locks
    async def lock(self, item_ids: Collection[ItemId], *, owner_id: UserId | None = None) -> None:
        await self._transaction.read()  # that is all: one unit writes at a time

    @writes
    async def save(self, item: Item, *, expected_version: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.items.get(item.id)
        check_made_from(item.version, None if stored is None else stored.version, expected_version)
        check_item(item)
        if item.owner_id not in state.users:
            raise UnknownRecipient
        state.put_item(replace(item, version=item.version + 1))
        item.version += 1

    @writes
    async def delete(self, item: Item, *, expected_version: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.items.get(item.id)
        check_made_from(item.version, None if stored is None else stored.version, expected_version)
        del state.items[item.id]

    @writes
    async def delete_all_of(self, owner_id: UserId) -> int:
        state = await self._transaction.write()
        ids = [item.id for item in state.items.values() if item.owner_id == owner_id]
        for item_id in ids:
            del state.items[item_id]
        return len(ids)

    @writes
    async def hand_over_all_of(self, owner_id: UserId, *, to: UserId, at: datetime) -> int:
        state = await self._transaction.write()
        own = [item for item in state.items.values() if item.owner_id == owner_id]
        if own and to not in state.users:
            raise UnknownRecipient
        for item in own:
            state.put_item(replace(item, owner_id=to, updated_at=at, version=item.version + 1))
        return len(own)

    def _store_new(self, state: State, new: NewItem, at: datetime) -> Item:
        item_id = self._transaction.storage.next_item_id()
        item = Item(
            id=item_id,
            owner_id=new.owner_id,
            name=new.name,
            description=new.description,
            quantity=new.quantity,
            attributes=new.attributes,
            created_at=at,
            updated_at=at,
            version=1,
        )
        check_item(item)
        if new.owner_id not in state.users:
            raise UnknownOwner(new.owner_id)
        state.put_item(item)
        return item


def _with_owner(state: State, item: Item) -> OwnedItem:
    return OwnedItem(copy_item(item), Owner(item.owner_id, state.users[item.owner_id].username))
