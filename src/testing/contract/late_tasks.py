"""Promise 7: a block that ends while another task is still inside it."""
# ruff: noqa: PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable

import pytest

from ...domain.errors import ConcurrentUse, NotInTransaction
from ...domain.users import User
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store
from .setting import Setting
from .steps import add, has_begun, names, register


class LateTasks(Setting):
    @pytest.mark.promise(7)
    async def test_a_block_left_while_a_statement_runs_waits_for_it_rolls_back_and_raises(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        uow = store.unit_of_work()
        late_tasks: list[asyncio.Task[User]] = []
        with pytest.raises(ConcurrentUse):
            async with uow:
                await add(uow, "ada")
                late_tasks.append(asyncio.create_task(add(uow, "bob")))
                await has_begun(late_tasks[0])
        await late_tasks[0]
        assert not uow.is_open
        assert in_use() == 0
        for _ in range(3):
            assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_reading_block_left_while_a_statement_runs_waits_for_it_too(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        uow = store.unit_of_work()
        late_tasks: list[asyncio.Task[bool]] = []
        with pytest.raises(ConcurrentUse):
            async with uow.reading():
                late_tasks.append(asyncio.create_task(uow.users.is_empty()))
                await has_begun(late_tasks[0])
        assert await late_tasks[0]
        assert in_use() == 0

    @pytest.mark.promise(7)
    async def test_an_error_that_leaves_a_block_with_a_straggler_arrives_unchanged(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        error = ValueError("of the caller")
        late_tasks: list[asyncio.Task[User]] = []
        with pytest.raises(ValueError, match="of the caller") as caught:
            async with store.unit_of_work() as uow:
                late_tasks.append(asyncio.create_task(add(uow, "bob")))
                await has_begun(late_tasks[0])
                raise error
        assert caught.value is error
        await late_tasks[0]
        assert in_use() == 0
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_failing_sibling_in_a_gather_leaves_nothing_behind(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        async def failing() -> None:
            await asyncio.sleep(0)
            raise ValueError("of the sibling")

        for _ in range(3):
            late_tasks: list[asyncio.Task[User]] = []
            with pytest.raises(ValueError, match="of the sibling"):
                async with store.unit_of_work() as uow:
                    late_tasks.append(asyncio.create_task(add(uow, "bob")))
                    await asyncio.gather(late_tasks[0], failing())
            await asyncio.wait(late_tasks)
            assert in_use() == 0
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_whoever_waits_for_a_straggler_can_be_cancelled_and_nothing_is_left_open(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        late_tasks = []
        leaving = asyncio.Event()

        async def leave_too_early(uow: UnitOfWork) -> None:
            async with uow:
                late_tasks.append(asyncio.create_task(add(uow, "bob")))
                await has_begun(late_tasks[0])
                leaving.set()

        uow = store.unit_of_work()
        task = asyncio.create_task(leave_too_early(uow))
        await leaving.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait(late_tasks)
        assert not uow.is_open
        assert in_use() == 0
        assert await names(store) == set()
        await register(uow, "ada")
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_a_straggler_is_refused_when_its_block_has_ended(self, store: Store) -> None:
        go_on = asyncio.Event()

        async def come_late(uow: UnitOfWork) -> None:
            await go_on.wait()
            await add(uow, "bob")

        async with store.unit_of_work() as uow:
            late_task = asyncio.create_task(come_late(uow))
            await add(uow, "ada")
            await uow.commit()
        go_on.set()
        with pytest.raises(NotInTransaction):
            await late_task
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_a_straggler_of_an_earlier_block_cannot_get_into_the_next(self, store: Store) -> None:
        go_on = asyncio.Event()

        async def come_late(uow: UnitOfWork) -> None:
            await go_on.wait()
            await add(uow, "bob")

        uow = store.unit_of_work()
        async with uow:
            late_task = asyncio.create_task(come_late(uow))
            await uow.commit()
        async with uow:
            await add(uow, "ada")
            go_on.set()
            with pytest.raises(ConcurrentUse):
                await late_task
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_an_outer_block_left_under_an_inner_one_of_another_task_rolls_back_and_both_learn_of_it(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def inner(uow: UnitOfWork) -> None:
            async with uow:
                await add(uow, "bob")
                entered.set()
                await go_on.wait()

        uow = store.unit_of_work()
        tasks: list[asyncio.Task[None]] = []
        with pytest.raises(ConcurrentUse):
            async with uow:
                tasks.append(asyncio.create_task(inner(uow)))
                await entered.wait()
        assert in_use() == 0
        assert not uow.is_open
        go_on.set()
        with pytest.raises(ConcurrentUse):
            await tasks[0]
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_block_left_while_its_commit_runs_in_another_task_is_committed(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            committing = asyncio.create_task(uow.commit())
            await has_begun(committing)
        await committing
        assert in_use() == 0
        assert await names(store) == {"ada"}
