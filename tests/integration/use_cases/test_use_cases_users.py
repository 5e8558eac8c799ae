"""What can be done with users, in every backend."""

from datetime import UTC
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import (
    EmailTaken,
    Forbidden,
    InvalidValue,
    StewardError,
    UsernameTaken,
    UserNotFound,
    VersionMismatch,
)
from steward.domain.users import MAX_ID, NewUser, PasswordHash, Role, UserId
from steward.service_layer import users

from tests.support.given import SYSTEM, Store, every_username, given_user

ABSENT = UserId(10**9)


# Register


async def test_a_registered_user_is_there_as_it_was_answered(store: Store) -> None:
    uow = store.unit_of_work()
    ada = await users.register_user(
        uow, SYSTEM, username="ａｄａ", email="Ada@Example.org", password_hash=PasswordHash("hash")
    )
    assert (ada.username, ada.email, ada.role, ada.is_active, ada.version) == (
        "ada",
        "Ada@Example.org",
        Role.MEMBER,
        True,
        1,
    )
    assert await users.get_user(uow, SYSTEM, user_id=ada.id) == ada
    async with uow.reading():
        assert await uow.users.find("ADA") == ada


async def test_both_times_of_a_new_user_are_one_utc_time_with_microseconds(store: Store) -> None:
    ada = await given_user(store, "ada")
    stored = await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)
    assert stored.created_at == stored.updated_at == ada.created_at
    assert stored.created_at.tzinfo is UTC
    assert stored.created_at.microsecond == ada.created_at.microsecond


async def test_anyone_registers_members_and_admins_alone_register_admins(store: Store) -> None:
    member = Actor.of(await given_user(store, "member"))
    uow = store.unit_of_work()
    assert (await users.register_user(uow, member, username="eve", email="eve@example.org")).role is Role.MEMBER
    with pytest.raises(Forbidden):
        await users.register_user(uow, member, username="bob", email="bob@example.org", role=Role.ADMIN)
    root = await users.register_user(uow, SYSTEM, username="root", email="root@example.org", role=Role.ADMIN)
    await users.register_user(uow, Actor.of(root), username="bob", email="bob@example.org", role=Role.ADMIN)
    assert await every_username(store) == ["member", "eve", "root", "bob"]


REFUSED: list[tuple[str, str, type[StewardError]]] = [
    ("ada", "new@example.org", UsernameTaken),
    ("ADA", "new@example.org", UsernameTaken),
    ("ａｄａ", "new@example.org", UsernameTaken),
    ("new", "ada@example.org", EmailTaken),
    ("new", "ADA@Example.org", EmailTaken),
    ("ada", "ada@example.org", UsernameTaken),
    # Both are taken, each by another: the name is reported all the same.
    ("bob", "ada@example.org", UsernameTaken),
    ("ada", "bob@example.org", UsernameTaken),
    ("a", "new@example.org", InvalidValue),
    ("new", "new", InvalidValue),
]


async def test_a_registration_that_cannot_be_says_why_and_stores_nothing(store: Store) -> None:
    await given_user(store, "ada")
    await given_user(store, "bob")
    for username, email, error in REFUSED:
        with pytest.raises(StewardError) as caught:
            await users.register_user(store.unit_of_work(), SYSTEM, username=username, email=email)
        assert type(caught.value) is error
        assert await every_username(store) == ["ada", "bob"]


REFUSED_TOGETHER: list[tuple[list[tuple[str, str]], type[StewardError]]] = [
    ([("new", "new"), ("ADA", "ada")], UsernameTaken),
    ([("bob", "ada")], UsernameTaken),
    ([("new", "ada"), ("ada", "bob")], EmailTaken),  # the first of them is the one that is told of
    ([("eve", "eve"), ("EVE", "EVE")], UsernameTaken),
    ([("eve", "eve"), ("joe", "joe"), ("eve", "joe")], UsernameTaken),
    ([("eve", "eve"), ("joe", "EVE"), ("ada", "ada")], EmailTaken),
    ([(f"user{n}", f"user{n}") for n in range(1_000)] + [("ada", "ada")], UsernameTaken),
]


async def test_of_many_new_users_the_first_that_cannot_be_says_why(store: Store) -> None:
    await given_user(store, "ada")
    await given_user(store, "bob")
    for added, error in REFUSED_TOGETHER:
        new = [NewUser.of(username=name, email=f"{email}@example.org") for name, email in added]
        async with store.unit_of_work() as uow:
            with pytest.raises(StewardError) as caught:
                await uow.users.add_many(new, at=uow.now)
        assert type(caught.value) is error
        assert await every_username(store) == ["ada", "bob"]


@pytest.mark.parametrize(
    ("taken", "variant"),
    [("straße", "STRASSE"), ("Ångström", "a\u030angstro\u0308m"), ("İzmir", "i\u0307ZMIR"), ("Σίσυφος", "σίσυφοσ")],
)
async def test_a_unicode_variant_of_a_name_is_the_same_user(store: Store, taken: str, variant: str) -> None:
    uow = store.unit_of_work()
    user = await users.register_user(uow, SYSTEM, username=taken, email="one@example.org")
    with pytest.raises(UsernameTaken):
        await users.register_user(uow, SYSTEM, username=variant, email="other@example.org")
    async with uow.reading():
        assert await uow.users.find(variant) == user


