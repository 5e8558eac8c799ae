"""What can be done with items, in every backend."""

from datetime import UTC
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.attributes import as_json
from steward.domain.errors import Forbidden, InvalidValue, ItemNotFound, StewardError, UnknownOwner, VersionMismatch
from steward.domain.items import MAX_QUANTITY, ItemId, OwnedItem
from steward.domain.users import MAX_ID, Owner, Role, UserId
from steward.service_layer import items

from tests.support.given import SYSTEM, Store, every_item, given_item, given_user

ABSENT = ItemId(10**9)

ODD_ATTRIBUTES = {
    "z": 1,
    "a": [1.0, True, 1, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 2**53 - 1, -(2**53) + 1],
    "Ω": {"m": None, "b": "\t\r\n\u2028\x80🐘 \\ \"'", "": {}},
    "10": [],
    "2": "numbers as names keep their places",
}


# Create


async def test_a_created_item_is_there_as_it_was_answered(store: Store) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(
        store, ada, name="Box", description="Oak\n\u00a0🐘", quantity=MAX_QUANTITY, attributes=ODD_ATTRIBUTES
    )
    assert (box.owner_id, box.version, box.created_at) == (ada.id, 1, box.updated_at)
    stored = await items.get_item(store.unit_of_work(), Actor.of(ada), item_id=box.id)
    assert stored == box
    assert stored.created_at.tzinfo is UTC


async def test_attributes_come_back_with_the_order_and_the_digits_that_were_sent(store: Store) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(store, ada, attributes=ODD_ATTRIBUTES)
    stored = await items.get_item(store.unit_of_work(), SYSTEM, item_id=box.id)
    assert as_json(stored.attributes) == as_json(box.attributes) == as_json(ODD_ATTRIBUTES)


async def test_an_item_is_one_without_description_and_attributes_unless_said_otherwise(store: Store) -> None:
    box = await given_item(store, await given_user(store, "ada"))
    assert (box.description, box.quantity, box.attributes) == (None, 1, {})


async def test_what_the_caller_does_to_an_answer_changes_nothing_that_is_stored(store: Store) -> None:
    given: dict[str, Any] = {"tags": ["a"]}
    box = await given_item(store, await given_user(store, "ada"), attributes=given)
    given["tags"].append("b")
    box.attributes["tags"].append("c")
    assert (await every_item(store))[0].attributes == {"tags": ["a"]}


async def test_admins_create_items_for_others_and_members_do_not(store: Store) -> None:
    ada, root = await given_user(store, "ada"), await given_user(store, "root", role=Role.ADMIN)
    uow = store.unit_of_work()
    for actor in (Actor.of(ada), Actor.of(root), SYSTEM):
        assert (await items.create_item(uow, actor, name="Box", owner_id=ada.id)).owner_id == ada.id
    assert (await items.create_item(uow, Actor.of(root), name="Box")).owner_id == root.id
    with pytest.raises(Forbidden):
        await items.create_item(uow, Actor.of(ada), name="Box", owner_id=root.id)
    with pytest.raises(InvalidValue) as caught:
        await items.create_item(uow, SYSTEM, name="Box")
    assert (caught.value.field, caught.value.rule) == ("owner_id", "missing")


async def test_an_owner_that_does_not_exist_is_refused(store: Store) -> None:
    for owner_id in [10**9, 0, -1, MAX_ID, 2**70]:
        with pytest.raises(UnknownOwner, match=f"User id {owner_id} not found"):
            await items.create_item(store.unit_of_work(), SYSTEM, name="Box", owner_id=UserId(owner_id))
    assert await every_item(store) == []


async def test_an_id_is_never_given_twice_not_even_the_highest(store: Store) -> None:
    ada = await given_user(store, "ada")
    first, second = await given_item(store, ada), await given_item(store, ada)
    uow = store.unit_of_work()
    assert await items.delete_item(uow, SYSTEM, item_id=second.id)
    assert await items.delete_item(uow, SYSTEM, item_id=first.id)
    assert (await given_item(store, ada)).id > second.id > first.id


# Get


