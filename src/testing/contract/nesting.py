"""Promise 4: blocks nest by joining, so that any two use cases compose into one transaction."""
# ruff: noqa: PT012 - these are tests, as those in tests/

from collections.abc import Callable

import pytest

from ...domain.actors import Actor
from ...domain.errors import ItemNotFound, NotInTransaction, TransactionAborted, UsernameTaken
from ...domain.items import ItemId
from ...service_layer import items, users
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_user
from .setting import Setting
from .steps import READS, WRITES, add, apart, given_rows, names, names_in, not_refused, register


class Nesting(Setting):
    @pytest.mark.promise(4)
    async def test_only_the_outermost_commit_commits(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow:
                async with uow:
                    await add(uow, "ada")
                    await uow.commit()
                assert await names_in(uow) == {"ada"}
                await uow.commit()
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_an_inner_commit_is_nothing_without_the_outer_one(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await register(uow, "ada")
        assert await names(store) == set()

    @pytest.mark.promise(4)
    async def test_an_inner_commit_shows_nothing_to_others(self, store: Store, readers_wait: bool) -> None:
        async with store.unit_of_work() as uow:
            await register(uow, "ada")
            reader = apart(names(store))
            if not readers_wait:
                assert await reader == set()
        assert await reader == set()

    @pytest.mark.promise(4)
    async def test_inner_and_outer_blocks_see_each_others_writes(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            async with uow:
                assert await names_in(uow) == {"ada"}
                await add(uow, "bob")
                await uow.commit()
            assert await names_in(uow) == {"ada", "bob"}
            await uow.commit()
        assert await names(store) == {"ada", "bob"}

    @pytest.mark.promise(4)
    async def test_all_blocks_have_one_time(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            now = uow.now
            async with uow, uow.reading(), uow.reading():
                assert uow.now == now

    @pytest.mark.promise(4)
    async def test_an_inner_block_left_by_an_error_dooms_the_whole(self, store: Store) -> None:
        error = ValueError("of the inner block")
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(ValueError, match="of the inner block"):
                async with uow:
                    raise error
            with pytest.raises(TransactionAborted) as caught:
                await uow.commit()
            assert caught.value.__cause__ is error
        assert await names(store) == set()

    @pytest.mark.promise(4)
    async def test_an_inner_block_left_by_not_found_dooms_the_whole(self, store: Store) -> None:
        """Whoever expects it catches it inside the inner block, or asks in `reading()`, or in a savepoint."""
        async with store.unit_of_work() as uow:
            with pytest.raises(ItemNotFound):
                async with uow:
                    await uow.items.get(ItemId(7))
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(4)
    async def test_an_inner_block_that_wrote_and_did_not_commit_dooms_the_whole(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            async with uow:
                await add(uow, "bob")
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == set()

    @pytest.mark.promise(4)
    async def test_an_inner_block_that_wrote_nothing_and_did_not_commit_changes_nothing(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            async with uow:
                await uow.users.is_empty()
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_a_failure_two_blocks_deep_dooms_the_whole(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow:
                with pytest.raises(ValueError, match="deep"):
                    async with uow:
                        raise ValueError("deep")
                with pytest.raises(TransactionAborted):
                    await uow.commit()
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(4)
    async def test_a_block_inside_an_uncommitted_one_counts_as_its_write(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            async with uow:
                await register(uow, "ada")
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(4)
    async def test_a_doomed_unit_does_no_more(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(ValueError, match="inner"):
                async with uow:
                    raise ValueError("inner")
            with pytest.raises(TransactionAborted):
                await uow.users.is_empty()
            with pytest.raises(TransactionAborted):
                await register(uow, "ada")
            with pytest.raises(TransactionAborted):
                async with uow.savepoint():
                    pass
        await register(uow, "bob")
        assert await names(store) == {"bob"}

    @pytest.mark.promise(4)
    async def test_an_error_from_inside_leaves_through_all_blocks_unchanged(self, store: Store) -> None:
        error = ValueError("deep")
        uow = store.unit_of_work()
        with pytest.raises(ValueError, match="deep") as caught:
            async with uow, uow, uow.savepoint(), uow, uow.reading():
                raise error
        assert caught.value is error
        assert not uow.is_open

    @pytest.mark.promise(4)
    @pytest.mark.parametrize("depth", [1, 2, 3])
    async def test_after_the_commit_the_repositories_raise_until_the_block_is_left(
        self, store: Store, depth: int
    ) -> None:
        rows = await given_rows(store)

        async def use(uow: UnitOfWork, deeper: int) -> None:
            async with uow:
                if deeper > 1:
                    await use(uow, deeper - 1)
                await uow.users.is_empty()
                await uow.commit()
                assert await not_refused(READS | WRITES, uow, rows, NotInTransaction) == []

        await use(store.unit_of_work(), depth)

    @pytest.mark.promise(4)
    @pytest.mark.parametrize("depth", [1, 2, 3])
    async def test_after_the_commit_no_other_block_and_no_second_commit_is_possible(
        self, store: Store, depth: int
    ) -> None:
        async def use(uow: UnitOfWork, deeper: int) -> None:
            async with uow:
                if deeper > 1:
                    await use(uow, deeper - 1)
                await uow.commit()
                blocks: list[Callable[[], object]] = [lambda: uow, uow.reading, uow.savepoint]
                for block in blocks:
                    with pytest.raises(NotInTransaction):
                        async with block():  # type: ignore[attr-defined]
                            pytest.fail("It was entered")
                with pytest.raises(NotInTransaction):
                    await uow.commit()

        await use(store.unit_of_work(), depth)

    @pytest.mark.promise(4)
    async def test_a_committed_inner_block_that_is_left_by_an_error_dooms_the_whole(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(ValueError, match="late"):
                async with uow:
                    await add(uow, "ada")
                    await uow.commit()
                    raise ValueError("late")
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == set()

    @pytest.mark.promise(4)
    async def test_two_use_cases_compose_into_one_transaction(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            ada = await users.register_user(uow, Actor.system(), username="ada", email="ada@example.org")
            box = await items.create_item(uow, Actor.of(ada), name="Box")
            await items.update_item(uow, Actor.of(ada), item_id=box.id, quantity=3)
            await uow.commit()
        box = await items.get_item(uow, Actor.of(ada), item_id=box.id)
        assert (box.quantity, box.version) == (3, 2)

    @pytest.mark.promise(4)
    async def test_the_second_of_two_use_cases_takes_the_first_down_with_it(self, store: Store) -> None:
        await given_user(store, username="ada")
        with pytest.raises(UsernameTaken):
            async with store.unit_of_work() as uow:
                await users.register_user(uow, Actor.system(), username="bob", email="bob@example.org")
                await users.register_user(uow, Actor.system(), username="ADA", email="new@example.org")
                await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(4)
    async def test_a_use_case_that_finds_nothing_to_do_lets_the_others_be(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await register(uow, "ada")
            assert not await items.delete_item(uow, Actor.system(), item_id=ItemId(7))
            await uow.commit()
        assert await names(store) == {"ada"}
