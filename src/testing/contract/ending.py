"""Promises 1, 2 and 3: how a block ends, and that nothing is left of it but what was committed."""
# ruff: noqa: PT012, PT017 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from ...domain.errors import Conflict, ItemNotFound, NotInTransaction
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import READS, WRITES, add, apart, given_rows, names, new_item, not_refused


def errors() -> list[BaseException]:
    """Of every kind that is treated apart somewhere: by us, by generators, by `asyncio`."""
    return [
        ValueError("of the caller"),
        ItemNotFound(7),
        Conflict(),
        StopIteration(),
        StopAsyncIteration(),
        RuntimeError("of the caller"),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        SystemExit(),
        GeneratorExit(),
    ]


class Ending(Setting):
    @pytest.mark.promise(1)
    async def test_a_block_left_without_commit_leaves_no_trace(self, store: Store, in_use: Callable[[], int]) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
        assert await names(store) == set()
        assert in_use() == 0

    @pytest.mark.promise(1)
    async def test_no_kind_of_write_leaves_a_trace(self, store: Store) -> None:
        giver, taker = await given_user(store), await given_user(store)
        box, lid = await given_item(store, owner=giver), await given_item(store, owner=giver)
        async with store.unit_of_work() as uow:
            await uow.users.save(replace(taker, username="other"))
            await uow.items.save(replace(box, name="Chest"))
            await uow.items.delete(lid)
            await uow.items.add(new_item(taker), at=uow.now)
            await uow.items.add_many([new_item(taker), new_item(taker)], at=uow.now)
            await uow.items.hand_over_all_of(giver.id, to=taker.id, at=uow.now)
            await uow.users.delete(giver)
            await uow.items.delete_all_of(taker.id)
        async with store.unit_of_work().reading() as uow:
            assert await uow.users.page(limit=10) == [taker, giver]
            assert await uow.items.page(limit=10) == [lid, box]

    @pytest.mark.promise(1)
    async def test_a_block_left_by_an_error_leaves_no_trace_and_the_error_arrives_unchanged(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        for error in errors():
            try:
                async with store.unit_of_work() as uow:
                    await add(uow, "ada")
                    raise error
            except BaseException as arrived:
                assert arrived is error
                assert arrived.__cause__ is None
            else:
                pytest.fail(f"{error!r} did not arrive")
            assert in_use() == 0, repr(error)
            assert await names(store) == set(), repr(error)

    @pytest.mark.promise(1)
    @pytest.mark.parametrize("kind", ["inner", "reading", "savepoint"])
    async def test_an_error_that_leaves_an_inner_block_arrives_unchanged(self, store: Store, kind: str) -> None:
        for error in errors():
            uow = store.unit_of_work()
            try:
                async with uow:
                    blocks = {"inner": uow, "reading": uow.reading(), "savepoint": uow.savepoint()}
                    async with blocks[kind]:
                        await uow.users.is_empty()
                        raise error
            except BaseException as arrived:
                assert arrived is error
            else:
                pytest.fail(f"{error!r} did not arrive")
            assert not uow.is_open, repr(error)

    @pytest.mark.promise(1)
    async def test_what_was_committed_stays_when_the_block_is_left_by_an_error_afterwards(self, store: Store) -> None:
        error = ValueError("after the commit")
        with pytest.raises(ValueError, match="after the commit") as caught:
            async with store.unit_of_work() as uow:
                await add(uow, "ada")
                await uow.commit()
                raise error
        assert caught.value is error
        assert await names(store) == {"ada"}

    @pytest.mark.promise(2)
    async def test_between_blocks_nothing_is_in_use(self, store: Store, in_use: Callable[[], int]) -> None:
        uow = store.unit_of_work()
        assert in_use() == 0
        async with uow:
            await add(uow, "ada")
            assert in_use() == 1
            await uow.commit()
        assert in_use() == 0
        async with uow.reading():
            await uow.users.is_empty()
            assert in_use() <= 1  # a backend may have reads that need none
        assert in_use() == 0

    @pytest.mark.promise(2)
    async def test_a_unit_that_was_never_entered_uses_nothing(self, store: Store, in_use: Callable[[], int]) -> None:
        uow = store.unit_of_work()
        uow.reading()
        uow.savepoint()
        assert in_use() == 0
        assert not uow.is_open

    @pytest.mark.promise(2)
    async def test_outside_a_block_the_repositories_raise(self, store: Store) -> None:
        rows = await given_rows(store)
        uow = store.unit_of_work()
        assert await not_refused(READS | WRITES, uow, rows, NotInTransaction) == []
        async with uow:
            await uow.commit()
        assert await not_refused(READS | WRITES, uow, rows, NotInTransaction) == []
        async with uow.reading():
            pass
        assert await not_refused(READS | WRITES, uow, rows, NotInTransaction) == []

    @pytest.mark.promise(2)
    async def test_outside_a_block_there_is_neither_time_nor_commit_nor_savepoint(self, store: Store) -> None:
        uow = store.unit_of_work()
        for _ in range(2):
            with pytest.raises(NotInTransaction):
                _ = uow.now
            with pytest.raises(NotInTransaction):
                await uow.commit()
            with pytest.raises(NotInTransaction):
                async with uow.savepoint():
                    pass
            async with uow:
                assert uow.now.utcoffset() is not None
                await uow.commit()

    @pytest.mark.promise(3)
    async def test_what_is_committed_is_there_for_others_when_commit_returns(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            await uow.commit()
            assert await apart(names(store)) == {"ada"}

    @pytest.mark.promise(3)
    async def test_a_unit_can_be_entered_again_and_begins_a_new_transaction(self, store: Store) -> None:
        uow = store.unit_of_work()
        async with uow:
            await add(uow, "ada")
            await uow.commit()
        async with uow:
            await add(uow, "bob")
        with pytest.raises(ValueError, match="third"):
            async with uow:
                await add(uow, "cyd")
                raise ValueError("third")
        async with uow:
            await add(uow, "dan")
            await uow.commit()
        assert await names(store) == {"ada", "dan"}
