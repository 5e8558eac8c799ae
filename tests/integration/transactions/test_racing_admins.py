"""Admins who take each other away: two `Database` objects write, as two processes do."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import LastAdmin
from steward.domain.users import Role, User
from steward.service_layer import users
from steward.service_layer.retry import run

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, Store, given_user
from tests.support.signed_in import outcomes


@pytest_asyncio.fixture
async def stores(server_url: str) -> AsyncIterator[tuple[Database, Database]]:
    async with Database(server_url, pool=PATIENT) as one, Database(server_url, pool=PATIENT) as other:
        yield one, other


AWAY: dict[str, Callable[[Store, User, User], Coroutine[Any, Any, object]]] = {
    "demotions": lambda store, actor, user: run(
        store.unit_of_work(), users.update_user, Actor.of(actor), user_id=user.id, role=Role.MEMBER
    ),
    "deactivations": lambda store, actor, user: run(
        store.unit_of_work(), users.update_user, Actor.of(actor), user_id=user.id, is_active=False
    ),
    "deletions": lambda store, actor, user: run(
        store.unit_of_work(), users.delete_user, Actor.of(actor), user_id=user.id
    ),
}


@pytest.mark.parametrize("way", AWAY)
async def test_of_two_admins_who_take_each_other_away_one_remains(stores: tuple[Database, Database], way: str) -> None:
    """Fifty times; the last one standing meets the next."""
    remaining = await given_user(stores[0], "root", role=Role.ADMIN)
    for number in range(50):
        pair = [remaining, await given_user(stores[0], f"rival-{number}", role=Role.ADMIN)]
        results = await outcomes(*(AWAY[way](stores[n], pair[n], pair[1 - n]) for n in (0, 1)))
        (refused,) = (result for result in results if isinstance(result, BaseException))
        assert isinstance(refused, LastAdmin), refused
        async with stores[0].unit_of_work() as uow:
            (admin,) = await uow.users.lock_active_admins()
        assert admin == pair[1 - results.index(refused)].id, "whoever was not refused has taken the other away"
        remaining = await users.get_user(stores[0].unit_of_work(), SYSTEM, user_id=admin)
