"""What a test begins with: users and items, in whichever backend."""

from typing import Any

from steward import testing
from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.items import Item
from steward.domain.users import Role, User
from steward.service_layer import items, lists

Store = MemoryDatabase | Database

SYSTEM = Actor.system()


async def given_user(store: Store, username: str, *, role: Role = Role.MEMBER, is_active: bool = True) -> User:
    return await testing.given_user(store, username=username, role=role, is_active=is_active)


async def given_item(store: Store, owner: User, **fields: Any) -> Item:
    return await items.create_item(store.unit_of_work(), Actor.of(owner), **{"name": "Box", **fields})


async def every_item(store: Store) -> list[Item]:
    """All there are, the oldest first."""
    return (await lists.list_items(store.unit_of_work(), SYSTEM, sort="id", limit=10_000)).rows


async def every_username(store: Store) -> list[str]:
    """All there are, the oldest first."""
    return [user.username for user in await lists.list_users(store.unit_of_work(), SYSTEM, sort="id", limit=10_000)]
