"""Counters of attempts in a database, so that all server processes share them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ....domain.attempts import Counter, CounterKey
from ...purge import PURGE_BATCH_SIZE
from ...unit_of_work.guards import Guard, reads, writes
from ..session_transaction import SessionTransaction
from ..tables import attempt_counters as counters

_columns = (counters.c.key, counters.c.count, counters.c.resets_at)
_find = select(*_columns).where(counters.c.key == bindparam("counter"), counters.c.resets_at > bindparam("at"))
_take_back = (
    update(counters)
    .where(
        counters.c.key == bindparam("counter"),
        counters.c.resets_at == bindparam("made_until"),
        counters.c.count > 0,
    )
    .values(count=counters.c.count - 1)
)
# Whoever is deleting the same ones just now does it: waiting for each other would cost, and could dead-lock.
_delete_run_out = delete(counters).where(
    counters.c.key.in_(
        select(counters.c.key)
        .where(counters.c.resets_at <= bindparam("at"))
        .order_by(counters.c.resets_at)
        .limit(PURGE_BATCH_SIZE)
        .with_for_update(skip_locked=True)
    )
)


class DatabaseAttempts:
    def __init__(self, unit: Guard, transaction: SessionTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def count(self, windows: Mapping[CounterKey, datetime], *, at: datetime) -> list[Counter]:
        if not windows:
            return []
        upsert = _upsert(self._transaction.dialect, sorted(windows.items()), at)
        rows: Any = await self._transaction.execute(upsert)
        by_key = {row[0]: Counter(*row) for row in rows}
        await self._transaction.execute(_delete_run_out, {"at": at})
        return [by_key[key] for key in windows]

    @writes
    async def take_back(self, counted: Sequence[Counter]) -> None:
        rows = [{"counter": counter.key, "made_until": counter.resets_at} for counter in _in_order(counted)]
        if rows:
            await self._transaction.execute(_take_back, rows)

    @reads
    async def find(self, key: CounterKey, *, at: datetime) -> Counter | None:
        row: Any = (await self._transaction.execute(_find, {"counter": key, "at": at})).one_or_none()
        return None if row is None else Counter(*row)


def _upsert(dialect: str, windows: Sequence[tuple[CounterKey, datetime]], at: datetime) -> Any:
    """Rows are locked in the order in which they stand here: everybody's is that of the keys, so none dead-lock."""
    insert: Any = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}[dialect]
    new = insert(counters).values([{"key": key, "count": 1, "resets_at": resets_at} for key, resets_at in windows])
    has_run_out = counters.c.resets_at <= at
    return new.on_conflict_do_update(
        index_elements=[counters.c.key],
        set_={
            "count": case((has_run_out, 1), else_=counters.c.count + 1),
            "resets_at": case((has_run_out, new.excluded.resets_at), else_=counters.c.resets_at),
        },
    ).returning(*_columns)


def _in_order(counted: Sequence[Counter]) -> list[Counter]:
    return sorted(counted, key=lambda counter: counter.key)
