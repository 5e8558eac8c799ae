"""Promise 9: a failed statement is not forgotten."""
# ruff: noqa: ARG001, ARG005 - these are tests, as those in tests/

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from ...domain.errors import (
    Conflict,
    EmailTaken,
    InvalidValue,
    ItemNotFound,
    TransactionAborted,
    UnknownOwner,
    UnknownRecipient,
    UsernameTaken,
    UserNotFound,
    UserOwnsItems,
)
from ...domain.items import ItemId
from ...domain.users import NewUser, User, UserId
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import add, names, new_item, new_user, register

Failing = Callable[[UnitOfWork, User], Awaitable[object]]

NOBODY = UserId(7_000_000)


async def save_from_nowhere(uow: UnitOfWork, owner: User) -> None:
    await uow.items.save(replace((await uow.items.page(limit=1))[0], version=7))


async def hand_item_to_nobody(uow: UnitOfWork, owner: User) -> None:
    await uow.items.save(replace((await uow.items.page(limit=1))[0], owner_id=NOBODY))


FAILURES: dict[type[Exception], tuple[Failing, ...]] = {
    UsernameTaken: (
        lambda uow, owner: uow.users.add(NewUser.of(username="OWNER", email="new@example.org"), at=uow.now),
        lambda uow, owner: uow.users.add_many(
            [new_user("new"), NewUser.of(username="OWNER", email="other@example.org")], at=uow.now
        ),
    ),
    EmailTaken: (lambda uow, owner: uow.users.add(NewUser.of(username="new", email="Owner@example.org"), at=uow.now),),
    UnknownOwner: (
        lambda uow, owner: uow.items.add(new_item(replace(owner, id=NOBODY)), at=uow.now),
        lambda uow, owner: uow.items.add_many([new_item(replace(owner, id=NOBODY))], at=uow.now),
    ),
    UserOwnsItems: (lambda uow, owner: uow.users.delete(owner),),
    UnknownRecipient: (
        hand_item_to_nobody,
        lambda uow, owner: uow.items.hand_over_all_of(owner.id, to=NOBODY, at=uow.now),
    ),
    Conflict: (save_from_nowhere,),
}


