"""What becomes of a user's items when the user is deleted, in every backend."""

from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import (
    InvalidValue,
    StewardError,
    UnknownRecipient,
    UserNotFound,
    UserOwnsItems,
    VersionMismatch,
)
from steward.domain.users import Role, UserId
from steward.service_layer import lists, users

from tests.support.given import SYSTEM, Store, every_item, every_username, given_item, given_user

ABSENT = UserId(10**9)


async def test_delete_says_whether_there_was_someone_to_delete(store: Store) -> None:
    ada = await given_user(store, "ada")
    uow = store.unit_of_work()
    assert await users.delete_user(uow, SYSTEM, user_id=ada.id) is True
    assert await users.delete_user(uow, SYSTEM, user_id=ada.id) is False
    assert await users.delete_user(uow, SYSTEM, user_id=UserId(2**70)) is False
    with pytest.raises(UserNotFound):
        await users.get_user(uow, SYSTEM, user_id=ada.id)


async def test_self_and_admin_delete_a_user_and_for_others_there_is_none(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    root = await given_user(store, "root", role=Role.ADMIN)
    uow = store.unit_of_work()
    assert await users.delete_user(uow, Actor.of(bob), user_id=ada.id) is False
    assert await every_username(store) == ["ada", "bob", "root"]
    assert await users.delete_user(uow, Actor.of(ada), user_id=ada.id) is True
    assert await users.delete_user(uow, Actor.of(root), user_id=bob.id) is True
    assert await every_username(store) == ["root"]


async def test_the_name_of_a_deleted_user_is_free_again(store: Store) -> None:
    ada = await given_user(store, "ada")
    await users.delete_user(store.unit_of_work(), SYSTEM, user_id=ada.id)
    assert (await given_user(store, "ada")).id != ada.id


async def test_a_user_with_items_is_not_deleted_unless_it_is_said_what_becomes_of_them(store: Store) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(store, ada)
    with pytest.raises(UserOwnsItems, match=f"User id {ada.id} still owns items"):
        await users.delete_user(store.unit_of_work(), SYSTEM, user_id=ada.id)
    assert await every_username(store) == ["ada"]
    assert await every_item(store) == [box]


async def test_the_items_are_deleted_with_the_user_and_nobody_elses(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    await given_item(store, ada)
    kept = await given_item(store, bob)
    await given_item(store, ada)
    assert await users.delete_user(store.unit_of_work(), Actor.of(ada), user_id=ada.id, delete_items=True)
    assert await every_item(store) == [kept]
    assert await every_username(store) == ["bob"]


async def test_the_items_go_to_another_user_and_are_changed_by_that(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box, lid = await given_item(store, ada, name="Box", quantity=3), await given_item(store, ada, name="Lid")
    own = await given_item(store, bob, name="Own")
    uow = store.unit_of_work()
    assert await users.delete_user(uow, Actor.of(ada), user_id=ada.id, transfer_items_to=bob.id)
    after = await every_item(store)
    assert [(item.id, item.owner_id, item.quantity, item.version) for item in after] == [
        (box.id, bob.id, 3, 2),
        (lid.id, bob.id, 1, 2),
        (own.id, bob.id, 1, 1),
    ]
    assert after[0].updated_at == after[1].updated_at > box.updated_at
    assert after[0].created_at == box.created_at
    assert after[2] == own
    assert (await lists.list_items(uow, Actor.of(bob), sort="id")).rows == after


@pytest.mark.parametrize("recipient", ["absent", "inactive", "the user itself"])
async def test_items_go_to_another_active_user_alone(store: Store, recipient: str) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob", is_active=False)
    box = await given_item(store, ada)
    to = {"absent": ABSENT, "inactive": bob.id, "the user itself": ada.id}[recipient]
    with pytest.raises(UnknownRecipient):
        await users.delete_user(store.unit_of_work(), SYSTEM, user_id=ada.id, transfer_items_to=to)
    assert await every_username(store) == ["ada", "bob"]
    assert await every_item(store) == [box]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"delete_items": True, "transfer_items_to": 1}, InvalidValue),
        ({"version": 2}, VersionMismatch),
        ({"version": 2, "delete_items": True}, VersionMismatch),
    ],
)
async def test_a_deletion_that_cannot_be_deletes_nothing(
    store: Store, arguments: dict[str, Any], error: type[StewardError]
) -> None:
    ada = await given_user(store, "ada")
    box = await given_item(store, ada)
    with pytest.raises(error):
        await users.delete_user(store.unit_of_work(), SYSTEM, user_id=ada.id, **arguments)
    assert await every_username(store) == ["ada"]
    assert await every_item(store) == [box]


async def test_a_user_is_deleted_from_the_version_that_was_seen(store: Store) -> None:
    ada = await given_user(store, "ada")
    assert await users.delete_user(store.unit_of_work(), SYSTEM, user_id=ada.id, version=ada.version)


async def test_deletion_and_what_comes_after_it_are_undone_together(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    box = await given_item(store, ada)
    uow = store.unit_of_work()
    async with uow:
        await users.delete_user(uow, SYSTEM, user_id=ada.id, transfer_items_to=bob.id)
        assert [item.owner_id for item in await uow.items.page(limit=5)] == [bob.id]
    assert await every_username(store) == ["ada", "bob"]
    assert await every_item(store) == [box]
