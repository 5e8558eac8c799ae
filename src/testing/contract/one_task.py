"""Promise 7: one task at a time, and one unit of work on a database at a time."""
# ruff: noqa: PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from ...domain.errors import AlreadyInTransaction, ConcurrentUse, NotInTransaction, StewardError, TransactionAborted
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_user
from .setting import Setting
from .steps import add, apart, names, names_in, register


async def has_begun(task: "asyncio.Task[object]") -> None:
    """The task is inside its first statement: one step of the loop takes it to its first await."""
    await asyncio.sleep(0)
    assert not task.done()


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
            straggler = asyncio.create_task(add(uow, "ada"))
            await has_begun(straggler)
            with pytest.raises(ConcurrentUse):
                await uow.commit()
            await straggler
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
    async def test_a_block_left_while_a_statement_runs_waits_for_it_rolls_back_and_raises(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        uow = store.unit_of_work()
        with pytest.raises(ConcurrentUse):
            async with uow:
                await add(uow, "ada")
                straggler = asyncio.create_task(add(uow, "bob"))
                await has_begun(straggler)
        assert straggler.done() or not uow.is_open
        await straggler
        assert not uow.is_open
        assert in_use() == 0
        for _ in range(3):
            assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_a_reading_block_left_while_a_statement_runs_waits_for_it_too(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        uow = store.unit_of_work()
        with pytest.raises(ConcurrentUse):
            async with uow.reading():
                straggler = asyncio.create_task(uow.users.is_empty())
                await has_begun(straggler)
        assert await straggler
        assert in_use() == 0

    @pytest.mark.promise(7)
    async def test_an_error_that_leaves_a_block_with_a_straggler_arrives_unchanged(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        error = ValueError("of the caller")
        with pytest.raises(ValueError, match="of the caller") as caught:
            async with store.unit_of_work() as uow:
                straggler = asyncio.create_task(add(uow, "bob"))
                await has_begun(straggler)
                raise error
        assert caught.value is error
        await straggler
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
            with pytest.raises(ValueError, match="of the sibling"):
                async with store.unit_of_work() as uow:
                    straggler = asyncio.create_task(add(uow, "bob"))
                    await asyncio.gather(straggler, failing())
            await asyncio.wait([straggler])
            assert in_use() == 0
        assert await names(store) == set()

    @pytest.mark.promise(7)
    async def test_whoever_waits_for_a_straggler_can_be_cancelled_and_nothing_is_left_open(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        stragglers = []
        leaving = asyncio.Event()

        async def leave_too_early(uow: UnitOfWork) -> None:
            async with uow:
                stragglers.append(asyncio.create_task(add(uow, "bob")))
                await has_begun(stragglers[0])
                leaving.set()

        uow = store.unit_of_work()
        task = asyncio.create_task(leave_too_early(uow))
        await leaving.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait(stragglers)
        assert not uow.is_open
        assert in_use() == 0
        assert await names(store) == set()
        await register(uow, "ada")
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_a_straggler_is_refused_when_its_block_has_ended(self, store: Store) -> None:
        go_on = asyncio.Event()

        async def straggle(uow: UnitOfWork) -> None:
            await go_on.wait()
            await add(uow, "bob")

        async with store.unit_of_work() as uow:
            straggler = asyncio.create_task(straggle(uow))
            await add(uow, "ada")
            await uow.commit()
        go_on.set()
        with pytest.raises(NotInTransaction):
            await straggler
        assert await names(store) == {"ada"}

    @pytest.mark.promise(7)
    async def test_a_straggler_of_an_earlier_block_cannot_get_into_the_next(self, store: Store) -> None:
        go_on = asyncio.Event()

        async def straggle(uow: UnitOfWork) -> None:
            await go_on.wait()
            await add(uow, "bob")

        uow = store.unit_of_work()
        async with uow:
            straggler = asyncio.create_task(straggle(uow))
            await uow.commit()
        async with uow:
            await add(uow, "ada")
            go_on.set()
            with pytest.raises(ConcurrentUse):
                await straggler
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
        with pytest.raises(ConcurrentUse):
            async with uow:
                task = asyncio.create_task(inner(uow))
                await entered.wait()
        assert in_use() == 0
        assert not uow.is_open
        go_on.set()
        with pytest.raises(ConcurrentUse):
            await task
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
    @pytest.mark.parametrize("inner", ["writing", "reading", "snapshot"])
    async def test_a_second_unit_inside_a_block_is_refused_at_once(
        self, store: Store, in_use: Callable[[], int], outer: str, inner: str
    ) -> None:
        first, second = store.unit_of_work(), store.unit_of_work()
        blocks = {
            "writing": lambda uow: uow,
            "reading": lambda uow: uow.reading(),
            "snapshot": lambda uow: uow.reading(snapshot=True),
        }
        async with blocks[outer](first):
            with pytest.raises(AlreadyInTransaction):
                async with blocks[inner](second):
                    pytest.fail("It was entered")
            with pytest.raises(AlreadyInTransaction):
                await given_user(store)
            assert await names_in(first) == set()
            assert in_use() == 1
        async with blocks[inner](second):
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
    async def test_units_of_different_tasks_do_not_mind_each_other(self, store: Store) -> None:
        await asyncio.gather(*(register(store.unit_of_work(), f"user-{number}") for number in range(8)))
        assert len(await names(store)) == 8

    @pytest.mark.promise(7)
    async def test_after_any_misuse_the_unit_works_again(self, store: Store) -> None:
        uow = store.unit_of_work()
        with suppress(StewardError):
            async with uow:
                await asyncio.gather(add(uow, "ada"), add(uow, "bob"))
        await register(uow, "cyd")
        assert await names(store) == {"cyd"}
