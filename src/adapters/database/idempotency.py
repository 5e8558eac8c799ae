"""Idempotency keys in a database.

A claim is an INSERT that commits together with the effect, so a key without its effect, or an effect without its key,
is never there. On PostgreSQL a second claim would wait for the first unit to end, and hold a connection meanwhile; an
advisory lock that is taken in the same statement tells it at once that somebody is at it. On SQLite units write one
after the other.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ...domain.errors import IdempotencyKeyInUse, TokenRevoked
from ...domain.idempotency import Remembered, RequestKey
from ..guards import Guard, reads, writes
from ..swept import FEW
from .tables import idempotency_keys as keys

if TYPE_CHECKING:
    from .unit_of_work import DatabaseTransaction

_COLUMNS = ("key", "user_id", "fingerprint", "expires_at")


def _claim(insert: Any, *conditions: Any) -> Any:
    values = select(*(bindparam(name, type_=keys.c[name].type) for name in _COLUMNS)).where(literal(True), *conditions)
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
_remember = update(keys).where(keys.c.key == bindparam("claimed")).values(answer=bindparam("answer"))
_find = select(keys.c.fingerprint, keys.c.answer, keys.c.expires_at).where(
    keys.c.key == bindparam("key"), keys.c.expires_at > bindparam("at"), keys.c.answer.is_not(None)
)
# Whoever is deleting the same ones just now does it: waiting for each other would cost, and could dead-lock.
_delete_expired = delete(keys).where(
    keys.c.key.in_(
        select(keys.c.key)
        .where(keys.c.expires_at <= bindparam("at"))
        .order_by(keys.c.expires_at)
        .limit(FEW)
        .with_for_update(skip_locked=True)
    )
)


class DatabaseIdempotencyKeys:
    def __init__(self, unit: Guard, transaction: "DatabaseTransaction") -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def claim(self, key: RequestKey, *, at: datetime, until: datetime) -> Remembered | None:
        row = {
            "key": key.hash,
            "user_id": key.user_id,
            "fingerprint": key.fingerprint,
            "expires_at": until,
            "at": at,
            "lock": int.from_bytes(key.hash[:8], signed=True),
        }
        statement = _claims[self._transaction.dialect]
        claimed = await self._transaction.execute(statement, row, foreign_key=TokenRevoked())
        if claimed.scalar_one_or_none() is not None:
            await self._transaction.execute(_delete_expired, {"at": at})
            return None
        remembered = await self._found(key, at)
        if remembered is None:
            raise IdempotencyKeyInUse
        return remembered

    @writes
    async def remember(self, key: RequestKey, answer: bytes) -> None:
        await self._transaction.execute(_remember, {"claimed": key.hash, "answer": answer})

    @reads
    async def find(self, key: RequestKey, *, at: datetime) -> Remembered | None:
        return await self._found(key, at)

    async def _found(self, key: RequestKey, at: datetime) -> Remembered | None:
        row: Any = (await self._transaction.execute(_find, {"key": key.hash, "at": at})).one_or_none()
        return None if row is None else Remembered(*row)
