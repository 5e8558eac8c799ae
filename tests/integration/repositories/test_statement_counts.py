"""What the use cases cost, in statements and round trips. None costs more for more rows."""

from collections.abc import Awaitable, Callable

import pytest
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.items import NewItem, ToItem
from steward.domain.users import Role
from steward.service_layer import items, lists, users
from steward.service_layer.unit_of_work import UnitOfWork

from tests.support.given import SYSTEM, given_item, given_user
from tests.support.statements import cost_of


async def test_two_hundred_items_with_their_owners_cost_what_one_costs(database: Database) -> None:
    owners = [await given_user(database, f"user{number}") for number in range(10)]
    await given_item(database, owners[0])
    one = await cost_of(database, lambda uow: lists.list_items_with_owner(uow, SYSTEM, limit=200))
    async with database.unit_of_work() as uow:
        await uow.items.add_many([NewItem.of(owner_id=owners[n % 10].id, name="Box") for n in range(199)], at=uow.now)
        await uow.commit()
    many = await cost_of(database, lambda uow: lists.list_items_with_owner(uow, SYSTEM, limit=200))
    assert many.sent == one.sent
    assert many.shape == ["SELECT"]
    assert len(await lists.list_items_with_owner(database.unit_of_work(), SYSTEM, limit=200)) == 200


async def test_a_read_is_one_statement_and_one_round_trip(database: Database) -> None:
    ada = await given_user(database, "ada")
    box = await given_item(database, ada)
    reads: list[Callable[[UnitOfWork], Awaitable[object]]] = [
        lambda uow: users.get_user(uow, SYSTEM, user_id=ada.id),
        lambda uow: lists.list_users(uow, SYSTEM),
        lambda uow: items.get_item(uow, SYSTEM, item_id=box.id),
        lambda uow: items.get_item_with_owner(uow, SYSTEM, item_id=box.id),
        lambda uow: lists.list_items(uow, SYSTEM),
        lambda uow: lists.list_items(uow, SYSTEM, owner_id=ada.id, q="b", sort="-name", after=("Z", 1)),
    ]
    for read in reads:
        assert (await cost_of(database, read)).shape == ["SELECT"]


async def test_a_page_with_its_count_is_two_statements_in_one_snapshot(database: Database) -> None:
    await given_item(database, await given_user(database, "ada"))
    reads: list[Callable[[UnitOfWork], Awaitable[object]]] = [
        lambda uow: lists.list_users(uow, SYSTEM, count=True),
        lambda uow: lists.list_items(uow, SYSTEM, count=True),
        lambda uow: lists.list_items_with_owner(uow, SYSTEM, count=True),
    ]
    for read in reads:
        assert (await cost_of(database, read)).shape == ["BEGIN", "SELECT", "SELECT", "ROLLBACK"]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("create an item", ["BEGIN", "INSERT", "COMMIT"]),
        # The SELECT finds out whether name or address is taken; the INSERT would not say both.
        ("register a user", ["BEGIN", "SELECT", "INSERT", "COMMIT"]),
        ("update a user", ["BEGIN", "SELECT", "SELECT", "UPDATE", "COMMIT"]),
        ("update an item", ["BEGIN", "SELECT", "UPDATE", "COMMIT"]),
        ("update nothing", ["BEGIN", "SELECT", "COMMIT"]),
        ("delete an item", ["BEGIN", "SELECT", "DELETE", "COMMIT"]),
        ("delete nothing", ["BEGIN", "SELECT", "ROLLBACK"]),
        ("split", ["BEGIN", "SELECT", "SELECT", "UPDATE", "INSERT", "COMMIT"]),
        ("pour", ["BEGIN", "SELECT", "SELECT", "UPDATE", "UPDATE", "COMMIT"]),
        ("deactivate a user", ["BEGIN", "SELECT", "SELECT", "UPDATE", "DELETE", "COMMIT"]),
        # The second SELECT locks the active admins.
        ("demote an admin", ["BEGIN", "SELECT", "SELECT", "SELECT", "UPDATE", "COMMIT"]),
        # The second SELECT locks the user, who is no admin: active admins are locked before.
        ("delete a user with many items", ["BEGIN", "SELECT", "SELECT", "DELETE", "DELETE", "COMMIT"]),
        ("hand many items over", ["BEGIN", "SELECT", "SELECT", "SELECT", "UPDATE", "DELETE", "COMMIT"]),
    ],
)
async def test_a_write_costs_so_much(database: Database, name: str, shape: list[str]) -> None:
    ada, bob = await given_user(database, "ada"), await given_user(database, "bob")
    box, lid = await given_item(database, ada, quantity=3), await given_item(database, ada)
    root = [await given_user(database, f"root{number}", role=Role.ADMIN) for number in range(2)][1]
    writes: dict[str, Callable[[UnitOfWork], Awaitable[object]]] = {
        "deactivate a user": lambda uow: users.update_user(uow, SYSTEM, user_id=ada.id, is_active=False),
        "demote an admin": lambda uow: users.update_user(uow, SYSTEM, user_id=root.id, role=Role.MEMBER),
        "create an item": lambda uow: items.create_item(uow, SYSTEM, name="Box", owner_id=ada.id),
        "register a user": lambda uow: users.register_user(uow, SYSTEM, username="eve", email="eve@example.org"),
        "update a user": lambda uow: users.update_user(uow, SYSTEM, user_id=ada.id, username="lovelace"),
        "update an item": lambda uow: items.update_item(uow, SYSTEM, item_id=box.id, name="Crate"),
        "update nothing": lambda uow: items.update_item(uow, SYSTEM, item_id=box.id, name="Box"),
        "delete an item": lambda uow: items.delete_item(uow, SYSTEM, item_id=box.id),
        "delete nothing": lambda uow: items.delete_item(uow, Actor.of(bob), item_id=box.id),
        "split": lambda uow: items.transfer_item(uow, SYSTEM, item_id=box.id, to="bob", quantity=1),
        "pour": lambda uow: items.transfer_item(uow, SYSTEM, item_id=box.id, to=ToItem(lid.id), quantity=1),
        "delete a user with many items": lambda uow: users.delete_user(uow, SYSTEM, user_id=ada.id, delete_items=True),
        "hand many items over": lambda uow: users.delete_user(uow, SYSTEM, user_id=ada.id, transfer_items_to=bob.id),
    }
    assert (await cost_of(database, writes[name])).shape == shape


async def test_a_snapshot_costs_a_transaction_and_a_savepoint_two_round_trips(database: Database) -> None:
    box = await given_item(database, await given_user(database, "ada"))

    async def look_twice(uow: UnitOfWork) -> None:
        async with uow.reading(snapshot=True):
            await uow.items.get(box.id)
            await uow.items.get(box.id)

    async def try_something(uow: UnitOfWork) -> None:
        async with uow:
            async with uow.savepoint():
                await uow.items.get(box.id)
            await uow.commit()

    assert (await cost_of(database, look_twice)).shape == ["BEGIN", "SELECT", "SELECT", "ROLLBACK"]
    trial = await cost_of(database, try_something)
    assert trial.shape == ["BEGIN", "SAVEPOINT", "SELECT", "RELEASE", "COMMIT"]
    assert (trial.round_trips, len(trial.statements)) == (5, 1)
