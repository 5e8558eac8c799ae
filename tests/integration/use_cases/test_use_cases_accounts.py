"""Signing up and changing a password, and their limits, in every backend."""

import asyncio
from typing import Any

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import (
    InvalidValue,
    NotAuthenticated,
    Overloaded,
    RateLimited,
    RegistrationClosed,
    TokenRevoked,
    UsernameTaken,
)
from steward.domain.users import Role
from steward.service_layer import users
from steward.service_layer.accounts import Accounts
from steward.testing import FastHasher, given_session

from tests.support.given import SYSTEM, Store, every_username, given_user
from tests.support.signed_in import who_is

from .accounts import PASSWORD, WRONG, FullHasher, accounts_with, given_account, sign_in, sign_up

NEW = "another fine password"


async def change_password(store: Store, accounts: Accounts, actor: Actor, current: str, new: str = NEW) -> None:
    await accounts.change_password(store.unit_of_work(), actor, current_password=current, new_password=new)


async def test_whoever_signs_up_can_sign_in(store: Store) -> None:
    accounts = accounts_with(FastHasher())
    ada = await sign_up(store, accounts, "ada")
    assert (ada.role, ada.is_active) == (Role.MEMBER, True)
    assert (await who_is(store, await sign_in(store, accounts, "ada", PASSWORD))).user_id == ada.id


async def test_where_registration_is_closed_admins_alone_add_users(store: Store) -> None:
    root, member = await given_user(store, "root", role=Role.ADMIN), await given_user(store, "member")
    accounts = accounts_with(hasher := FastHasher(), open_to_all=False)
    for actor in (Actor.anonymous(), Actor.of(member)):
        with pytest.raises(RegistrationClosed):
            await sign_up(store, accounts, "ada", actor=actor)
    assert hasher.calls == 0
    await sign_up(store, accounts, "ada", actor=Actor.of(root))
    assert await every_username(store) == ["root", "member", "ada"]


async def test_sign_ups_of_one_address_are_limited_whether_they_succeed_or_not(store: Store) -> None:
    accounts = accounts_with(hasher := FastHasher(), sign_up=2)
    await sign_up(store, accounts, "ada")
    with pytest.raises(UsernameTaken):
        await sign_up(store, accounts, "ADA")
    with pytest.raises(RateLimited) as caught:
        await sign_up(store, accounts, "bob")
    assert caught.value.limit == "sign-up"
    assert hasher.calls == 2
    root = Actor.of(await given_user(store, "root", role=Role.ADMIN))
    await sign_up(store, accounts, "bob", actor=root)
    assert await every_username(store) == ["ada", "root", "bob"]


async def test_a_sign_up_that_breaks_a_rule_is_neither_counted_nor_hashed(store: Store) -> None:
    accounts = accounts_with(hasher := FastHasher(), sign_up=1)
    for username in ("a", "a b", "\0", "a@b"):
        with pytest.raises(InvalidValue):
            await sign_up(store, accounts, username)
    assert hasher.calls == 0
    await sign_up(store, accounts, "ada")


async def test_a_sign_up_that_could_not_be_hashed_counts_for_nothing(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(Overloaded):
            await sign_up(store, accounts_with(FullHasher(), sign_up=1), "ada")
    await sign_up(store, accounts_with(FastHasher(), sign_up=1), "ada")


# Changing a password


async def test_a_new_password_replaces_the_old_and_ends_the_other_sessions(store: Store) -> None:
    ada = await given_account(store, "ada")
    _, other = await given_session(store, user=ada)
    _, mine = await given_session(store, user=ada)
    accounts = accounts_with(FastHasher(), sign_in=1, password=1)
    me = await who_is(store, mine)
    await change_password(store, accounts, me, PASSWORD)
    assert await who_is(store, mine) == me
    with pytest.raises(TokenRevoked):
        await who_is(store, other)
    await sign_in(store, accounts, "ada", NEW)
    await change_password(store, accounts, me, NEW, PASSWORD)  # what succeeds is not counted


async def test_wrong_current_passwords_are_refused_and_limited(store: Store) -> None:
    ada, bob = await given_account(store, "ada"), await given_account(store, "bob")
    accounts = accounts_with(hasher := FastHasher(), password=2)
    for _ in range(2):
        with pytest.raises(InvalidValue) as caught:
            await change_password(store, accounts, Actor.of(ada), WRONG)
        assert (caught.value.field, caught.value.rule) == ("current_password", "wrong_password")
    assert hasher.calls == 2
    with pytest.raises(RateLimited):
        await change_password(store, accounts, Actor.of(ada), PASSWORD)
    assert hasher.calls == 2
    await change_password(store, accounts, Actor.of(bob), PASSWORD)
    assert (await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)) == ada


@pytest.mark.parametrize("new", ["short", "x" * 129, "password123", "tab\tin the middle"])
async def test_a_new_password_that_breaks_a_rule_is_neither_counted_nor_hashed(store: Store, new: str) -> None:
    ada = await given_account(store, "ada")
    accounts = accounts_with(hasher := FastHasher(), password=1)
    with pytest.raises(InvalidValue):
        await change_password(store, accounts, Actor.of(ada), PASSWORD, new)
    assert hasher.calls == 0
    await change_password(store, accounts, Actor.of(ada), PASSWORD)


async def test_a_change_that_could_not_be_hashed_counts_for_nothing(store: Store) -> None:
    ada = await given_account(store, "ada")
    with pytest.raises(Overloaded):
        await change_password(store, accounts_with(FullHasher(), password=1), Actor.of(ada), PASSWORD)
    await change_password(store, accounts_with(FastHasher(), password=1), Actor.of(ada), PASSWORD)


@pytest.mark.parametrize("nobody", [Actor.anonymous(), SYSTEM])
async def test_who_is_no_user_has_no_password_to_change(store: Store, nobody: Any) -> None:
    with pytest.raises(NotAuthenticated):
        await change_password(store, accounts_with(FastHasher()), nobody, PASSWORD)


# Hashes made at another cost are renewed when somebody signs in.
OTHER_PARAMETERS = 2


async def test_all_who_sign_in_while_the_hash_is_renewed_are_let_in(store: Store) -> None:
    ada = await given_account(store, "ada")
    accounts = accounts_with(hasher := FastHasher(cost=OTHER_PARAMETERS), sign_in=4)
    for tokens in await asyncio.gather(*(sign_in(store, accounts, "ada", PASSWORD) for _ in range(4))):
        assert (await who_is(store, tokens)).user_id == ada.id
    renewed = (await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)).password_hash
    assert renewed == await hasher.hash(PASSWORD)
    await asyncio.gather(*(sign_in(store, accounts, "ada", PASSWORD) for _ in range(4)))  # each took its count back


async def test_a_password_is_changed_while_its_hash_is_renewed(store: Store) -> None:
    ada = await given_account(store, "ada")
    accounts = accounts_with(FastHasher(cost=OTHER_PARAMETERS))
    changed, _ = await asyncio.gather(
        change_password(store, accounts, Actor.of(ada), PASSWORD),
        sign_in(store, accounts, "ada", PASSWORD),
        return_exceptions=True,  # of the second, which may come too late
    )
    assert changed is None
    await sign_in(store, accounts, "ada", NEW)
