"""That nobody knows whether a unit was stored is not forgotten on the way out."""

import asyncio

import pytest
from steward.adapters.memory.database import MemoryDatabase
from steward.adapters.memory.transaction import MemoryTransaction
from steward.domain.errors import OutcomeUnknown
from steward.service_layer.tally import tallied


async def test_a_cancellation_while_a_block_is_left_does_not_hide_an_unknown_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cancelled would mean that nothing was stored (promise 1), and that is not known."""
    database, cleaning = MemoryDatabase(), asyncio.Event()
    end_at_once = MemoryTransaction.end_at_once

    async def lose_the_answer(_: MemoryTransaction) -> None:
        raise OutcomeUnknown

    async def end_slowly(self: MemoryTransaction) -> None:
        cleaning.set()
        await asyncio.sleep(0.01)
        end_at_once(self)

    async def store() -> None:
        async with database.unit_of_work() as uow:
            await uow.users.is_empty()
            monkeypatch.setattr(MemoryTransaction, "commit", lose_the_answer)
            monkeypatch.setattr(MemoryTransaction, "end_at_once", lambda _: False)
            monkeypatch.setattr(MemoryTransaction, "end", end_slowly)
            await uow.commit()

    task = asyncio.create_task(store())
    await cleaning.wait()
    task.cancel()
    with pytest.raises(OutcomeUnknown):
        await task


async def test_a_commit_counts_although_giving_the_connection_back_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the answer to that error would say that nothing was stored."""

    async def fail(_: MemoryTransaction) -> None:
        raise RuntimeError

    with tallied() as tally:
        with pytest.raises(RuntimeError):
            async with MemoryDatabase().unit_of_work() as uow:
                await uow.users.is_empty()
                monkeypatch.setattr(MemoryTransaction, "end", fail)
                await uow.commit()
        assert tally.commits == 1
