"""How strictly PostgreSQL keeps transactions apart: as the setting says."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import make_url, text
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import Conflict
from steward.domain.items import ItemId
from steward.service_layer import retry
from steward.service_layer.items import get_item
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import given_item, given_user

from tests.conftest import PATIENT
from tests.support.postgres import execute

from ..repositories.test_row_locks import until_someone_waits

SERIALIZABLE = replace(PATIENT, isolation="serializable")


async def isolation_of(database: Database, opener: str) -> str:
    async with getattr(database, opener)() as session:
        return str(await session.scalar(text("SHOW transaction_isolation")))


async def test_what_writes_is_serializable_where_the_setting_says_so(postgres_url: str) -> None:
    async with Database(postgres_url, pool=SERIALIZABLE) as database:
        assert await isolation_of(database, "session") == "serializable"
        async with database.unit_of_work().reading(snapshot=True) as uow:
            assert await uow.users.is_empty()
        assert await isolation_of(database, "session") == "serializable"


async def empty_mine(uow: UnitOfWork, actor: Actor, *, mine: ItemId, other: ItemId, looked: list[ItemId]) -> None:
    """Write skew: one of two items may be emptied while the other is not, and each looks at what the other changes."""
    async with uow:
        item, beside = await uow.items.get(mine), await uow.items.get(other)
        looked.append(mine)
        while len(set(looked)) < 2:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
        if beside.quantity > 0:
            item.take(1, at=uow.now)
            await uow.items.save(item)
        await uow.commit()


@pytest.mark.parametrize(("isolation", "left"), [("read_committed", 0), ("serializable", 1)])
async def test_write_skew_is_a_conflict_that_a_retry_settles(postgres_url: str, isolation: str, left: int) -> None:
    # `read_committed` leaves it to the server, which may have been told otherwise.
    await execute(postgres_url, f"ALTER DATABASE {make_url(postgres_url).database} RESET default_transaction_isolation")
    async with Database(postgres_url, pool=replace(PATIENT, isolation=isolation)) as database:
        ada = await given_user(database)
        one, two = [(await given_item(database, owner=ada, quantity=1)).id for _ in range(2)]
        looked: list[ItemId] = []

        async def empty(mine: ItemId, other: ItemId) -> None:
            uow = database.unit_of_work()
            await retry.run(uow, empty_mine, Actor.system(), mine=mine, other=other, looked=looked)

        await asyncio.gather(empty(one, two), empty(two, one))
        async with database.reader() as session:
            assert await session.scalar(text("SELECT sum(quantity) FROM items")) == left


async def test_a_conflict_that_shows_at_commit_is_one_too(postgres_url: str) -> None:
    async with Database(postgres_url, pool=SERIALIZABLE) as database:
        async with database.session() as session:
            await session.execute(text("CREATE TABLE doctors (on_call boolean)"))
            await session.execute(text("INSERT INTO doctors VALUES (true), (true)"))
        gate = asyncio.Barrier(2)

        async def leave(ctid: str) -> str:
            try:
                async with database.session() as session:
                    await session.execute(text("SELECT count(*) FROM doctors WHERE on_call"))
                    await session.execute(text(f"UPDATE doctors SET on_call = false WHERE ctid = '{ctid}'"))
                    await gate.wait()
            except Conflict:
                return "conflict"
            return "left"

        assert sorted(await asyncio.gather(leave("(0,1)"), leave("(0,2)"))) == ["conflict", "left"]


@pytest.mark.parametrize("express", [True, False])
async def test_a_read_that_the_server_refuses_is_done_again(postgres_url: str, express: bool) -> None:
    """The read-only anomaly, where the server makes everything serializable: the writer has read what another has
    changed since, and the reader would see the other's change, but not the writer's."""
    name = make_url(postgres_url).database
    await execute(postgres_url, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    async with Database(postgres_url, pool=PATIENT, express=express) as database:
        ada = await given_user(database)
        box = await given_item(database, owner=ada, quantity=1)
        writer = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        await writer.execute(f"BEGIN; SELECT FROM users WHERE id = {ada.id}")
        await execute(postgres_url, f"UPDATE users SET version = version + 1 WHERE id = {ada.id}")
        await writer.execute(f"UPDATE items SET quantity = 2 WHERE id = {box.id}; LOCK TABLE items")
        reading = asyncio.create_task(get_item(database.unit_of_work(), Actor.system(), item_id=box.id))
        await until_someone_waits(database)  # it has its snapshot already
        await writer.execute("COMMIT")
        await writer.close()
        assert (await reading).quantity == 2
