"""What every backend promises about units that run at the same time, and about ids, copies and times."""
# ruff: noqa: PT011 - these are tests, as those in tests/

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from ...domain.actors import Actor
from ...domain.errors import EmailTaken, ItemNotFound, UsernameTaken
from ...domain.filters import ItemFilter
from ...domain.items import NewItem
from ...domain.users import NewUser
from ...service_layer import items, retry, users
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_item, given_user
from .setting import Setting
from .steps import add, apart, names, names_in, new_item, register


class Isolation(Setting):
    @pytest.mark.usefixtures("readers_beside_the_writer")
    async def test_nobody_sees_what_another_has_not_committed(self, store: Store) -> None:
        item = await given_item(store, name="Box")
        before = await names(store)

        async def look() -> str:
            async with store.unit_of_work().reading() as uow:
                return (await uow.items.get(item.id)).name

        async with store.unit_of_work() as uow:
            await add(uow, "ada")
            await uow.items.save(replace(item, name="Lid"))
            assert await apart(look()) == "Box"
            assert await apart(names(store)) == before
            await uow.commit()
            assert await apart(look()) == "Lid"
            assert await apart(names(store)) == before | {"ada"}

    async def test_a_unit_sees_its_own_writes(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            ada = await add(uow, "ada")
            assert await uow.users.get(ada.id) == ada
            assert await uow.users.find("ADA") == ada
            assert not await uow.users.is_empty()
            box = await uow.items.add(new_item(ada), at=uow.now)
            assert await uow.items.page(ItemFilter(owner_id=ada.id), limit=10) == [box]
            await uow.items.delete(box)
            with pytest.raises(ItemNotFound):
                await uow.items.get(box.id)
            await uow.users.delete(ada)
            assert await uow.users.find("ada") is None

    async def test_a_commit_appears_whole(self, store: Store) -> None:
        pairs = 12
        done = asyncio.Event()

        async def write() -> None:
            for number in range(pairs):
                async with store.unit_of_work() as uow:
                    await add(uow, f"left-{number}")
                    await add(uow, f"right-{number}")
                    await uow.commit()
            done.set()

        writing = apart(write())
        while not done.is_set():
            async with store.unit_of_work().reading() as uow:
                seen = await names_in(uow)
            assert {name.replace("left", "right") for name in seen} == {name for name in seen if "right" in name}
            await asyncio.sleep(0)
        await writing
        assert len(await names(store)) == 2 * pairs

    async def test_of_units_that_want_the_same_name_one_gets_it(self, store: Store) -> None:
        results = await asyncio.gather(
            *(
                retry.run(
                    store.unit_of_work(),
                    users.register_user,
                    Actor.system(),
                    username=name,
                    email=f"{number}@example.org",
                )
                for number, name in enumerate(("Ada", "ADA", "ada", "aDa"))
            ),
            return_exceptions=True,
        )
        assert [type(result) for result in results if isinstance(result, Exception)] == [UsernameTaken] * 3
        assert len(await names(store)) == 1

    async def test_of_units_that_want_the_same_address_one_gets_it(self, store: Store) -> None:
        results = await asyncio.gather(
            *(
                retry.run(
                    store.unit_of_work(), users.register_user, Actor.system(), username=name, email="Same@example.org"
                )
                for name in ("ada", "bob", "cyd")
            ),
            return_exceptions=True,
        )
        assert [type(result) for result in results if isinstance(result, Exception)] == [EmailTaken] * 2

    async def test_a_name_is_free_again_when_the_unit_that_took_it_is_rolled_back(self, store: Store) -> None:
        taken, go_on = asyncio.Event(), asyncio.Event()

        async def take_and_let_go() -> None:
            async with store.unit_of_work() as uow:
                await add(uow, "ada")
                taken.set()
                await go_on.wait()

        holding = apart(take_and_let_go())
        await taken.wait()
        waiting = apart(register(store.unit_of_work(), "ada"))
        for _ in range(5):
            await asyncio.sleep(0)
        go_on.set()
        await holding
        assert (await waiting).username == "ada"

    async def test_if_name_and_address_are_both_taken_the_name_is_reported(self, store: Store) -> None:
        await given_user(store, username="ada", email="ada@example.org")
        await given_user(store, username="bob", email="bob@example.org")
        for username, email in (("ada", "ada@example.org"), ("ada", "bob@example.org"), ("bob", "ada@example.org")):
            async with store.unit_of_work() as uow:
                with pytest.raises(UsernameTaken):
                    await uow.users.add(NewUser.of(username=username, email=email), at=uow.now)

    async def test_ids_rise_and_are_never_given_twice(self, store: Store) -> None:
        seen_users: set[int] = set()
        seen_items: set[int] = set()
        for committed in (True, False, True, False, True):
            async with store.unit_of_work() as uow:
                user = await add(uow, "ada")
                item = await uow.items.add(new_item(user), at=uow.now)
                assert all(user.id > seen for seen in seen_users if committed)
                if committed:
                    assert item.id not in seen_items
                    seen_users.add(user.id)
                    seen_items.add(item.id)
                    await uow.commit()
            if committed:
                async with store.unit_of_work() as uow:
                    await uow.items.delete(item)
                    await uow.users.delete(user)
                    await uow.commit()
        assert len(seen_users) == len(seen_items) == 3

    async def test_what_comes_out_is_the_callers_own(self, store: Store) -> None:
        user = await given_user(store)
        item = await given_item(store, owner=user, attributes={"sizes": [1, 2], "label": {"de": "Kiste"}})

        async def look(uow: UnitOfWork) -> None:
            found = await uow.items.get(item.id)
            owned = await uow.items.get_with_owner(item.id)
            [listed] = await uow.items.page(limit=10)
            [listed_with_owner] = await uow.items.page_with_owner(limit=10)
            for seen in (found, owned.item, listed, listed_with_owner.item):
                assert seen.attributes == {"sizes": [1, 2], "label": {"de": "Kiste"}}
                seen.name = "changed"
                seen.attributes["sizes"].append(3)
                seen.attributes["label"]["de"] = "changed"
            person = await uow.users.get(user.id)
            assert person == user
            person.username = "changed"

        for _ in range(2):
            async with store.unit_of_work().reading() as uow:
                await look(uow)
                await look(uow)
            async with store.unit_of_work() as uow:
                await look(uow)
                await look(uow)
                await uow.commit()

    async def test_what_goes_in_stays_the_callers_own(self, store: Store) -> None:
        user = await given_user(store)
        attributes = {"sizes": [1, 2]}
        async with store.unit_of_work() as uow:
            new = NewItem.of(owner_id=user.id, name="Box", attributes=attributes)
            item = await uow.items.add(new, at=uow.now)
            attributes["sizes"].append(3)
            item.attributes["sizes"].append(4)
            stored = await uow.items.get(item.id)
            assert stored.attributes == {"sizes": [1, 2]}
            stored.attributes["sizes"].append(5)
            await uow.items.save(stored)
            stored.attributes["sizes"].append(6)
            assert (await uow.items.get(item.id)).attributes == {"sizes": [1, 2, 5]}
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            assert (await uow.items.get(item.id)).attributes == {"sizes": [1, 2, 5]}

    async def test_times_are_kept_to_the_microsecond_and_come_back_in_utc(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            now = uow.now
            user = await add(uow, "ada")
            item = await uow.items.add(new_item(user), at=now)
            await uow.commit()
        assert now.utcoffset() == timedelta(0)
        async with store.unit_of_work() as uow:
            for seen in (user, item, await uow.users.get(user.id), await uow.items.get(item.id)):
                assert (seen.created_at, seen.updated_at) == (now, now)
                assert seen.created_at.tzinfo is UTC
            later = now + timedelta(microseconds=1)
            item.change(at=later, quantity=2)
            await uow.items.save(item)
            await uow.commit()
        async with store.unit_of_work().reading() as uow:
            changed = await uow.items.get(item.id)
        assert (changed.created_at, changed.updated_at) == (now, later)

    async def test_a_time_without_a_zone_is_refused(self, store: Store, in_use: Callable[[], int]) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(Exception):  # noqa: B017 - each driver has its own
                await uow.users.add(
                    NewUser.of(username="ada", email="ada@example.org"), at=uow.now.replace(tzinfo=None)
                )
        assert in_use() == 0
        assert await names(store) == set()

    async def test_the_time_of_a_unit_is_drawn_once_and_anew_for_the_next(self, store: Store) -> None:
        uow = store.unit_of_work()
        async with uow:
            first = uow.now
            await asyncio.to_thread(lambda: None)
            assert uow.now == first
        async with uow.reading():
            assert uow.now > first

    async def test_the_sum_of_what_is_transferred_never_changes(self, store: Store) -> None:
        giver, taker = await given_user(store, username="giver"), await given_user(store, username="taker")
        box = await given_item(store, owner=giver, quantity=10)
        results = await asyncio.gather(
            *(
                items.transfer_item(
                    store.unit_of_work(), Actor.of(giver), item_id=box.id, to=taker.id, quantity=3, version=1
                )
                for _ in range(4)
            ),
            return_exceptions=True,
        )
        assert len([result for result in results if isinstance(result, Exception)]) == 3
        async with store.unit_of_work().reading() as uow:
            assert sum(item.quantity for item in await uow.items.page(limit=10)) == 10
