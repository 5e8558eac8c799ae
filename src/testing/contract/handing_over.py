"""Promise 7, the other half: what is one task after the other is allowed."""
# ruff: noqa: PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ...domain.errors import AlreadyInTransaction, ConcurrentUse
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store
from .setting import Setting
from .steps import add, apart, names, names_in, register

LONG = 3600.0  # seconds: a timeout that never strikes


class HandingOver(Setting):
    @pytest.mark.promise(7)
    async def test_statements_and_commit_may_run_in_wait_for(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await asyncio.wait_for(add(uow, "ada"), LONG)
            assert await asyncio.wait_for(names_in(uow), LONG) == {"ada"}
            await asyncio.wait_for(uow.commit(), LONG)
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_a_whole_use_case_may_run_in_wait_for(self, store: Store) -> None:
        await asyncio.wait_for(register(store.unit_of_work(), "ada"), LONG)
        async with store.unit_of_work() as uow:
            await asyncio.wait_for(register(uow, "bob"), LONG)
            async with uow.savepoint():
                await asyncio.wait_for(register(uow, "cyd"), LONG)
            await uow.commit()
        assert await names(store) == {"ada", "bob", "cyd"}

    @pytest.mark.promise(7)
    async def test_child_tasks_may_work_one_after_the_other(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            for name in ("ada", "bob"):
                await asyncio.create_task(register(uow, name))
            async with asyncio.TaskGroup() as group:
                group.create_task(add(uow, "cyd"))
            await uow.commit()
        assert await names(store) == {"ada", "bob", "cyd"}

    @pytest.mark.promise(7)
    async def test_a_block_entered_by_a_task_that_has_ended_belongs_to_whoever_uses_it_next(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        """So do fixtures and generators whose halves run in tasks of their own."""
        uow = store.unit_of_work()
        await apart(uow.__aenter__())
        await add(uow, "ada")
        await register(uow, "bob")
        await uow.commit()
        await apart(uow.__aexit__(None, None, None))
        assert not uow.is_open
        assert in_use() == 0
        assert await names(store) == {"ada", "bob"}

    @pytest.mark.promise(7)
    async def test_a_reading_block_can_be_handed_over(self, store: Store, in_use: Callable[[], int]) -> None:
        uow = store.unit_of_work()
        block = uow.reading()
        await apart(block.__aenter__())
        assert await names_in(uow) == set()
        await apart(block.__aexit__(None, None, None))
        assert not uow.is_open
        assert in_use() == 0

    @pytest.mark.promise(7)
    async def test_a_block_that_was_handed_over_and_not_committed_leaves_no_trace(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        uow = store.unit_of_work()
        await apart(uow.__aenter__())
        await add(uow, "ada")
        await uow.__aexit__(None, None, None)
        assert in_use() == 0
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_inside_a_block_that_was_handed_over_a_second_unit_is_refused(self, store: Store) -> None:
        uow = store.unit_of_work()
        await asyncio.wait_for(uow.__aenter__(), LONG)
        await add(uow, "ada")
        with pytest.raises(AlreadyInTransaction):
            await register(store.unit_of_work(), "bob")
        await uow.commit()
        await uow.__aexit__(None, None, None)
        await register(store.unit_of_work(), "bob")
        assert await names(store) == {"ada", "bob"}

    @pytest.mark.promise(7)
    async def test_a_block_that_was_handed_over_has_one_owner_again(self, store: Store) -> None:
        uow = store.unit_of_work()
        await apart(uow.__aenter__())
        await add(uow, "ada")
        with pytest.raises(ConcurrentUse):
            await apart(add(uow, "bob"))
        await uow.commit()
        await uow.__aexit__(None, None, None)
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_an_async_generator_may_hold_a_block(self, store: Store, in_use: Callable[[], int]) -> None:
        @asynccontextmanager
        async def unit() -> AsyncIterator[UnitOfWork]:
            async with store.unit_of_work() as uow:
                yield uow
                await uow.commit()

        async with unit() as uow:
            await register(uow, "ada")
        with pytest.raises(ValueError, match="of the caller"):
            async with unit() as uow:
                await register(uow, "bob")
                raise ValueError("of the caller")
        assert in_use() == 0
        assert await names(store) == {"ada"}
