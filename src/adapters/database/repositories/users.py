"""Users in a database. Statements are built once; rows become entities by position."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from ....domain.errors import Conflict, UserNotFound, UserOwnsItems, VersionMismatch
from ....domain.filters import EVERY_USER, UserFilter
from ....domain.pages import NEWEST_FIRST, Position, Sort
from ....domain.users import (
    MAX_ID,
    NewUser,
    PasswordHash,
    Role,
    User,
    UserId,
    email_key,
    sought_email_key,
    sought_username_key,
    username_key,
)
from ...unit_of_work.guards import Guard, locks, reads, writes
from ..session_transaction import SessionTransaction
from ..tables import users
from .bulk_insert import BulkInsert
from .pages import Pages, contains
from .taken_names import refuse_any_taken, refuse_taken

_columns = (
    users.c.id,
    users.c.username,
    users.c.email,
    users.c.role,
    users.c.is_active,
    users.c.created_at,
    users.c.updated_at,
    users.c.version,
    users.c.password_hash,
)
_get = select(*_columns).where(users.c.id == bindparam("id"))
# SQLite has no such things, and no need: one unit writes at a time.
_get_for_update = _get.with_for_update()
_get_for_change = _get.with_for_update(key_share=True)  # FOR NO KEY UPDATE
_find = select(*_columns).where(users.c.username_key == bindparam("username_key"))
_find_by_email = select(*_columns).where(users.c.email_key == bindparam("email_key"))
_lock_active_admins = (
    select(users.c.id)
    .where(users.c.role == Role.ADMIN.value, users.c.is_active)
    .order_by(users.c.id)
    .with_for_update(key_share=True)  # they may be referred to: FOR NO KEY UPDATE
)
_pages = Pages(
    select(*_columns),
    users,
    {
        "q": contains(users.c.username_key, bindparam("q_username", type_=users.c.username_key.type))
        | contains(users.c.email_key, bindparam("q", type_=users.c.email_key.type)),
        "role": users.c.role == bindparam("role"),
        "is_active": users.c.is_active == bindparam("is_active"),
    },
)
_any = select(users.c.id).limit(1)
_add = insert(users).returning(users.c.id)
_add_many = BulkInsert(users)
_save = (
    update(users)
    .where(users.c.id == bindparam("key"), users.c.version == bindparam("made_from"))
    .values(
        {
            column: bindparam(column)
            for column in (
                "username",
                "username_key",
                "email",
                "email_key",
                "role",
                "is_active",
                "updated_at",
                "password_hash",
            )
        }
    )
    .values(version=users.c.version + 1)
    .returning(users.c.version)
)
_delete = (
    delete(users).where(users.c.id == bindparam("key"), users.c.version == bindparam("made_from")).returning(users.c.id)
)


class DatabaseUsers:
    def __init__(self, unit: Guard, transaction: SessionTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def add(self, new: NewUser, *, at: datetime) -> User:
        row = _new_row(new, at)
        await refuse_taken(self._transaction, row)
        user_id = (await self._transaction.execute(_add, row)).scalar_one()
        user = User(user_id, new.username, new.email, new.role, True, at, at, 1, new.password_hash)
        return self._transaction.read(user)

    @writes
    async def add_many(self, new: Sequence[NewUser], *, at: datetime) -> list[UserId]:
        if not new:
            return []
        rows = [_new_row(each, at) for each in new]
        await refuse_any_taken(self._transaction, rows)
        return await _add_many.execute(self._transaction, rows)

    @reads
    async def get(self, user_id: UserId, *, for_update: bool = False, for_change: bool = False) -> User:
        if not 1 <= user_id <= MAX_ID:
            raise UserNotFound(user_id)
        statement = _get_for_update if for_update else _get_for_change if for_change else _get
        user = await self._one(statement, {"id": user_id})
        if user is None:
            raise UserNotFound(user_id)
        return user

    @reads
    async def find(self, username: str) -> User | None:
        key = sought_username_key(username)
        return None if key is None else await self._one(_find, {"username_key": key})

    @reads
    async def find_by_email(self, email: str) -> User | None:
        key = sought_email_key(email)
        return None if key is None else await self._one(_find_by_email, {"email_key": key})

    @locks
    async def lock_active_admins(self) -> list[UserId]:
        return list((await self._transaction.execute(_lock_active_admins)).scalars())

    @reads
    async def page(
        self,
        where: UserFilter = EVERY_USER,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[User]:
        rows = await self._transaction.execute(
            *_pages.page(self._transaction.dialect, _parameters(where), sort, after, limit)
        )
        return self._transaction.read_all([_user(row) for row in rows])

    @reads
    async def count(self, where: UserFilter = EVERY_USER) -> int:
        result = await self._transaction.execute(*_pages.count(_parameters(where)))
        return result.scalar_one()  # type: ignore[no-any-return]

    @reads
    async def is_empty(self) -> bool:
        return (await self._transaction.execute(_any, {})).one_or_none() is None

    @writes
    async def save(self, user: User, *, expected_version: int | None = None) -> None:
        row: dict[str, Any] = {
            "key": user.id,
            "made_from": user.version,
            "username": user.username,
            "username_key": username_key(user.username),
            "email": user.email,
            "email_key": email_key(user.email),
            "role": user.role.value,
            "is_active": user.is_active,
            "updated_at": user.updated_at,
            "password_hash": user.password_hash and user.password_hash.value,
        }
        await refuse_taken(self._transaction, row, but=user.id)
        version = (await self._transaction.execute(_save, row)).scalar_one_or_none()
        if version is None:
            raise Conflict if expected_version is None else VersionMismatch
        user.version = version
        self._transaction.wrote(user)

    @writes
    async def delete(self, user: User, *, expected_version: int | None = None) -> None:
        result = await self._transaction.execute(
            _delete, {"key": user.id, "made_from": user.version}, foreign_key=UserOwnsItems(user.id)
        )
        if result.scalar_one_or_none() is None:
            raise Conflict if expected_version is None else VersionMismatch

    async def _one(self, statement: Any, parameters: Mapping[str, Any]) -> User | None:
        row = (await self._transaction.execute(statement, parameters)).one_or_none()
        return None if row is None else self._transaction.read(_user(row))


def _parameters(where: UserFilter) -> dict[str, Any]:
    """Of the filters that are given, by their names."""
    parameters: dict[str, Any] = {}
    if where.q is not None:
        parameters |= {"q": email_key(where.q), "q_username": username_key(where.q)}
    if where.role is not None:
        parameters["role"] = where.role.value
    if where.is_active is not None:
        parameters["is_active"] = where.is_active
    return parameters


def _new_row(new: NewUser, at: datetime) -> dict[str, Any]:
    return {
        "username": new.username,
        "username_key": username_key(new.username),
        "email": new.email,
        "email_key": email_key(new.email),
        "role": new.role.value,
        "is_active": True,
        "created_at": at,
        "updated_at": at,
        "version": 1,
        "password_hash": new.password_hash and new.password_hash.value,
    }


def _user(row: Any) -> User:
    user_id, username, email, role, is_active, created_at, updated_at, version, password_hash = row
    return User(
        user_id,
        username,
        email,
        Role(role),
        is_active,
        created_at,
        updated_at,
        version,
        None if password_hash is None else PasswordHash(password_hash),
    )
