"""Idempotency keys in memory. Units write one after the other, so no key is ever claimed by two."""

from datetime import datetime

from ...domain.errors import TokenRevoked
from ...domain.idempotency import KeyHash, Remembered, RequestKey
from ..purge import PURGE_BATCH_SIZE
from ..unit_of_work.guards import Guard, reads, writes
from .state import State, StoredKey
from .transaction import MemoryTransaction


class MemoryIdempotencyKeys:
    def __init__(self, unit: Guard, transaction: MemoryTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def claim(self, key: RequestKey, *, at: datetime, until: datetime) -> Remembered | None:
        state = await self._transaction.write()
        if (remembered := _found(state, key.hash, at)) is not None:
            return remembered
        claimed = StoredKey(key.user_id, key.fingerprint, None, until)
        state.put_key(key.hash, claimed)
        if key.user_id is not None and key.user_id not in state.users:
            raise TokenRevoked
        return None

    @writes
    async def remember(self, key: RequestKey, answer: bytes, *, at: datetime) -> None:
        state = await self._transaction.write()
        claimed = state.idempotency_keys.get(key.hash)
        if claimed is None:
            return
        if key.user_id is not None and key.user_id not in state.users:
            raise TokenRevoked
        state.put_key(key.hash, StoredKey(key.user_id, claimed.fingerprint, answer, claimed.expires_at))
        expired = [(each.expires_at, name) for name, each in state.idempotency_keys.items() if each.expires_at <= at]
        for _, name in sorted(expired)[:PURGE_BATCH_SIZE]:
            del state.idempotency_keys[name]

    @reads
    async def find(self, key: RequestKey, *, at: datetime) -> Remembered | None:
        return _found(await self._transaction.read(), key.hash, at)


def _found(state: State, key: KeyHash, at: datetime) -> Remembered | None:
    stored = state.idempotency_keys.get(key)
    if stored is None or stored.answer is None or stored.expires_at <= at:
        return None
    return Remembered(stored.fingerprint, stored.answer, stored.expires_at)
