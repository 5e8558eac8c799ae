"""Counters of attempts in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ...domain.attempts import Counter, CounterKey
from ..purge import PURGE_BATCH_SIZE
from ..unit_of_work.guards import Guard, reads, writes
from .transaction import MemoryTransaction


class MemoryAttempts:
    def __init__(self, unit: Guard, transaction: MemoryTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def count(self, windows: Mapping[CounterKey, datetime], *, at: datetime) -> list[Counter]:
        if not windows:
            return []
        state = await self._transaction.write()
        for key, resets_at in windows.items():
            counter = state.counters.get(key)
            if counter is None or counter.resets_at <= at:
                counter = Counter(key, 0, resets_at)
            state.put_counter(replace(counter, count=counter.count + 1))
        counted = [state.counters[key] for key in windows]
        run_out = sorted((c for c in state.counters.values() if c.resets_at <= at), key=lambda c: c.resets_at)
        for counter in run_out[:PURGE_BATCH_SIZE]:
            del state.counters[counter.key]
        return counted

    @writes
    async def take_back(self, counted: Sequence[Counter]) -> None:
        state = await self._transaction.write()
        for made in counted:
            counter = state.counters.get(made.key)
            if counter is not None and counter.resets_at == made.resets_at and counter.count > 0:
                state.counters[made.key] = replace(counter, count=counter.count - 1)

    @reads
    async def find(self, key: CounterKey, *, at: datetime) -> Counter | None:
        counter = (await self._transaction.read()).counters.get(key)
        return None if counter is None or counter.resets_at <= at else counter