async def test_nobody_is_found_under_a_name_that_nobody_has(store: Store) -> None:
    await given_user(store, "ada")
    for username in ["nobody", "", "a\0b", "a\ud800b", "x" * 10_000, "'; --"]:
        async with store.unit_of_work().reading() as uow:
            assert await uow.users.find(username) is None
            assert await uow.users.find("ada") is not None, "the unit of work goes on"


async def test_an_id_is_never_given_twice_not_even_the_highest(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    uow = store.unit_of_work()
    assert await users.delete_user(uow, SYSTEM, user_id=bob.id)
    eve = await given_user(store, "eve")
    assert await users.delete_user(uow, SYSTEM, user_id=eve.id)
    assert await users.delete_user(uow, SYSTEM, user_id=ada.id)
    bob_again = await given_user(store, "bob")
    assert ada.id < bob.id < eve.id < bob_again.id


# Get


async def test_self_admin_and_system_see_a_user_and_others_do_not(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    root = await given_user(store, "root", role=Role.ADMIN)
    uow = store.unit_of_work()
    for actor in (Actor.of(ada), Actor.of(root), SYSTEM):
        assert await users.get_user(uow, actor, user_id=ada.id) == ada
    with pytest.raises(UserNotFound, match=f"User id {ada.id} not found"):
        await users.get_user(uow, Actor.of(bob), user_id=ada.id)


async def test_nobody_has_an_id_that_was_never_given(store: Store) -> None:
    for user_id in [ABSENT, 0, -1, MAX_ID, MAX_ID + 1, -(2**70), 2**70]:
        with pytest.raises(UserNotFound, match=f"User id {user_id} not found"):
            await users.get_user(store.unit_of_work(), SYSTEM, user_id=UserId(user_id))


# Update


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "lovelace"},
        {"username": "ADA"},  # the same name in another case is free for whoever has it
        {"email": "ADA@example.org"},
        {"email": "lovelace@example.org", "username": "lovelace"},
        {"role": Role.ADMIN, "is_active": False},
    ],
)
async def test_an_update_changes_what_is_given_and_counts_the_version(store: Store, changes: dict[str, Any]) -> None:
    ada = await given_user(store, "ada")
    uow = store.unit_of_work()
    updated = await users.update_user(uow, SYSTEM, user_id=ada.id, **changes)
    for field in ("username", "email", "role", "is_active"):
        assert getattr(updated, field) == changes.get(field, getattr(ada, field))
    assert (updated.version, updated.created_at) == (2, ada.created_at)
    assert updated.updated_at > ada.updated_at
    assert await users.get_user(uow, SYSTEM, user_id=ada.id) == updated


async def test_an_update_of_nothing_keeps_version_and_time(store: Store) -> None:
    ada = await given_user(store, "ada")
    uow = store.unit_of_work()
    assert await users.update_user(uow, SYSTEM, user_id=ada.id) == ada
    assert await users.update_user(uow, SYSTEM, user_id=ada.id, username="ada", is_active=True, version=1) == ada
    assert await users.get_user(uow, SYSTEM, user_id=ada.id) == ada


async def test_a_user_changes_name_and_address_but_neither_role_nor_activity(store: Store) -> None:
    ada = await given_user(store, "ada")
    me, uow = Actor.of(ada), store.unit_of_work()
    assert (await users.update_user(uow, me, user_id=ada.id, username="lovelace")).username == "lovelace"
    with pytest.raises(Forbidden):
        await users.update_user(uow, me, user_id=ada.id, role=Role.ADMIN)
    with pytest.raises(Forbidden):
        await users.update_user(uow, me, user_id=ada.id, is_active=False)


async def test_an_update_of_a_user_that_is_absent_or_not_yours_raises(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    uow = store.unit_of_work()
    with pytest.raises(UserNotFound):
        await users.update_user(uow, SYSTEM, user_id=ABSENT, username="lovelace")
    with pytest.raises(UserNotFound):
        await users.update_user(uow, Actor.of(bob), user_id=ada.id, username="lovelace")
    assert await every_username(store) == ["ada", "bob"]


REFUSED_CHANGES: list[tuple[dict[str, Any], type[StewardError]]] = [
    ({"username": "BOB"}, UsernameTaken),
    ({"email": "BOB@example.org"}, EmailTaken),
    ({"username": "bob", "email": "bob@example.org"}, UsernameTaken),
    ({"username": "bob", "email": "eve@example.org"}, UsernameTaken),
    ({"username": None}, InvalidValue),
    ({"email": None}, InvalidValue),
    ({"role": None}, InvalidValue),
    ({"is_active": None}, InvalidValue),
]


async def test_an_update_that_cannot_be_changes_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")
    await given_user(store, "bob")
    await given_user(store, "eve")
    uow = store.unit_of_work()
    for changes, error in REFUSED_CHANGES:
        with pytest.raises(error):
            await users.update_user(uow, SYSTEM, user_id=ada.id, **changes)
        assert await users.get_user(uow, SYSTEM, user_id=ada.id) == ada


async def test_an_update_from_a_version_that_is_gone_changes_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")
    uow = store.unit_of_work()
    updated = await users.update_user(uow, SYSTEM, user_id=ada.id, username="lovelace", version=1)
    for version in (1, 3):
        with pytest.raises(VersionMismatch):
            await users.update_user(uow, SYSTEM, user_id=ada.id, username="byron", version=version)
    assert await users.get_user(uow, SYSTEM, user_id=ada.id) == updated
