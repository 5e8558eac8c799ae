"""What waits for what on PostgreSQL, where many write at once. The other backends let one unit write at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context

import asyncpg
import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.domain.errors import UserOwnsItems
from steward.domain.items import Item, NewItem, ToItem
from steward.service_layer import items, users

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, every_item, every_username, given_item, given_user


@pytest_asyncio.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with Database(postgres_url, pool=PATIENT) as database:
        yield database


async def until_someone_waits(database: Database) -> None:
    """Return when a statement waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    connection = await connect(database)
    async with asyncio.timeout(60):
        while not await connection.fetchval(waiting):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
    await connection.close()


async def is_locked(database: Database, item: Item) -> bool:
    connection = await connect(database)
    try:
        await connection.execute(f"SELECT FROM items WHERE id = {item.id} FOR UPDATE NOWAIT")
    except asyncpg.LockNotAvailableError:
        return True
    finally:
        await connection.close()
    return False


async def connect(database: Database) -> asyncpg.Connection:
    return await asyncpg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False))


@pytest.mark.parametrize("to_the_older", [True, False])
async def test_a_transfer_writes_the_lower_id_first_whichever_way_it_goes(
    database: Database, to_the_older: bool
) -> None:
    """So two in opposite directions wait for each other at one row, instead of dead-locking."""
    ada = await given_user(database, "ada")
    older, newer = await given_item(database, ada, quantity=5), await given_item(database, ada, quantity=5)
    giver, taker = (newer, older) if to_the_older else (older, newer)
    async with database.unit_of_work() as uow:
        older.name = "Held"
        await uow.items.save(older)
        transfer = asyncio.create_task(
            items.transfer_item(database.unit_of_work(), SYSTEM, item_id=giver.id, to=ToItem(taker.id)),
            context=Context(),  # another request's: it stands in no block of ours
        )
        await until_someone_waits(database)
        assert await is_locked(database, older)
        assert not await is_locked(database, newer)
    await transfer
    assert sum(item.quantity for item in await every_item(database)) == 10


@pytest.mark.parametrize("how", ["refused", "delete", "transfer"])
async def test_the_deletion_of_a_user_waits_for_whoever_is_giving_the_user_an_item(
    database: Database, how: str
) -> None:
    """Else it would not see that item, and the database would refuse to delete its owner."""
    ada, heir = await given_user(database, "ada"), await given_user(database, "heir")
    ways = {
        "refused": lambda: users.delete_user(database.unit_of_work(), SYSTEM, user_id=ada.id),
        "delete": lambda: users.delete_user(database.unit_of_work(), SYSTEM, user_id=ada.id, delete_items=True),
        "transfer": lambda: users.delete_user(
            database.unit_of_work(), SYSTEM, user_id=ada.id, transfer_items_to=heir.id
        ),
    }
    async with database.unit_of_work() as uow:
        await uow.items.add(NewItem.of(owner_id=ada.id, name="Box"), at=uow.now)
        deletion = asyncio.create_task(ways[how](), context=Context())
        await until_someone_waits(database)
        await uow.commit()
    if how == "refused":
        with pytest.raises(UserOwnsItems):
            await deletion
        assert await every_username(database) == ["ada", "heir"]
        return
    assert await deletion is True
    assert await every_username(database) == ["heir"]
    assert [item.owner_id for item in await every_item(database)] == ([heir.id] if how == "transfer" else [])
