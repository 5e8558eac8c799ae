"""At least one active admin always remains, in every backend."""

from collections.abc import Awaitable, Callable

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import LastAdmin, VersionMismatch
from steward.domain.users import Role, User
from steward.service_layer import lists, users
from steward.service_layer.unit_of_work import UnitOfWork

from tests.support.given import SYSTEM, Store, given_item, given_user

Change = Callable[[UnitOfWork, Actor, User], Awaitable[object]]

WAYS: dict[str, Change] = {
    "role": lambda uow, actor, user: users.update_user(uow, actor, user_id=user.id, role=Role.MEMBER),
    "is_active": lambda uow, actor, user: users.update_user(uow, actor, user_id=user.id, is_active=False),
    "both": lambda uow, actor, user: users.update_user(
        uow, actor, user_id=user.id, role=Role.MEMBER, is_active=False, username="other"
    ),
    "delete": lambda uow, actor, user: users.delete_user(uow, actor, user_id=user.id),
}


async def active_admins(store: Store) -> list[str]:
    everyone = await lists.list_users(store.unit_of_work(), SYSTEM, limit=200)
    return [user.username for user in everyone if user.is_active_admin]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["the admin", "the system"])
async def test_the_last_active_admin_stays_one(store: Store, way: str, who: str) -> None:
    root = await given_user(store, "root", role=Role.ADMIN)
    await given_user(store, "member")
    await given_user(store, "retired", role=Role.ADMIN, is_active=False)
    with pytest.raises(LastAdmin):
        await WAYS[way](store.unit_of_work(), Actor.of(root) if who == "the admin" else SYSTEM, root)
    assert await users.get_user(store.unit_of_work(), SYSTEM, user_id=root.id) == root


@pytest.mark.parametrize("way", WAYS)
async def test_of_two_active_admins_one_may_go(store: Store, way: str) -> None:
    root, other = await given_user(store, "root", role=Role.ADMIN), await given_user(store, "heir", role=Role.ADMIN)
    await WAYS[way](store.unit_of_work(), Actor.of(root), root)
    assert await active_admins(store) == ["heir"]
    with pytest.raises(LastAdmin):
        await WAYS[way](store.unit_of_work(), SYSTEM, other)


@pytest.mark.parametrize("way", WAYS)
async def test_an_admin_who_is_not_active_may_go_and_so_may_members(store: Store, way: str) -> None:
    await given_user(store, "root", role=Role.ADMIN)
    retired = await given_user(store, "retired", role=Role.ADMIN, is_active=False)
    await WAYS[way](store.unit_of_work(), SYSTEM, retired)
    member = await given_user(store, "member")
    await users.delete_user(store.unit_of_work(), SYSTEM, user_id=member.id)
    assert await active_admins(store) == ["root"]


async def test_the_last_admin_changes_what_takes_no_admin_away(store: Store) -> None:
    root = await given_user(store, "root", role=Role.ADMIN)
    uow = store.unit_of_work()
    await users.update_user(uow, Actor.of(root), user_id=root.id, username="other", role=Role.ADMIN, is_active=True)
    assert await active_admins(store) == ["other"]


async def test_the_last_admin_is_not_deleted_with_the_items_either(store: Store) -> None:
    root, heir = await given_user(store, "root", role=Role.ADMIN), await given_user(store, "heir")
    box = await given_item(store, root)
    uow = store.unit_of_work()
    with pytest.raises(LastAdmin):
        await users.delete_user(uow, SYSTEM, user_id=root.id, delete_items=True)
    with pytest.raises(LastAdmin):
        await users.delete_user(uow, SYSTEM, user_id=root.id, transfer_items_to=heir.id)
    async with uow.reading():
        assert await uow.items.get(box.id) == box


async def test_a_version_that_is_gone_is_told_before_the_last_admin(store: Store) -> None:
    root = await given_user(store, "root", role=Role.ADMIN)
    with pytest.raises(VersionMismatch):
        await users.update_user(store.unit_of_work(), SYSTEM, user_id=root.id, role=Role.MEMBER, version=7)
