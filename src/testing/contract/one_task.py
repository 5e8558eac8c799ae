"""Promise 7: one task at a time, and one unit of work on a database at a time."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

import pytest

from ...domain.errors import AlreadyInTransaction, ConcurrentUse, StewardError, TransactionAborted
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_user
from .setting import Setting
from .steps import add, again_after_conflicts, apart, has_begun, names, names_in, register


class OneTask(Setting):
    @pytest.mark.promise(7)
    async def test_two_statements_at_the_same_time_are_refused(self, store: Store, in_use: Callable[[], int]) -> None:
        async with store.unit_of_work() as uow:
            results = await asyncio.gather(add(uow, "ada"), add(uow, "bob"), return_exceptions=True)
            assert [type(result) for result in results if isinstance(result, Exception)] == [ConcurrentUse]
            with pytest.raises(TransactionAborted):
                await uow.users.is_empty()
            with pytest.raises(TransactionAborted) as caught:
                await uow.commit()
            assert isinstance(caught.value.__cause__, ConcurrentUse)
        assert in_use() == 0
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_two_reads_at_the_same_time_are_refused(self, store: Store) -> None:
        async with store.unit_of_work().reading() as uow:
            results = await asyncio.gather(uow.users.is_empty(), uow.users.is_empty(), return_exceptions=True)
            assert [type(result) for result in results if isinstance(result, Exception)] == [ConcurrentUse]
        for _ in range(3):
            assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_commit_under_a_running_statement_is_refused(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            late_task = asyncio.create_task(add(uow, "ada"))
            await has_begun(late_task)
            with pytest.raises(ConcurrentUse):
                await uow.commit()
            await late_task
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_statement_under_a_running_commit_is_refused_and_the_commit_goes_on(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            committing = asyncio.create_task(uow.commit())
            await has_begun(committing)
            with pytest.raises(ConcurrentUse):
                await uow.users.is_empty()
            await committing
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_another_task_in_an_inner_block_keeps_the_outer_one_from_going_on(self, store: Store) -> None:
        entered, finish = asyncio.Event(), asyncio.Event()

        async def inner(uow: UnitOfWork) -> None:
            async with uow:
                entered.set()
                await finish.wait()
                await add(uow, "ada")
                await uow.commit()

        async with store.unit_of_work() as uow:
            task = asyncio.create_task(inner(uow))
            await entered.wait()
            with pytest.raises(ConcurrentUse):
                await add(uow, "bob")
            finish.set()
            with pytest.raises(TransactionAborted):
                await task
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_the_task_of_another_request_is_refused_and_does_no_harm(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            attempts: list[Callable[[], object]] = [
                uow.users.is_empty,
                lambda: add(uow, "bob"),
                uow.commit,
                lambda: register(uow, "bob"),
            ]
            for attempt in attempts:
                with pytest.raises(ConcurrentUse):
                    await apart(attempt())  # type: ignore[arg-type]
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_two_tasks_that_enter_at_the_same_time_do_not_share(self, store: Store) -> None:
        uow = store.unit_of_work()
        results = await asyncio.gather(apart(register(uow, "ada")), apart(register(uow, "bob")), return_exceptions=True)
        assert [type(result) for result in results if isinstance(result, Exception)] == [ConcurrentUse]
        assert len(await names(store)) == 1

    @pytest.mark.promise(7)
    @pytest.mark.parametrize("outer", ["writing", "reading", "snapshot"])
    async def test_a_second_unit_inside_a_block_is_refused_at_once(
        self, store: Store, in_use: Callable[[], int], outer: str
    ) -> None:
        first, second = store.unit_of_work(), store.unit_of_work()
        blocks: dict[str, Callable[[UnitOfWork], AbstractAsyncContextManager[object]]] = {
            "writing": lambda uow: uow,
            "reading": lambda uow: uow.reading(),
            "snapshot": lambda uow: uow.reading(snapshot=True),
        }
        for inner in blocks.values():
            async with blocks[outer](first):
                with pytest.raises(AlreadyInTransaction):
                    async with inner(second):
                        pytest.fail("It was entered")
                with pytest.raises(AlreadyInTransaction):
                    await given_user(store)
                assert await names_in(first) == set()
                assert in_use() <= 1
            async with inner(second):
                assert await names_in(second) == set()

    @pytest.mark.promise(7)
    async def test_a_second_unit_in_a_task_begun_inside_the_block_is_refused_while_it_lasts(self, store: Store) -> None:
        ended = asyncio.Event()

        async def later() -> None:
            await ended.wait()
            await register(store.unit_of_work(), "ada")

        async with store.unit_of_work() as uow:
            with pytest.raises(AlreadyInTransaction):
                await asyncio.create_task(register(store.unit_of_work(), "ada"))
            task = asyncio.create_task(later())
            await uow.commit()
        ended.set()
        await task
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_units_of_different_tasks_do_not_mind_each_other(self, store: Store, serializable: bool) -> None:
        units = [partial(register, store.unit_of_work(), f"user-{number}") for number in range(8)]
        await asyncio.gather(*(again_after_conflicts(unit) if serializable else unit() for unit in units))
        assert len(await names(store)) == 8

    @pytest.mark.promise(7)
    async def test_after_any_misuse_the_unit_works_again(self, store: Store) -> None:
        uow = store.unit_of_work()
        with suppress(StewardError):
            async with uow:
                await asyncio.gather(add(uow, "ada"), add(uow, "bob"))
        await register(uow, "cyd")
        assert await names(store) == {"cyd"}
