"""`steward.open`: Steward from plain Python, bound or composed in one transaction."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import steward
from sqlalchemy import text
from steward import Actor
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.config import ConfigurationError, load_settings
from steward.domain.errors import (
    AlreadyInTransaction,
    Conflict,
    DatabaseUnavailable,
    ItemNotFound,
    RegistrationClosed,
    SchemaOutOfDate,
    UserNotFound,
)
from steward.domain.filters import ItemFilter
from steward.domain.items import Item
from steward.domain.users import UserId
from steward.service_layer import items
from steward.service_layer.deadline import within
from steward.service_layer.unit_of_work import UnitOfWork

from tests.conftest import PATIENT

PASSWORD = "correct horse battery"


async def move_everything(uow: UnitOfWork, actor: Actor, *, to: str) -> int:
    """A use case of somebody who imports the service layer."""
    assert actor.user_id is not None
    async with uow:
        own = await uow.items.page(ItemFilter(owner_id=actor.user_id), limit=200)
        for item in own:
            await items.transfer_item(uow, actor, item_id=item.id, to=to)
        await uow.commit()
    return len(own)


async def test_use_cases_run_bound_composed_and_as_ones_own(database_url: str) -> None:
    async with steward.open(database_url, migrate=True) as app:
        ada = await app.users.register(Actor.system(), username="ada", email="ada@example.org", password=PASSWORD)
        bob = await app.users.register(Actor.system(), username="bob", email="bob@example.org", password=PASSWORD)
        me = Actor.of(ada)
        box = await app.items.create(me, name="Box", quantity=3)
        async with app.unit_of_work() as uow:
            lid = await items.create_item(uow, me, name="Lid")
            await items.transfer_item(uow, me, item_id=box.id, to="bob", quantity=1)
            await uow.commit()
        assert (await app.items.get(me, item_id=box.id)).quantity == 2
        assert (await app.items.get(me, item_id=lid.id)).owner_id == ada.id

        assert await app.run(move_everything, me, to="bob") == 2

        assert not (await app.items.list(me)).rows
        assert [item.name for item in await app.items.list(Actor.of(bob))] == ["Box", "Lid", "Box"]


async def test_a_composed_transaction_that_is_not_committed_leaves_nothing(database_url: str) -> None:
    async with steward.open(database_url, migrate=True) as app:
        ada = await app.users.register(Actor.system(), username="ada", email="ada@example.org", password=PASSWORD)
        async with app.unit_of_work() as uow:
            lid = await items.create_item(uow, Actor.of(ada), name="Lid")
        with pytest.raises(ItemNotFound):
            await app.items.get(Actor.of(ada), item_id=lid.id)


async def test_a_bound_function_inside_an_open_block_is_refused(database_url: str) -> None:
    async with steward.open(database_url, migrate=True) as app:
        ada = await app.users.register(Actor.system(), username="ada", email="ada@example.org", password=PASSWORD)
        async with app.unit_of_work():
            with pytest.raises(AlreadyInTransaction):
                await app.items.create(Actor.of(ada), name="Box")


async def test_run_repeats_a_use_case_that_lost_a_race_with_the_same_arguments_and_time(database_url: str) -> None:
    seen: list[tuple[int, datetime]] = []

    async def lose_twice(uow: UnitOfWork, actor: Actor, *, amount: int) -> int:
        async with uow:
            seen.append((amount, uow.now))
            if len(seen) < 3:
                raise Conflict
            await uow.commit()
        return amount

    async with steward.open(database_url, migrate=True) as app:
        assert await app.run(lose_twice, Actor.system(), amount=7) == 7
    assert len(seen) == 3
    assert len(set(seen)) == 1


async def test_thirty_parallel_increments_through_run_are_all_counted(database_url: str) -> None:
    async def increment(uow: UnitOfWork, actor: Actor, *, item: Item) -> None:
        async with uow:
            current = await uow.items.get(item.id)
            current.put(1, at=uow.now)
            await uow.items.save(current)
            await uow.commit()

    # A busy machine is no reason to give up.
    patient = load_settings(database_url=database_url, pool_timeout=60)
    async with within(60), steward.open(patient, migrate=True) as app:
        ada = await app.users.register(Actor.system(), username="ada", email="ada@example.org", password=PASSWORD)
        box = await app.items.create(Actor.of(ada), name="Box", quantity=0)
        await asyncio.gather(*(app.run(increment, Actor.of(ada), item=box) for _ in range(30)))
        assert (await app.items.get(Actor.of(ada), item_id=box.id)).quantity == 30


async def test_a_database_without_the_schema_is_refused_and_says_what_mends_it(tmp_path: Path) -> None:
    with pytest.raises(SchemaOutOfDate, match="steward db upgrade"):
        async with steward.open(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"):
            pass


async def test_settings_are_taken_as_well_as_a_url_and_no_secret_is_needed(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'new.db'}", hash_iterations=1)
    async with steward.open(settings, migrate=True) as app:
        assert not (await app.users.list(Actor.system())).rows


async def test_where_registration_is_closed_admins_alone_add_users(sqlite_url: str) -> None:
    new: Any = {"username": "ada", "email": "ada@example.org", "password": "correct horse"}
    async with steward.open(load_settings(database_url=sqlite_url, registration="closed", hash_memory=8)) as app:
        with pytest.raises(RegistrationClosed):
            await app.users.register(Actor.anonymous(), **new)
        assert (await app.users.register(Actor.system(), **new)).username == "ada"


async def test_an_unknown_driver_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="must begin with sqlite"):
        async with steward.open("mysql://localhost/steward"):
            pass


async def test_a_database_that_cannot_be_reached_says_so() -> None:
    with pytest.raises(DatabaseUnavailable):
        async with steward.open("postgresql+asyncpg://nobody@127.0.0.1:1/nothing"):
            pass


async def test_leaving_closes_the_pool(postgres_url: str) -> None:
    async with steward.open(postgres_url) as app:
        await app.users.list(Actor.system())
        with pytest.raises(UserNotFound):
            await app.users.get(Actor.system(), user_id=UserId(1))
    async with Database(postgres_url, pool=PATIENT) as other, other.engines.pools[0].connect() as connection:
        backends = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        async with asyncio.timeout(60):  # the server may need a moment to notice
            while (await connection.execute(backends)).scalar_one():
                await connection.rollback()  # within a transaction it shows the same all the time
                await asyncio.sleep(0.01)


async def test_opening_with_migrate_keeps_what_is_there(sqlite_url: str) -> None:
    async with steward.open(sqlite_url, migrate=True) as app:
        ada = await app.users.register(Actor.system(), username="ada", email="ada@example.org", password=PASSWORD)
    async with steward.open(sqlite_url, migrate=True) as app:
        assert await app.users.get(Actor.system(), user_id=ada.id) == ada
        assert await schema.current_revision(app.database) == schema.newest_revision()