class Failures(Setting):
    @pytest.mark.promise(9)
    @pytest.mark.parametrize(
        ("error", "statement"),
        [(error, statement) for error, statements in FAILURES.items() for statement in statements],
    )
    async def test_whoever_swallows_a_failure_and_commits_is_told(
        self, store: Store, in_use: Callable[[], int], error: type[Exception], statement: Failing
    ) -> None:
        owner = await given_user(store, username="owner")
        item = await given_item(store, owner=owner)
        uow = store.unit_of_work()
        async with uow:
            await add(uow, "ada")
            with pytest.raises(error) as swallowed:
                await statement(uow, owner)
            with pytest.raises(TransactionAborted) as caught:
                await uow.commit()
            assert caught.value.__cause__ is swallowed.value
        assert in_use() == 0
        assert await names(store) == {"owner"}
        async with uow.reading():
            assert await uow.items.page(limit=10) == [item]
        await register(uow, "bob")
        assert await names(store) == {"owner", "bob"}

    @pytest.mark.promise(9)
    async def test_after_a_failure_every_statement_is_refused(self, store: Store) -> None:
        await given_user(store, username="owner")
        async with store.unit_of_work() as uow:
            with pytest.raises(UsernameTaken):
                await add(uow, "owner")
            for _ in range(2):
                with pytest.raises(TransactionAborted):
                    await uow.users.is_empty()
                with pytest.raises(TransactionAborted):
                    await add(uow, "ada")
                with pytest.raises(TransactionAborted):
                    await register(uow, "ada")
                with pytest.raises(TransactionAborted):
                    async with uow.reading():
                        await uow.users.is_empty()
        assert await names(store) == {"owner"}

    @pytest.mark.promise(9)
    async def test_a_failure_in_an_inner_block_is_remembered_by_the_outer_one(self, store: Store) -> None:
        await given_user(store, username="owner")
        async with store.unit_of_work() as uow:
            async with uow:
                with pytest.raises(UsernameTaken):
                    await add(uow, "owner")
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(9)
    async def test_what_was_not_found_is_an_answer_and_no_failure(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(UserNotFound):
                await uow.users.get(NOBODY)
            with pytest.raises(ItemNotFound):
                await uow.items.get(ItemId(NOBODY))
            with pytest.raises(ItemNotFound):
                await uow.items.get_with_owner(ItemId(NOBODY))
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(9)
    async def test_what_broke_the_rules_before_it_was_a_statement_is_no_failure(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(ValueError, match="of the caller"):
                raise ValueError("of the caller")
            await uow.commit()
        assert await names(store) == {"ada"}

    @pytest.mark.promise(9)
    @pytest.mark.parametrize("where", ["block", "savepoint", "inner"])
    @pytest.mark.parametrize("writes", [True, False])
    async def test_a_cancelled_statement_counts_as_failed(
        self, store: Store, in_use: Callable[[], int], where: str, writes: bool
    ) -> None:
        async def statements(uow: UnitOfWork) -> None:
            await add(uow, "bob")
            statement = asyncio.create_task(add(uow, "cyd") if writes else names_of(uow))
            await asyncio.sleep(0)
            statement.cancel()
            with pytest.raises(asyncio.CancelledError):
                await statement
            with pytest.raises(TransactionAborted):
                await uow.users.is_empty()
            with pytest.raises(TransactionAborted):
                await add(uow, "dan")
            with pytest.raises(TransactionAborted):
                async with uow.savepoint():
                    pytest.fail("It was entered")

        uow = store.unit_of_work()
        async with uow:
            await add(uow, "ada")
            if where == "block":
                await statements(uow)
            elif where == "inner":
                async with uow:
                    await statements(uow)
            else:
                with pytest.raises(TransactionAborted):
                    async with uow.savepoint():
                        await statements(uow)
            with pytest.raises(TransactionAborted) as caught:
                await uow.commit()
            assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert in_use() == 0
        assert await names(store) == set()
        await register(uow, "eve")
        assert await names(store) == {"eve"}

    @pytest.mark.promise(9)
    async def test_a_timed_out_statement_counts_as_failed(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await add(uow, "bob")
            with pytest.raises(TransactionAborted):
                await add(uow, "cyd")
            with pytest.raises(TransactionAborted):
                await uow.commit()
        assert await names(store) == set()

    @pytest.mark.promise(9)
    async def test_a_cancelled_statement_of_a_reading_block_leaves_the_next_unit_whole(
        self, store: Store, in_use: Callable[[], int]
    ) -> None:
        async with store.unit_of_work().reading() as uow:
            statement = asyncio.create_task(names_of(uow))
            await asyncio.sleep(0)
            statement.cancel()
            with pytest.raises(asyncio.CancelledError):
                await statement
            with pytest.raises(TransactionAborted):
                await uow.users.is_empty()
        assert in_use() == 0
        assert await names(store) == set()

    @pytest.mark.promise(9)
    async def test_a_value_that_no_rule_allows_is_refused_whoever_made_it(self, store: Store) -> None:
        """The domain's rules stand in the store too: somebody may have passed them by."""
        item = await given_item(store)
        for field, broken in (
            ("quantity", replace(item, quantity=-1)),
            ("name", replace(item, name="")),
            ("description", replace(item, description="x" * 10_001)),
        ):
            async with store.unit_of_work() as uow:
                with pytest.raises(InvalidValue) as caught:
                    await uow.items.save(broken)
                assert caught.value.field == field
                with pytest.raises(TransactionAborted):
                    await uow.commit()
        async with store.unit_of_work().reading() as uow:
            assert await uow.items.get(item.id) == item


async def names_of(uow: UnitOfWork) -> object:
    return await uow.users.page(limit=10)
