"""Promise 8: no lost update."""
# ruff: noqa: ARG005, PT012 - these are tests, as those in tests/

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ...domain.actors import Actor
from ...domain.errors import Conflict, TransactionAborted, VersionMismatch
from ...domain.items import Item
from ...domain.users import User
from ...service_layer import items, retry, users
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import apart

CHANGES: dict[str, Callable[[UnitOfWork, User, Item, int | None], Awaitable[None]]] = {
    "users.save": lambda uow, user, item, expected_version: uow.users.save(user, expected_version=expected_version),
    "users.delete": lambda uow, user, item, expected_version: uow.users.delete(user, expected_version=expected_version),
    "items.save": lambda uow, user, item, expected_version: uow.items.save(item, expected_version=expected_version),
    "items.delete": lambda uow, user, item, expected_version: uow.items.delete(item, expected_version=expected_version),
}
LATER = datetime(2040, 1, 1, tzinfo=UTC)
EXPECTED: list[tuple[int | None, type[Exception]]] = [(None, Conflict), (1, VersionMismatch)]


class Versions(Setting):
    @pytest.mark.promise(8)
    async def test_every_change_counts_the_version_up_in_the_store_and_in_the_callers_hand(self, store: Store) -> None:
        user = await given_user(store)
        item = await given_item(store, owner=user)
        assert (user.version, item.version) == (1, 1)
        async with store.unit_of_work() as uow:
            for expected in (2, 3):
                await uow.users.save(user)
                await uow.items.save(item)
                assert (user.version, item.version) == (expected, expected)
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            assert await uow.users.get(user.id) == user
            assert await uow.items.get(item.id) == item

    @pytest.mark.promise(8)
    @pytest.mark.parametrize(("expected_version", "error"), EXPECTED)
    @pytest.mark.parametrize("call", CHANGES)
    async def test_a_change_made_from_a_version_that_is_gone_fails(
        self, store: Store, call: str, expected_version: int | None, error: type[Exception]
    ) -> None:
        user, item = await given_user(store), await given_item(store)
        async with store.unit_of_work() as uow:
            await uow.users.save(replace(user))
            await uow.items.save(replace(item))
            await uow.commit()
        async with store.unit_of_work() as uow:
            with pytest.raises(error):
                await CHANGES[call](uow, user, item, expected_version)
        assert (user.version, item.version) == (1, 1)
        async with store.unit_of_work().reading() as uow:
            assert (await uow.users.get(user.id)).version == 2
            assert (await uow.items.get(item.id)).version == 2

    @pytest.mark.promise(8)
    @pytest.mark.parametrize(("expected_version", "error"), EXPECTED)
    @pytest.mark.parametrize("call", CHANGES)
    async def test_a_change_of_what_is_gone_altogether_fails_alike(
        self, store: Store, call: str, expected_version: int | None, error: type[Exception]
    ) -> None:
        user, item = await given_user(store), await given_item(store)
        async with store.unit_of_work() as uow:
            await uow.users.delete(user)
            await uow.items.delete(item)
            await uow.commit()
        async with store.unit_of_work() as uow:
            with pytest.raises(error):
                await CHANGES[call](uow, user, item, expected_version)

    @pytest.mark.promise(8)
    @pytest.mark.parametrize("call", CHANGES)
    async def test_a_change_from_the_named_version_succeeds(self, store: Store, call: str) -> None:
        user, item = await given_user(store), await given_item(store)
        async with store.unit_of_work() as uow:
            await CHANGES[call](uow, user, item, 1)
            await uow.commit()

    @pytest.mark.promise(8)
    @pytest.mark.parametrize("expected_version", [None, 1])
    async def test_an_update_that_began_before_another_was_committed_is_not_lost(
        self, store: Store, expected_version: int | None
    ) -> None:
        item = await given_item(store, name="Box")
        async with store.unit_of_work().reading() as uow:
            mine, theirs = await uow.items.get(item.id), await uow.items.get(item.id)

        async def save(uow: UnitOfWork) -> None:
            async with uow:
                theirs.change(at=uow.now, name="Theirs")
                await uow.items.save(theirs)
                await uow.commit()

        await apart(save(store.unit_of_work()))
        with pytest.raises(Conflict if expected_version is None else VersionMismatch):
            async with store.unit_of_work() as uow:
                mine.change(at=uow.now, name="Mine")
                await uow.items.save(mine, expected_version=expected_version)
        async with store.unit_of_work().reading() as uow:
            assert (await uow.items.get(item.id)).name == "Theirs"

    @pytest.mark.promise(8)
    async def test_of_two_updates_that_name_the_same_version_one_is_told(self, store: Store) -> None:
        item = await given_item(store, quantity=0)
        results = await asyncio.gather(
            *(
                retry.run(
                    store.unit_of_work(), items.update_item, Actor.system(), item_id=item.id, quantity=7 + n, version=1
                )
                for n in range(4)
            ),
            return_exceptions=True,
        )
        assert [type(each) for each in results if isinstance(each, Exception)] == [VersionMismatch] * 3
        async with store.unit_of_work().reading() as uow:
            assert (await uow.items.get(item.id)).version == 2

    @pytest.mark.promise(8)
    async def test_a_use_case_told_the_wrong_version_changes_nothing(self, store: Store) -> None:
        user, item = await given_user(store), await given_item(store)
        for version in (0, 2, -1):
            for attempt in (
                items.update_item(store.unit_of_work(), Actor.system(), item_id=item.id, quantity=7, version=version),
                items.delete_item(store.unit_of_work(), Actor.system(), item_id=item.id, version=version),
                users.update_user(
                    store.unit_of_work(), Actor.system(), user_id=user.id, is_active=False, version=version
                ),
                users.delete_user(store.unit_of_work(), Actor.system(), user_id=user.id, version=version),
            ):
                with pytest.raises(VersionMismatch):
                    await attempt
        async with store.unit_of_work().reading() as uow:
            assert await uow.items.get(item.id) == item
            assert await uow.users.get(user.id) == user

    @pytest.mark.promise(8)
    async def test_an_update_that_changes_nothing_keeps_version_and_time(self, store: Store) -> None:
        user, item = await given_user(store), await given_item(store, attributes={"size": 1})
        same = await items.update_item(
            store.unit_of_work(),
            Actor.system(),
            item_id=item.id,
            name=item.name,
            description=item.description,
            quantity=item.quantity,
            attributes={"size": 1},
        )
        assert same == item
        assert (
            await users.update_user(
                store.unit_of_work(), Actor.system(), user_id=user.id, username=user.username, email=user.email
            )
            == user
        )
        async with store.unit_of_work().reading() as uow:
            assert await uow.items.get(item.id) == item
            assert await uow.users.get(user.id) == user

    @pytest.mark.promise(8)
    async def test_a_mismatch_with_the_named_version_is_an_answer_and_no_failure(self, store: Store) -> None:
        item = await given_item(store)
        async with store.unit_of_work() as uow:
            with pytest.raises(VersionMismatch):
                await uow.items.save(replace(item, version=7), expected_version=7)
            await uow.items.save(item)
            await uow.commit()
        assert item.version == 2

    @pytest.mark.promise(8)
    async def test_a_lost_race_that_nobody_asked_about_is_a_failure(self, store: Store) -> None:
        item = await given_item(store)
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await uow.items.save(replace(item, version=7))
            with pytest.raises(TransactionAborted):
                await uow.commit()

    @pytest.mark.promise(8)
    async def test_items_handed_over_together_count_up_too(self, store: Store) -> None:
        taker = await given_user(store)
        item = await given_item(store)
        async with store.unit_of_work() as uow:
            await uow.items.hand_over_all_of(item.owner_id, to=taker.id, at=LATER)
            await uow.commit()
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await uow.items.save(item)
        async with store.unit_of_work().reading() as uow:
            stored = await uow.items.get(item.id)
        assert (stored.version, stored.updated_at, stored.owner_id) == (2, LATER, taker.id)

    @pytest.mark.promise(8)
    async def test_an_entity_saved_in_a_unit_that_was_rolled_back_has_to_be_read_again(self, store: Store) -> None:
        """The one in the caller's hand is ahead of the store."""
        item = await given_item(store)
        async with store.unit_of_work() as uow:
            await uow.items.save(item)
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await uow.items.save(item)