async def test_owner_admin_and_system_see_an_item_and_others_do_not(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    root = await given_user(store, "root", role=Role.ADMIN)
    box = await given_item(store, ada)
    uow = store.unit_of_work()
    for actor in (Actor.of(ada), Actor.of(root), SYSTEM):
        assert await items.get_item(uow, actor, item_id=box.id) == box
        owned = await items.get_item_with_owner(uow, actor, item_id=box.id)
        assert owned == OwnedItem(box, Owner(ada.id, "ada"))
    for get in (items.get_item, items.get_item_with_owner):
        with pytest.raises(ItemNotFound, match=f"Item id {box.id} not found"):
            await get(uow, Actor.of(bob), item_id=box.id)


async def test_no_item_has_an_id_that_was_never_given(store: Store) -> None:
    for item_id in [ABSENT, 0, -1, MAX_ID, MAX_ID + 1, 2**70]:
        for get in (items.get_item, items.get_item_with_owner):
            with pytest.raises(ItemNotFound, match=f"Item id {item_id} not found"):
                await get(store.unit_of_work(), SYSTEM, item_id=ItemId(item_id))


# Update


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "Lid"}, {"name": "Lid"}),
        ({"description": None}, {"description": None}),
        ({"description": ""}, {"description": ""}),
        ({"quantity": 0}, {"quantity": 0}),
        ({"attributes": {"b": None, "c": [True]}}, {"attributes": {"a": {"x": 1}, "c": [True]}}),
        ({"attributes": {"a": {"x": True}}}, {"attributes": {"a": {"x": True}, "b": 2}}),
    ],
)
async def test_an_update_changes_what_is_given_and_counts_the_version(
    store: Store, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(store, ada, description="Oak", quantity=3, attributes={"a": {"x": 1}, "b": 2})
    uow = store.unit_of_work()
    updated = await items.update_item(uow, Actor.of(ada), item_id=box.id, **changes)
    for field in ("owner_id", "name", "description", "quantity", "attributes", "created_at"):
        assert repr(getattr(updated, field)) == repr(expected.get(field, getattr(box, field)))
    assert updated.version == 2
    assert updated.updated_at > box.updated_at
    stored = await items.get_item(uow, SYSTEM, item_id=box.id)
    assert stored == updated
    assert as_json(stored.attributes) == as_json(updated.attributes)


async def test_an_update_of_nothing_keeps_version_and_time(store: Store) -> None:
    box = await given_item(store, await given_user(store, "ada"), attributes={"a": 1})
    uow = store.unit_of_work()
    assert await items.update_item(uow, SYSTEM, item_id=box.id) == box
    assert await items.update_item(uow, SYSTEM, item_id=box.id, name="Box", attributes={"a": 1}, version=1) == box
    assert await every_item(store) == [box]


REFUSED_CHANGES: list[tuple[dict[str, Any], type[StewardError]]] = [
    ({"name": None}, InvalidValue),
    ({"quantity": None}, InvalidValue),
    ({"attributes": None}, InvalidValue),
    ({"quantity": MAX_QUANTITY + 1}, InvalidValue),
    ({"attributes": {"a": float("inf")}}, InvalidValue),
    ({"name": "Lid", "version": 2}, VersionMismatch),
    ({"version": 2}, VersionMismatch),
]


async def test_an_update_that_cannot_be_changes_nothing(store: Store) -> None:
    box = await given_item(store, await given_user(store, "ada"), attributes={"a": 1})
    for changes, error in REFUSED_CHANGES:
        with pytest.raises(error):
            await items.update_item(store.unit_of_work(), SYSTEM, item_id=box.id, **changes)
        assert await every_item(store) == [box]


async def test_an_update_of_an_item_that_is_absent_or_not_yours_raises(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box = await given_item(store, ada)
    uow = store.unit_of_work()
    with pytest.raises(ItemNotFound):
        await items.update_item(uow, SYSTEM, item_id=ABSENT, name="Lid")
    with pytest.raises(ItemNotFound):
        await items.update_item(uow, Actor.of(bob), item_id=box.id, name="Lid")
    assert await every_item(store) == [box]


# Delete


async def test_delete_says_whether_there_was_something_to_delete(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box = await given_item(store, ada)
    uow = store.unit_of_work()
    assert await items.delete_item(uow, Actor.of(bob), item_id=box.id) is False
    with pytest.raises(VersionMismatch):
        await items.delete_item(uow, Actor.of(ada), item_id=box.id, version=2)
    assert await every_item(store) == [box]
    assert await items.delete_item(uow, Actor.of(ada), item_id=box.id, version=1) is True
    assert await items.delete_item(uow, Actor.of(ada), item_id=box.id) is False
    assert await items.delete_item(uow, SYSTEM, item_id=ItemId(2**70)) is False
    assert await every_item(store) == []
