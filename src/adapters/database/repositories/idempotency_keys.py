"""Idempotency keys in a database.

A claim is an INSERT that commits together with the effect, so a key without its effect, or an effect without its key,
is never there. On PostgreSQL a second claim would wait for the first unit to end, and hold a connection meanwhile; an
advisory lock that is taken in the same statement tells it at once that somebody is at it. On SQLite units write one
after the other.

Whatever else the unit would lock for its key it locks last, in `remember`: that the key is the user's (a foreign key,
so the user's row is locked FOR KEY SHARE; two units that hold that one and then change the user's name, or lock the
admins, dead-lock), and the expired keys of others.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.errors import IdempotencyKeyInUse, TokenRevoked
from ....domain.idempotency import Remembered, RequestKey
from ....domain.users import UserId
from ...purge import PURGE_BATCH_SIZE
from ...unit_of_work.guards import Guard, reads, writes
from ..session_transaction import SessionTransaction
from ..tables import idempotency_keys as keys
from ..tables import users

_COLUMNS = ("key", "fingerprint", "expires_at")


def _claim(insert: Any, *conditions: Any) -> Any:
    caller = bindparam("caller", type_=keys.c.user_id.type)
    values = select(*(bindparam(name, type_=keys.c[name].type) for name in _COLUMNS)).where(
        caller.is_(None) | exists().where(users.c.id == caller), *conditions
    )
    new = insert(keys).from_select(_COLUMNS, values)
    return new.on_conflict_do_update(
        index_elements=[keys.c.key],
        set_={name: new.excluded[name] for name in _COLUMNS} | {"answer": None},
        where=keys.c.expires_at <= bindparam("at", type_=keys.c.expires_at.type),
    ).returning(keys.c.key)


_claims = {
    "postgresql": _claim(postgresql.insert, func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger()))),
    "sqlite": _claim(sqlite.insert),
}
_remember = (
    update(keys)
    .where(keys.c.key == bindparam("claimed"))
    .values(answer=bindparam("answer"), user_id=bindparam("caller"))
)
_is_user = select(exists().where(users.c.id == bindparam("id")))
_find = select(keys.c.fingerprint, keys.c.answer, keys.c.expires_at).where(
    keys.c.key == bindparam("key"), keys.c.expires_at > bindparam("at"), keys.c.answer.is_not(None)
)
# Whoever is deleting the same ones just now does it: waiting for each other would cost, and could dead-lock.
_delete_expired = delete(keys).where(
    keys.c.key.in_(
        select(keys.c.key)
        .where(keys.c.expires_at <= bindparam("at"))
        .order_by(keys.c.expires_at)
        .limit(PURGE_BATCH_SIZE)
        .with_for_update(skip_locked=True)
    )
)


class DatabaseIdempotencyKeys:
    def __init__(self, unit: Guard, transaction: SessionTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def claim(self, key: RequestKey, *, at: datetime, until: datetime) -> Remembered | None:
        row = {
            "key": key.hash,
            "fingerprint": key.fingerprint,
            "expires_at": until,
            "caller": key.user_id,
            "at": at,
            "lock": int.from_bytes(key.hash[:8], signed=True),
        }
        statement = _claims[self._transaction.dialect]
        claimed = await self._transaction.execute(statement, row)
        if claimed.scalar_one_or_none() is not None:
            return None
        remembered = await self._found(key, at)
        if remembered is None:
            raise IdempotencyKeyInUse if await self._is_there(key.user_id) else TokenRevoked
        return remembered

    @writes
    async def remember(self, key: RequestKey, answer: bytes, *, at: datetime) -> None:
        row = {"claimed": key.hash, "answer": answer, "caller": key.user_id}
        await self._transaction.execute(_remember, row, foreign_key=TokenRevoked())
        await self._transaction.execute(_delete_expired, {"at": at})

    @reads
    async def find(self, key: RequestKey, *, at: datetime) -> Remembered | None:
        return await self._found(key, at)

    async def _is_there(self, user_id: UserId | None) -> bool:
        return user_id is None or bool((await self._transaction.execute(_is_user, {"id": user_id})).scalar_one())

    async def _found(self, key: RequestKey, at: datetime) -> Remembered | None:
        row: Any = (await self._transaction.execute(_find, {"key": key.hash, "at": at})).one_or_none()
        return None if row is None else Remembered(*row)
