"""First light on every form; the contract suite says the rest."""

from steward.adapters.database.database import Database
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.service_layer import items, users


async def test_a_user_and_an_item_are_there_after_the_commit(store: MemoryDatabase | Database) -> None:
    uow = store.unit_of_work()
    ada = await users.register_user(uow, Actor.system(), username="ada", email="ada@example.org")
    box = await items.create_item(uow, Actor.of(ada), name="Box", quantity=3)
    assert await items.get_item(store.unit_of_work(), Actor.of(ada), item_id=box.id) == box
