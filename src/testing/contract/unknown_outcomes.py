"""Promise 10: an unknown outcome is named."""
# ruff: noqa: PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable

import pytest

from ...domain.errors import OutcomeUnknown, TransactionAborted
from ..given import Store
from .setting import LoseCommit, Setting
from .steps import add, names, register


class UnknownOutcomes(Setting):
    @pytest.mark.promise(10)
    @pytest.mark.parametrize("stored", [True, False])
    async def test_a_connection_lost_during_commit_raises_outcome_unknown(
        self, store: Store, in_use: Callable[[], int], lose_next_commit: LoseCommit, stored: bool
    ) -> None:
        uow = store.unit_of_work()
        lose_next_commit(stored=stored)
        with pytest.raises(OutcomeUnknown):
            async with uow:
                await add(uow, "ada")
                await uow.commit()
        assert not uow.is_open
        assert in_use() == 0
        assert await names(store) == ({"ada"} if stored else set())
        await register(uow, "bob")
        assert await names(store) == ({"ada", "bob"} if stored else {"bob"})

    @pytest.mark.promise(10)
    @pytest.mark.parametrize("stored", [True, False])
    async def test_whoever_swallows_it_can_do_no_more_in_that_block(
        self, store: Store, lose_next_commit: LoseCommit, stored: bool
    ) -> None:
        lose_next_commit(stored=stored)
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(OutcomeUnknown):
                await uow.commit()
            with pytest.raises(TransactionAborted):
                await uow.users.is_empty()
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == ({"ada"} if stored else set())

    @pytest.mark.promise(10)
    @pytest.mark.parametrize("stored", [True, False])
    async def test_a_cancellation_that_meets_it_does_not_hide_it(
        self, store: Store, in_use: Callable[[], int], lose_next_commit: LoseCommit, stored: bool
    ) -> None:
        committing = asyncio.Event()

        async def use_case() -> None:
            async with store.unit_of_work() as uow:
                await add(uow, "ada")
                lose_next_commit(stored=stored)
                committing.set()
                await uow.commit()

        task = asyncio.create_task(use_case())
        await committing.wait()
        task.cancel()
        with pytest.raises(OutcomeUnknown):
            await task
        assert in_use() == 0
        assert await names(store) == ({"ada"} if stored else set())
