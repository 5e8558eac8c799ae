"""What the repositories themselves promise (`steward.domain.repositories`)."""

import asyncio
from dataclasses import replace

import pytest

from ...domain.errors import InvalidValue, ItemNotFound, UserNotFound
from ...domain.items import ItemId, NewItem
from ...domain.users import NewUser, Owner, PasswordHash, Role, UserId
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import NOWHERE, apart, new_item, new_user


class Repositories(Setting):
    async def test_a_user_comes_back_as_it_was_stored(self, store: Store) -> None:
        new = NewUser.of(
            username="Ada", email="Ada@example.org", role=Role.ADMIN, password_hash=PasswordHash("$argon2id$…")
        )
        async with store.unit_of_work() as uow:
            assert await uow.users.is_empty()
            ada = await uow.users.add(new, at=uow.now)
            await uow.commit()
        assert (ada.username, ada.email, ada.role, ada.is_active, ada.version, ada.password_hash) == (
            "Ada",
            "Ada@example.org",
            Role.ADMIN,
            True,
            1,
            PasswordHash("$argon2id$…"),
        )
        async with store.unit_of_work() as uow:
            assert await uow.users.get(ada.id, for_update=True) == ada
        async with store.unit_of_work().reading() as uow:
            assert not await uow.users.is_empty()
            for found in (
                await uow.users.get(ada.id),
                await uow.users.find("aDA"),
                await uow.users.find_by_email("ADA@example.ORG"),
                *await uow.users.page(limit=1),
            ):
                assert found == ada
                assert found is not None
                assert isinstance(found.role, Role)

    async def test_every_field_of_a_user_can_be_changed(self, store: Store) -> None:
        ada = await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            ada.change(
                at=uow.now,
                username="Lovelace",
                email="lovelace@example.org",
                role=Role.ADMIN,
                is_active=False,
                password_hash=PasswordHash("$argon2id$…"),
            )
            await uow.users.save(ada)
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            assert await uow.users.get(ada.id) == ada
            assert await uow.users.find("ada") is None
            assert await uow.users.find("LOVELACE") == ada
            assert await uow.users.find_by_email("ada@example.org") is None
            assert await uow.users.find_by_email("lovelace@example.org") == ada

    async def test_a_user_may_change_to_another_spelling_of_its_own_name(self, store: Store) -> None:
        ada = await given_user(store, username="ada")
        async with store.unit_of_work() as uow:
            ada.change(at=uow.now, username="ADA")
            await uow.users.save(ada)
            await uow.commit()
        assert ada.version == 2

    async def test_an_item_comes_back_as_it_was_stored(self, store: Store) -> None:
        ada = await given_user(store, username="ada")
        attributes = {"z": 1, "a": [1.5, -0.0, True, None, "é\t"], "deep": {"er": {}}, "10": 2**53 - 1}
        new = NewItem.of(
            owner_id=ada.id, name="Kiste 📦", description="eine\nzweite", quantity=0, attributes=attributes
        )
        async with store.unit_of_work() as uow:
            item = await uow.items.add(new, at=uow.now)
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            found = await uow.items.get(item.id)
            owned = await uow.items.get_with_owner(item.id)
            assert found == owned.item == item
            assert repr(found.attributes) == repr(attributes)
            assert owned.owner == Owner(ada.id, "ada")
            assert await uow.items.page(limit=1) == [item]
            assert await uow.items.page_with_owner(limit=1) == [owned]

    async def test_every_field_of_an_item_can_be_changed(self, store: Store) -> None:
        item, other = await given_item(store, description="old"), await given_user(store)
        async with store.unit_of_work() as uow:
            item.change(at=uow.now, name="Lid", description=None, quantity=0, attributes={"a": 1})
            item.hand_to(other.id, at=uow.now)
            await uow.items.save(item)
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            assert await uow.items.get(item.id) == item

    async def test_a_row_is_checked_before_what_it_refers_to(self, store: Store) -> None:
        item = await given_item(store)
        wrong = replace(item, quantity=-1, owner_id=UserId(7_000_000))
        async with store.unit_of_work() as uow:
            with pytest.raises(InvalidValue, match="ck_items_quantity_range"):
                await uow.items.save(wrong)
        new = NewItem(wrong.owner_id, wrong.name, wrong.description, wrong.quantity, wrong.attributes)
        async with store.unit_of_work() as uow:
            with pytest.raises(InvalidValue, match="ck_items_quantity_range"):
                await uow.items.add(new, at=uow.now)

    async def test_an_id_that_nobody_has_is_not_found_whatever_it_is(self, store: Store) -> None:
        await given_item(store)
        async with store.unit_of_work() as uow:
            for nowhere in NOWHERE:
                with pytest.raises(UserNotFound, match=f"{nowhere}"):
                    await uow.users.get(UserId(nowhere))
                with pytest.raises(ItemNotFound, match=f"{nowhere}"):
                    await uow.items.get(ItemId(nowhere))
                with pytest.raises(ItemNotFound, match=f"{nowhere}"):
                    await uow.items.get_with_owner(ItemId(nowhere))
            await uow.commit()

    async def test_many_are_stored_in_the_order_given(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            people = await uow.users.add_many([new_user(f"user-{number}") for number in range(20)], at=uow.now)
            owner = await uow.users.get(people[0])
            things = await uow.items.add_many(
                [new_item(owner, f"Item {number}", number) for number in range(20)], at=uow.now
            )
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            assert [(await uow.users.get(user_id)).username for user_id in people] == [
                f"user-{number}" for number in range(20)
            ]
            assert [(await uow.items.get(item_id)).quantity for item_id in things] == list(range(20))

    async def test_many_may_be_none(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            assert await uow.users.add_many([], at=uow.now) == []
            assert await uow.items.add_many([], at=uow.now) == []
            await uow.commit()

    async def test_items_that_are_locked_are_not_changed_until_the_unit_has_ended(self, store: Store) -> None:
        items = [await given_item(store, name="Box") for _ in range(2)]

        async def rename() -> None:
            async with store.unit_of_work() as uow:
                await uow.items.save(replace(items[0], name="Lid"))
                await uow.commit()

        async with store.unit_of_work() as uow:
            await uow.items.lock([item.id for item in items])
            renaming = apart(rename())
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert await uow.items.get(items[0].id) == items[0]
            assert not renaming.done()
            await uow.commit()
        await renaming
        async with store.unit_of_work().reading() as uow:
            assert (await uow.items.get(items[0].id)).name == "Lid"

    async def test_what_is_not_there_is_passed_over_by_a_lock(self, store: Store) -> None:
        item = await given_item(store)
        async with store.unit_of_work() as uow:
            await uow.items.lock([])
            await uow.items.lock([ItemId(nowhere) for nowhere in NOWHERE])
            await uow.items.lock([item.id, item.id, *(ItemId(nowhere) for nowhere in NOWHERE)], owner_id=item.owner_id)
            await uow.items.lock([item.id], owner_id=UserId(7_000_000))
            assert await uow.items.get(item.id) == item
            await uow.commit()

    async def test_all_items_of_one_owner_are_deleted_and_counted(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        kept = await given_item(store, owner=bob)
        for _ in range(3):
            await given_item(store, owner=ada)
        async with store.unit_of_work() as uow:
            assert await uow.items.delete_all_of(ada.id) == 3
            assert await uow.items.delete_all_of(ada.id) == 0
            assert await uow.items.page(limit=10) == [kept]
            await uow.users.delete(ada)
            await uow.commit()

    async def test_all_items_of_one_owner_are_handed_over_and_counted(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        mine = [await given_item(store, owner=ada, attributes={"n": number}) for number in range(3)]
        async with store.unit_of_work() as uow:
            assert await uow.items.hand_over_all_of(ada.id, to=bob.id, at=uow.now) == 3
            assert await uow.items.hand_over_all_of(ada.id, to=bob.id, at=uow.now) == 0
            assert await uow.items.hand_over_all_of(ada.id, to=UserId(7_000_000), at=uow.now) == 0
            assert await uow.items.page(limit=10) == [
                replace(item, owner_id=bob.id, version=2, updated_at=uow.now) for item in reversed(mine)
            ]
            await uow.commit()

    async def test_what_no_user_can_be_called_is_not_found(self, store: Store) -> None:
        await given_user(store)
        async with store.unit_of_work() as uow:
            for nobody in ("", "nobody", "\0", "\ud800", "x" * 100_000, "' OR 1=1 --"):
                assert await uow.users.find(nobody) is None
                assert await uow.users.find_by_email(nobody) is None
            await uow.commit()

    async def test_active_admins_are_locked_in_the_order_of_their_ids(self, store: Store) -> None:
        await given_user(store)
        admins = [(await given_user(store, role=Role.ADMIN)).id for _ in range(3)]
        await given_user(store, role=Role.ADMIN, is_active=False)
        async with store.unit_of_work() as uow:
            assert await uow.users.lock_active_admins() == admins

    async def test_an_admin_who_is_locked_is_not_changed_until_the_unit_has_ended(self, store: Store) -> None:
        admin = await given_user(store, role=Role.ADMIN)

        async def rename() -> None:
            async with store.unit_of_work() as uow:
                await uow.users.save(replace(admin, username="renamed"))
                await uow.commit()

        async with store.unit_of_work() as uow:
            await uow.users.lock_active_admins()
            renaming = apart(rename())
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert (await uow.users.get(admin.id)).username == admin.username
            assert not renaming.done()
            await uow.commit()
        await renaming
        async with store.unit_of_work().reading() as uow:
            assert (await uow.users.get(admin.id)).username == "renamed"
