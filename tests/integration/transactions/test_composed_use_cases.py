"""Use cases composed in one transaction lose no update: what was read first is what a write is made from.

On PostgreSQL alone another unit can commit between two reads of a writing unit: the other backends let one write at a
time.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

import pytest
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import Conflict
from steward.domain.items import Item, ItemId
from steward.service_layer import items, lists, users
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import given_item, given_user

from tests.conftest import PATIENT

SYSTEM = Actor.system()


async def add_one(uow: UnitOfWork, actor: Actor, *, item_id: ItemId) -> None:
    """Reads through one use case, and writes through another, which reads again."""
    async with uow:
        item = await items.get_item(uow, actor, item_id=item_id)
        await items.update_item(uow, actor, item_id=item_id, quantity=item.quantity + 1)
        await uow.commit()


@pytest.mark.promise(8)
async def test_thirty_composed_increments_are_all_counted(database: Database) -> None:
    box = await given_item(database, quantity=0)
    await asyncio.gather(*(run(database.unit_of_work(), add_one, SYSTEM, item_id=box.id) for _ in range(30)))
    assert (await items.get_item(database.unit_of_work(), SYSTEM, item_id=box.id)).quantity == 30


async def changed_by_another(database: Database, item: Item) -> None:
    """By a task of its own: this one stands in a block already."""

    async def change() -> None:
        await items.update_item(database.unit_of_work(), SYSTEM, item_id=item.id, name="theirs")

    await in_a_context_of_its_own(change())


async def in_a_context_of_its_own(work: Coroutine[Any, Any, None]) -> None:
    await Context().run(asyncio.get_running_loop().create_task, work)


@pytest.mark.promise(8)
@pytest.mark.parametrize("read", ["get_item", "get_item_with_owner", "list_items", "list_items_with_owner"])
async def test_a_write_made_from_an_older_read_is_a_conflict(postgres_url: str, read: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        box = await given_item(database, quantity=1)
        arguments = {"item_id": box.id} if read.startswith("get") else {}
        uow = database.unit_of_work()
        with pytest.raises(Conflict):
            async with uow:
                await getattr(items if read.startswith("get") else lists, read)(uow, SYSTEM, **arguments)
                await changed_by_another(database, box)
                await items.update_item(uow, SYSTEM, item_id=box.id, quantity=2)
        stored = await items.get_item(uow, SYSTEM, item_id=box.id)
        assert (stored.name, stored.quantity) == ("theirs", 1)


@pytest.mark.promise(8)
async def test_a_delete_of_what_has_changed_since_it_was_read_is_a_conflict(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        box = await given_item(database)
        uow = database.unit_of_work()
        with pytest.raises(Conflict):
            async with uow:
                await items.get_item(uow, SYSTEM, item_id=box.id)
                await changed_by_another(database, box)
                await items.delete_item(uow, SYSTEM, item_id=box.id)
        assert await items.get_item(uow, SYSTEM, item_id=box.id)


@pytest.mark.promise(8)
async def test_a_user_who_has_changed_since_they_were_read_is_a_conflict(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        ada = await given_user(database)

        async def rename() -> None:
            await users.update_user(database.unit_of_work(), SYSTEM, user_id=ada.id, username="theirs")

        uow = database.unit_of_work()
        with pytest.raises(Conflict):
            async with uow:
                await users.get_user(uow, SYSTEM, user_id=ada.id)
                await in_a_context_of_its_own(rename())
                await users.update_user(uow, SYSTEM, user_id=ada.id, email="mine@example.org")


@pytest.mark.promise(8)
async def test_a_change_to_what_is_there_already_is_no_less_made_from_an_older_read(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        box = await given_item(database)
        uow = database.unit_of_work()
        with pytest.raises(Conflict):
            async with uow:
                await items.get_item(uow, SYSTEM, item_id=box.id)
                await changed_by_another(database, box)
                await items.update_item(uow, SYSTEM, item_id=box.id, name="theirs")


async def test_two_reads_outside_a_writing_block_may_differ(server_url: str) -> None:
    async with Database(server_url, pool=PATIENT) as database:
        box = await given_item(database)
        uow = database.unit_of_work()
        async with uow.reading():
            await items.get_item(uow, SYSTEM, item_id=box.id)
            await changed_by_another(database, box)
            assert (await items.get_item(uow, SYSTEM, item_id=box.id)).name == "theirs"


@pytest.mark.promise(8)
async def test_ones_own_writes_are_no_conflict(database: Database) -> None:
    ada, bob = await given_user(database), await given_user(database)
    box = await given_item(database, owner=ada, quantity=1)
    uow = database.unit_of_work()
    async with uow:
        await items.get_item(uow, SYSTEM, item_id=box.id)
        await items.update_item(uow, SYSTEM, item_id=box.id, quantity=2)
        await uow.items.hand_over_all_of(ada.id, to=bob.id, at=uow.now)
        await items.update_item(uow, SYSTEM, item_id=box.id, quantity=3)
        await uow.commit()
    assert (await items.get_item(uow, SYSTEM, item_id=box.id)).version == 4


@pytest.mark.promise(8)
async def test_what_a_savepoint_has_undone_may_be_written_again(database: Database) -> None:
    box = await given_item(database, quantity=1)
    uow = database.unit_of_work()
    async with uow:
        with pytest.raises(ZeroDivisionError):
            async with uow.savepoint():
                await items.update_item(uow, SYSTEM, item_id=box.id, quantity=2)
                raise ZeroDivisionError
        await items.update_item(uow, SYSTEM, item_id=box.id, quantity=3)
        await uow.commit()
    stored = await items.get_item(uow, SYSTEM, item_id=box.id)
    assert (stored.quantity, stored.version) == (3, 2)
