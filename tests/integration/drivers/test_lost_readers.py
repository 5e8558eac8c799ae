"""What a reading block loses is lost for all: on the express lane SQLAlchemy does not see it, and has to be told."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import event, make_url
from steward.adapters.database.database import Database
from steward.domain.errors import DeadlineExceeded, ItemNotFound
from steward.domain.items import ItemId

from tests.conftest import PATIENT
from tests.support.proxy import Proxy

SIZE = 3


async def look(database: Database, gate: asyncio.Barrier) -> None:
    async with database.unit_of_work().reading() as uow:
        with pytest.raises(ItemNotFound):
            await uow.items.get(ItemId(1))
        await gate.wait()


async def look_side_by_side(database: Database) -> None:
    gate = asyncio.Barrier(SIZE)
    await asyncio.gather(*(look(database, gate) for _ in range(SIZE)))


async def test_a_reader_without_an_answer_has_all_connections_replaced_that_are_as_old(postgres_url: str) -> None:
    """Each of them would be waited for as long. The pool asks whether they live only after they have idled for long;
    here never."""
    url = make_url(postgres_url)
    assert url.host is not None
    assert url.port is not None
    async with Proxy(url.host, url.port).open() as proxy:
        through_it = url.set(port=proxy.port).render_as_string(hide_password=False)
        pool = replace(PATIENT, size=SIZE, statement=2.0, ping=3600)
        async with Database(through_it, pool=pool) as database:
            connected: list[object] = []
            event.listen(database.engines.pools[0].sync_engine, "connect", lambda *_: connected.append(None))
            await look_side_by_side(database)
            await look_side_by_side(database)
            assert len(connected) == SIZE

            proxy.is_swallowing = True
            with pytest.raises(DeadlineExceeded):
                await look(database, asyncio.Barrier(1))
            proxy.is_swallowing = False
            await asyncio.sleep(0.6)  # a silent server is asked again every half second
            await look_side_by_side(database)
            assert len(connected) == 2 * SIZE
            assert database.checked_out() == 0
