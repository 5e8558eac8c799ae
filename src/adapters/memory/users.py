"""Users in memory. The repository enforces what the databases' constraints enforce."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ...domain.errors import EmailTaken, UsernameTaken, UserNotFound, UserOwnsItems
from ...domain.filters import EVERY_USER, UserFilter
from ...domain.pages import NEWEST_FIRST, Position, Sort
from ...domain.users import NewUser, User, UserId, email_key, sought_email_key, sought_username_key, username_key
from ..unit_of_work.guards import Guard, locks, reads, writes
from .pages import page_of, users_that_meet
from .state import State, check_made_from, copy_user
from .transaction import MemoryTransaction


class MemoryUsers:
    def __init__(self, unit: Guard, transaction: MemoryTransaction) -> None:
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
    async def get(self, user_id: UserId, *, for_update: bool = False, for_change: bool = False) -> User:
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
    async def page(
        self,
        where: UserFilter = EVERY_USER,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[User]:
        state = await self._transaction.read()
        return [copy_user(user) for user in page_of(users_that_meet(where, state.users.values()), sort, after, limit)]

    @reads
    async def count(self, where: UserFilter = EVERY_USER) -> int:
        state = await self._transaction.read()
        return sum(1 for _ in users_that_meet(where, state.users.values()))

    @reads
    async def is_empty(self) -> bool:
        return not (await self._transaction.read()).users

    @writes
    async def save(self, user: User, *, expected_version: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.users.get(user.id)
        _check_names(state, user.username, user.email, but=user.id)
        check_made_from(user.version, None if stored is None else stored.version, expected_version)
        state.put_user(replace(user, version=user.version + 1))
        user.version += 1

    @writes
    async def delete(self, user: User, *, expected_version: int | None = None) -> None:
        state = await self._transaction.write()
        stored = state.users.get(user.id)
        check_made_from(user.version, None if stored is None else stored.version, expected_version)
        if any(item.owner_id == user.id for item in state.items.values()):
            raise UserOwnsItems(user.id)
        state.end_sessions({session.id for session in state.sessions.values() if session.user_id == user.id})
        state.forget_keys_of(user.id)
        del state.users[user.id]

    def _store_new(self, state: State, new: NewUser, at: datetime) -> User:
        user_id = self._transaction.storage.next_user_id()
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


def _check_names(state: State, username: str, email: str, but: UserId | None = None) -> None:
    others = [user for user in state.users.values() if user.id != but]
    if any(username_key(other.username) == username_key(username) for other in others):
        raise UsernameTaken
    if any(email_key(other.email) == email_key(email) for other in others):
        raise EmailTaken
