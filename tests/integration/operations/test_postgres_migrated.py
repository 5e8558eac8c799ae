"""A migration under a running server: what its connections have prepared before is not valid any more."""

import asyncpg
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.users import User, UserId
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import given_user

from tests.conftest import PATIENT


async def _look(uow: UnitOfWork, _: Actor, *, user_id: UserId) -> User:
    async with uow:
        return await uow.users.get(user_id)


async def test_a_column_that_a_migration_changes_fails_nobody(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        ada = await given_user(database)
        uow = database.unit_of_work()
        assert await run(uow, _look, Actor.system(), user_id=ada.id) == ada
        other = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        await other.execute("ALTER TABLE users ALTER version TYPE integer")
        await other.close()
        assert await run(uow, _look, Actor.system(), user_id=ada.id) == ada
