"""Promise 6: `reading()` gives the same repositories, and writes nothing."""
# ruff: noqa: PT012 - these are tests, as those in tests/

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from ...domain.errors import ItemNotFound, ReadOnly, TransactionAborted, UsernameTaken
from ...domain.items import ItemId
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_user
from .setting import Setting
from .steps import READS, WRITES, add, apart, given_rows, names, names_in, not_refused, register

BLOCKS: dict[str, Callable[[UnitOfWork], AbstractAsyncContextManager[UnitOfWork]]] = {
    "reading": lambda uow: uow.reading(),
    "snapshot": lambda uow: uow.reading(snapshot=True),
}


class Reading(Setting):
    @pytest.mark.promise(6)
    @pytest.mark.parametrize("block", BLOCKS)
    async def test_every_method_that_reads_works_in_a_reading_block(self, store: Store, block: str) -> None:
        rows = await given_rows(store)
        uow = store.unit_of_work()
        for name, call in READS.items():
            async with BLOCKS[block](uow):
                assert await call(uow, rows) is not None, name

    @pytest.mark.promise(6)
    @pytest.mark.parametrize("block", BLOCKS)
    async def test_every_method_that_writes_raises_in_a_reading_block(self, store: Store, block: str) -> None:
        rows = await given_rows(store)
        uow = store.unit_of_work()
        for name, call in WRITES.items():
            async with BLOCKS[block](uow):
                assert await not_refused({name: call}, uow, rows, ReadOnly) == []
                assert await uow.items.get(rows.item.id) == rows.item

    @pytest.mark.promise(6)
    async def test_every_method_that_writes_raises_in_a_reading_block_inside_a_writing_one(self, store: Store) -> None:
        rows = await given_rows(store)
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            async with uow.reading():
                assert await not_refused(WRITES, uow, rows, ReadOnly) == []
            await uow.commit()
        assert "ada" in await names(store)

    @pytest.mark.promise(6)
    @pytest.mark.parametrize("block", BLOCKS)
    async def test_a_writing_block_inside_a_reading_one_is_refused_at_entry(self, store: Store, block: str) -> None:
        uow = store.unit_of_work()
        async with BLOCKS[block](uow):
            with pytest.raises(ReadOnly):
                async with uow:
                    pytest.fail("It was entered")
            with pytest.raises(ReadOnly):
                await uow.commit()
            assert await uow.users.is_empty()

    @pytest.mark.promise(6)
    async def test_a_use_case_that_writes_is_refused_inside_a_reading_block_of_a_writing_one(
        self, store: Store
    ) -> None:
        async with store.unit_of_work() as uow:
            async with uow.reading():
                with pytest.raises(ReadOnly):
                    await register(uow, "ada")
            await register(uow, "bob")
            await uow.commit()
        assert await names(store) == {"bob"}

    @pytest.mark.promise(6)
    @pytest.mark.parametrize("block", BLOCKS)
    async def test_inside_a_writing_block_it_joins_and_sees_what_is_not_committed(
        self, store: Store, block: str
    ) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            async with BLOCKS[block](uow):
                assert await names_in(uow) == {"ada"}
            await add(uow, "bob")
            async with BLOCKS[block](uow), BLOCKS[block](uow):
                assert await names_in(uow) == {"ada", "bob"}
            await uow.commit()
        assert await names(store) == {"ada", "bob"}

    @pytest.mark.promise(6)
    @pytest.mark.parametrize("block", BLOCKS)
    async def test_inside_a_savepoint_it_joins_too(self, store: Store, block: str) -> None:
        async with store.unit_of_work() as uow:
            async with uow.savepoint():
                await add(uow, "ada")
                async with BLOCKS[block](uow):
                    assert await names_in(uow) == {"ada"}
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(6)
    @pytest.mark.parametrize("block", BLOCKS)
    async def test_a_joined_reading_block_left_by_an_error_changes_nothing(self, store: Store, block: str) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(ItemNotFound):
                async with BLOCKS[block](uow):
                    await uow.items.get(ItemId(7_000_000))
            with pytest.raises(ValueError, match="of the caller"):
                async with BLOCKS[block](uow):
                    raise ValueError("of the caller")
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(6)
    async def test_a_reading_block_heals_nothing(self, store: Store) -> None:
        await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            with pytest.raises(UsernameTaken):
                await add(uow, "ada")
            with pytest.raises(TransactionAborted):
                async with uow.reading():
                    await uow.users.is_empty()

    @pytest.mark.promise(6)
    @pytest.mark.usefixtures("readers_beside_the_writer")
    async def test_each_statement_sees_what_is_committed_by_then(self, store: Store) -> None:
        async with store.unit_of_work().reading() as uow:
            assert await names_in(uow) == set()
            await apart(register(store.unit_of_work(), "ada"))
            assert await names_in(uow) == {"ada"}

    @pytest.mark.promise(6)
    @pytest.mark.usefixtures("readers_beside_the_writer")
    async def test_in_a_snapshot_all_statements_see_one_state(self, store: Store) -> None:
        async with store.unit_of_work().reading(snapshot=True) as uow:
            assert await names_in(uow) == set()
            await apart(register(store.unit_of_work(), "ada"))
            assert await names_in(uow) == set()
            async with uow.reading():
                assert await names_in(uow) == set()
            async with uow.reading(snapshot=True):
                assert await names_in(uow) == set()
            assert await names_in(uow) == set()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(6)
    @pytest.mark.usefixtures("readers_beside_the_writer")
    async def test_a_snapshot_inside_a_reading_block_is_one_while_it_lasts(self, store: Store) -> None:
        async with store.unit_of_work().reading() as uow:
            assert await names_in(uow) == set()
            async with uow.reading(snapshot=True):
                assert await names_in(uow) == set()
                await apart(register(store.unit_of_work(), "ada"))
                assert await names_in(uow) == set()
            assert await names_in(uow) == {"ada"}
            async with uow.reading(snapshot=True):
                assert await names_in(uow) == {"ada"}

    @pytest.mark.promise(6)
    async def test_a_snapshot_inside_a_reading_block_can_be_left_by_an_error(self, store: Store) -> None:
        async with store.unit_of_work().reading() as uow:
            with pytest.raises(ValueError, match="of the caller"):
                async with uow.reading(snapshot=True):
                    await uow.users.is_empty()
                    raise ValueError("of the caller")
            assert await uow.users.is_empty()
            with pytest.raises(ItemNotFound):
                async with uow.reading(snapshot=True):
                    await uow.items.get(ItemId(7_000_000))
            assert await uow.users.is_empty()

    @pytest.mark.promise(6)
    @pytest.mark.usefixtures("readers_beside_the_writer")
    async def test_a_reader_and_the_writer_do_not_wait_for_each_other(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            assert await apart(names(store)) == set()
            await uow.commit()

    @pytest.mark.promise(6)
    @pytest.mark.usefixtures("readers_beside_the_writer")
    async def test_in_a_snapshot_there_are_many_readers(self, store: Store) -> None:
        async with store.unit_of_work().reading(snapshot=True) as uow:
            await uow.users.is_empty()
            for _ in range(3):
                assert await apart(names(store)) == set()
