"""The repositories of the in-memory form. They enforce what the databases' constraints enforce."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from ...domain.errors import (
    Conflict,
    EmailTaken,
    ItemNotFound,
    UnknownOwner,
    UnknownRecipient,
    UsernameTaken,
    UserNotFound,
    UserOwnsItems,
    VersionMismatch,
)
from ...domain.items import Item, ItemId, NewItem, OwnedItem
from ...domain.users import (
    NewUser,
    Owner,
    User,
    UserId,
    email_key,
    sought_email_key,
    sought_username_key,
    username_key,
)
from ..guards import Guard, locks, reads, writes
from .state import State, check_item, copy_item, copy_user

if TYPE_CHECKING:
    from .unit_of_work import MemoryTransaction


class MemoryUsers:
    def __init__(self, unit: Guard, transaction: "MemoryTransaction") -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def add(self, new: NewUser, *, at: datetime) -> User:
        state = await self._transaction.write()
        return copy_user(self._store_new(state, new, at))

    @writes
    async def add_many(self, new: Sequence[NewUser], *, at: datetime) -> list[UserId]:
        state = await self._transaction.write()
        return [self._store_new(state, each, at).id for each in new]

    @reads
    async def get(self, user_id: UserId, *, for_update: bool = False) -> User:
        state = await self._transaction.read()
        try:
            return copy_user(state.users[user_id])
        except KeyError:
            raise UserNotFound(user_id) from None

    @reads
    async def find(self, username: str) -> User | None:
        state = await self._transaction.read()
        key = sought_username_key(username)
        for user in state.users.values():
            if username_key(user.username) == key:
                return copy_user(user)
        return None

    @reads
    async def find_by_email(self, email: str) -> User | None:
        state = await self._transaction.read()
        key = sought_email_key(email)
        for user in state.users.values():
            if email_key(user.email) == key:
                return copy_user(user)
        return None

    @locks
    async def lock_active_admins(self) -> list[UserId]:
        state = await self._transaction.read()
        return sorted(user.id for user in state.users.values() if user.is_active_admin)

    @reads
    async def page(self, *, before: UserId | None = None, limit: int) -> list[User]:
        state = await self._transaction.read()
        ids = sorted((i for i in state.users if before is None or i < before), reverse=True)
        return [copy_user(state.users[user_id]) for user_id in ids[:limit]]

    @reads
    async def is_empty(self) -> bool:
        return not (await self._transaction.read()).users

    @writes
    async def save(self, user: User, *, named: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.users.get(user.id)
        _check_names(state, user.username, user.email, but=user.id)
        _check_version(user.version, None if stored is None else stored.version, named)
        state.put_user(replace(user, version=user.version + 1))
        user.version += 1

    @writes
    async def delete(self, user: User, *, named: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.users.get(user.id)
        _check_version(user.version, None if stored is None else stored.version, named)
        if any(item.owner_id == user.id for item in state.items.values()):
            raise UserOwnsItems(user.id)
        state.end_sessions({session.id for session in state.sessions.values() if session.user_id == user.id})
        del state.users[user.id]

    def _store_new(self, state: State, new: NewUser, at: datetime) -> User:
        user_id = self._transaction.database.next_user_id()
        _check_names(state, new.username, new.email)
        user = User(
            id=user_id,
            username=new.username,
            email=new.email,
            role=new.role,
            is_active=True,
            created_at=at,
            updated_at=at,
            version=1,
            password_hash=new.password_hash,
        )
        state.put_user(user)
        return user


class MemoryItems:
    def __init__(self, unit: Guard, transaction: "MemoryTransaction") -> None:
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
    async def page(self, *, owner_id: UserId | None = None, before: ItemId | None = None, limit: int) -> list[Item]:
        state = await self._transaction.read()
        return [copy_item(item) for item in _page(state, owner_id, before, limit)]

    @reads
    async def page_with_owner(
        self, *, owner_id: UserId | None = None, before: ItemId | None = None, limit: int
    ) -> list[OwnedItem]:
        state = await self._transaction.read()
        return [_with_owner(state, item) for item in _page(state, owner_id, before, limit)]

    @writes
    async def save(self, item: Item, *, named: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.items.get(item.id)
        _check_version(item.version, None if stored is None else stored.version, named)
        check_item(item)
        if item.owner_id not in state.users:
            raise UnknownRecipient
        state.put_item(replace(item, version=item.version + 1))
        item.version += 1

    @writes
    async def delete(self, item: Item, *, named: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.items.get(item.id)
        _check_version(item.version, None if stored is None else stored.version, named)
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
        item_id = self._transaction.database.next_item_id()
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


def _page(state: State, owner_id: UserId | None, before: ItemId | None, limit: int) -> Iterator[Item]:
    ids = sorted(
        (
            item.id
            for item in state.items.values()
            if (owner_id is None or item.owner_id == owner_id) and (before is None or item.id < before)
        ),
        reverse=True,
    )
    return (state.items[item_id] for item_id in ids[:limit])


def _with_owner(state: State, item: Item) -> OwnedItem:
    return OwnedItem(copy_item(item), Owner(item.owner_id, state.users[item.owner_id].username))


def _check_version(made_from: int, stored: int | None, named: int | None) -> None:
    if stored != made_from:
        raise Conflict if named is None else VersionMismatch


def _check_names(state: State, username: str, email: str, but: UserId | None = None) -> None:
    others = [user for user in state.users.values() if user.id != but]
    if any(username_key(other.username) == username_key(username) for other in others):
        raise UsernameTaken
    if any(email_key(other.email) == email_key(email) for other in others):
        raise EmailTaken
