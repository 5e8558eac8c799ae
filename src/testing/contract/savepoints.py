"""Promise 4: a savepoint confines an ordinary failure, and neither a conflict nor a cancellation."""
# ruff: noqa: PT012 - these are tests, as those in tests/

import asyncio

import pytest

from ...domain.errors import (
    Conflict,
    ItemNotFound,
    NotInTransaction,
    ReadOnly,
    TransactionAborted,
    UsernameTaken,
    UserNotFound,
)
from ...domain.items import ItemId
from ...domain.users import UserId
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import add, names, names_in, register, stale


class Savepoints(Setting):
    @pytest.mark.promise(4)
    async def test_a_savepoint_left_normally_keeps_its_work(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow.savepoint():
                await add(uow, "ada")
            assert await names_in(uow) == {"ada"}
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_a_savepoint_is_nothing_without_the_commit_around_it(self, store: Store) -> None:
        async with store.unit_of_work() as uow, uow.savepoint():
            await add(uow, "ada")
        assert await names(store) == set()

    @pytest.mark.promise(4)
    async def test_a_savepoint_left_by_an_error_undoes_its_work_and_no_more(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(ValueError, match="inside"):
                async with uow.savepoint():
                    await add(uow, "bob")
                    raise ValueError("inside")
            assert await names_in(uow) == {"ada"}
            await add(uow, "cyd")
            await uow.commit()
        assert await names(store) == {"ada", "cyd"}

    @pytest.mark.promise(4)
    async def test_a_savepoint_as_the_first_deed_can_fail_too(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(ValueError, match="inside"):
                async with uow.savepoint():
                    await add(uow, "ada")
                    raise ValueError("inside")
            await add(uow, "bob")
            await uow.commit()
        assert await names(store) == {"bob"}

    @pytest.mark.promise(4)
    async def test_a_refused_write_is_healed_by_its_savepoint(self, store: Store) -> None:
        await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            with pytest.raises(UsernameTaken):
                async with uow.savepoint():
                    await add(uow, "ada")
            await add(uow, "bob")
            await uow.commit()
        assert await names(store) == {"ada", "bob"}

    @pytest.mark.promise(4)
    async def test_a_use_case_that_fails_inside_a_savepoint_is_confined(self, store: Store) -> None:
        await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            for name in ("bob", "ada", "cyd"):
                try:
                    async with uow.savepoint():
                        await register(uow, name)
                except UsernameTaken:
                    pass
            await uow.commit()
        assert await names(store) == {"ada", "bob", "cyd"}

    @pytest.mark.promise(4)
    async def test_a_swallowed_failure_makes_leaving_the_savepoint_raise(self, store: Store) -> None:
        await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            with pytest.raises(TransactionAborted) as caught:
                async with uow.savepoint():
                    await add(uow, "bob")
                    with pytest.raises(UsernameTaken):
                        await add(uow, "ada")
            assert isinstance(caught.value.__cause__, UsernameTaken)
            assert await names_in(uow) == {"ada"}
            await add(uow, "cyd")
            await uow.commit()
        assert await names(store) == {"ada", "cyd"}

    @pytest.mark.promise(4)
    async def test_an_uncommitted_block_inside_makes_leaving_the_savepoint_raise(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(TransactionAborted):
                async with uow.savepoint(), uow:
                    await add(uow, "ada")
            await add(uow, "bob")
            await uow.commit()
        assert await names(store) == {"bob"}

    @pytest.mark.promise(4)
    async def test_what_was_not_found_needs_no_healing(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow.savepoint():
                await add(uow, "ada")
                with pytest.raises(UserNotFound):
                    await uow.users.get(UserId(7_000_000))
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_a_failed_savepoint_inside_a_savepoint_leaves_the_outer_one_whole(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow.savepoint():
                await add(uow, "ada")
                with pytest.raises(ValueError, match="inner"):
                    async with uow.savepoint():
                        await add(uow, "bob")
                        raise ValueError("inner")
                await add(uow, "cyd")
            await uow.commit()
        assert await names(store) == {"ada", "cyd"}

    @pytest.mark.promise(4)
    async def test_a_failed_savepoint_takes_the_savepoints_inside_it_along(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(ValueError, match="outer"):
                async with uow.savepoint():
                    async with uow.savepoint():
                        await add(uow, "bob")
                    raise ValueError("outer")
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_a_write_in_a_savepoint_is_a_write_of_the_block_around_it(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow, uow.savepoint():
                await add(uow, "ada")
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(4)
    async def test_a_write_that_was_undone_is_none(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow:
                with pytest.raises(ValueError, match="inside"):
                    async with uow.savepoint():
                        await add(uow, "ada")
                        raise ValueError("inside")
            await add(uow, "bob")
            await uow.commit()
        assert await names(store) == {"bob"}

    @pytest.mark.promise(4)
    async def test_a_failure_before_the_savepoint_is_not_healed_by_it(self, store: Store) -> None:
        await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            with pytest.raises(UsernameTaken):
                await add(uow, "ada")
            with pytest.raises(TransactionAborted):
                async with uow.savepoint():
                    pytest.fail("It was entered")
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(4)
    @pytest.mark.parametrize("depth", [1, 2])
    async def test_no_savepoint_confines_a_lost_race(self, store: Store, depth: int) -> None:
        item = await given_item(store)
        before = await names(store)
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(Conflict):
                if depth == 1:
                    async with uow.savepoint():
                        await stale(uow, item)
                else:
                    async with uow.savepoint(), uow.savepoint():
                        await stale(uow, item)
            with pytest.raises(TransactionAborted) as caught:
                await uow.users.is_empty()
            assert isinstance(caught.value.__cause__, Conflict)
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == before

    @pytest.mark.promise(4)
    async def test_a_lost_race_swallowed_inside_a_savepoint_dooms_the_whole(self, store: Store) -> None:
        item = await given_item(store)
        async with store.unit_of_work() as uow:
            with pytest.raises(TransactionAborted):
                async with uow.savepoint():
                    with pytest.raises(Conflict):
                        await stale(uow, item)
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(4)
    @pytest.mark.parametrize("error", [Conflict(), asyncio.CancelledError(), KeyboardInterrupt()], ids=repr)
    async def test_no_savepoint_confines_a_conflict_or_a_cancellation_that_the_caller_raised(
        self, store: Store, error: BaseException
    ) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(type(error)) as caught:
                async with uow.savepoint():
                    raise error
            assert caught.value is error
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == set()

    @pytest.mark.promise(4)
    async def test_a_savepoint_has_no_commit(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow.savepoint():
                await add(uow, "ada")
                with pytest.raises(NotInTransaction):
                    await uow.commit()
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_a_savepoint_stands_inside_a_block_that_writes(self, store: Store) -> None:
        uow = store.unit_of_work()
        with pytest.raises(NotInTransaction):
            async with uow.savepoint():
                pytest.fail("It was entered")
        async with uow.reading():
            with pytest.raises(ReadOnly):
                async with uow.savepoint():
                    pytest.fail("It was entered")
        assert not uow.is_open

    @pytest.mark.promise(4)
    async def test_not_found_inside_an_inner_block_inside_a_savepoint_is_confined(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(ItemNotFound):
                async with uow.savepoint(), uow:
                    await add(uow, "ada")
                    await uow.items.get(ItemId(7_000_000))
            await add(uow, "bob")
            await uow.commit()
        assert await names(store) == {"bob"}
