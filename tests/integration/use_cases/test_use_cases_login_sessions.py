"""Sessions: how they begin, who sees them, and what ends them, in every backend."""

from datetime import timedelta

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import (
    InvalidCredentials,
    InvalidValue,
    LoginSessionNotFound,
    NotAuthenticated,
    PasswordReplaced,
    TokenRevoked,
    UserNotFound,
)
from steward.domain.login_sessions import MOST_OF_A_USER, Client, Lifetimes, LoginSessionId
from steward.domain.users import PasswordHash, Role, User, UserId
from steward.service_layer import login_sessions, users
from steward.service_layer.tokens import Tokens
from steward.testing import Clock, given_session

from tests.support.given import SYSTEM, Store, given_user
from tests.support.signed_in import refreshed, who_is

OLD, NEW = PasswordHash("old"), PasswordHash("new")


async def begin(store: Store, user: User, *, rehashed: PasswordHash | None = None) -> Tokens:
    tokens = Tokens.draw()
    await login_sessions.begin_login_session(
        store.unit_of_work(),
        Actor.anonymous(),
        user=user,
        tokens=tokens,
        lifetimes=Lifetimes(),
        client=Client("192.0.2.7", "Firefox"),
        rehashed=rehashed,
    )
    return tokens


async def with_password(store: Store, user: User) -> User:
    await users.set_password(store.unit_of_work(), SYSTEM, user_id=user.id, password_hash=OLD)
    return await users.get_user(store.unit_of_work(), SYSTEM, user_id=user.id)


async def test_a_session_begins_with_what_the_client_tells_of_itself(store: Store, clock: Clock) -> None:
    ada = await given_user(store, "ada")
    tokens = await begin(store, ada)
    (session,) = await login_sessions.list_login_sessions(store.unit_of_work(), Actor.of(ada))
    assert (session.user_id, session.user_agent, session.address) == (ada.id, "Firefox", "192.0.2.7")
    assert session.created_at == session.refreshed_at == clock()
    assert session.expires_at == clock() + timedelta(days=30)
    assert (await who_is(store, tokens)).session_id == session.id


@pytest.mark.parametrize("meanwhile", ["deactivated", "deleted", "another password"])
async def test_no_session_begins_for_a_user_who_has_changed_since_the_password_was_verified(
    store: Store, meanwhile: str
) -> None:
    ada = await with_password(store, await given_user(store, "ada"))
    uow = store.unit_of_work()
    match meanwhile:
        case "deactivated":
            await users.update_user(uow, SYSTEM, user_id=ada.id, is_active=False)
        case "deleted":
            await users.delete_user(uow, SYSTEM, user_id=ada.id)
        case _:
            await users.set_password(uow, SYSTEM, user_id=ada.id, password_hash=NEW)
    with pytest.raises(InvalidCredentials):
        await begin(store, ada)
    assert await login_sessions.list_login_sessions(uow, SYSTEM, user_id=ada.id) == []


async def test_another_change_of_the_user_meanwhile_is_no_hindrance(store: Store) -> None:
    ada = await with_password(store, await given_user(store, "ada"))
    await users.update_user(store.unit_of_work(), SYSTEM, user_id=ada.id, username="lovelace")
    await who_is(store, await begin(store, ada))


async def test_a_password_that_was_hashed_anew_is_stored_and_ends_no_session(store: Store) -> None:
    ada = await with_password(store, await given_user(store, "ada"))
    before = await begin(store, ada)
    after = await begin(store, ada, rehashed=NEW)
    stored = await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)
    assert stored.password_hash == NEW
    assert stored.version == ada.version + 1
    await who_is(store, before)
    await who_is(store, after)


async def test_the_hundred_and_first_session_ends_the_one_that_was_unused_for_longest(
    store: Store, clock: Clock
) -> None:
    ada = await given_user(store, "ada")
    begun = []
    for _ in range(MOST_OF_A_USER):
        clock.advance(seconds=1)
        begun.append(await begin(store, ada))
    clock.advance(seconds=1)
    begun[0] = await refreshed(store, begun[0])
    newest = await begin(store, ada)
    with pytest.raises(TokenRevoked):
        await who_is(store, begun[1])
    for tokens in (begun[0], begun[2], begun[-1], newest):
        await who_is(store, tokens)
    assert len(await login_sessions.list_login_sessions(store.unit_of_work(), Actor.of(ada))) == MOST_OF_A_USER


# Who sees and ends them


async def test_sessions_are_seen_and_ended_by_their_user_and_the_system_alone(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    root = await given_user(store, "root", role=Role.ADMIN)
    one, two = await given_session(store, user=ada), await given_session(store, user=ada)
    uow = store.unit_of_work()
    assert await login_sessions.list_login_sessions(uow, Actor.of(ada)) == [two[0], one[0]]
    assert await login_sessions.list_login_sessions(uow, SYSTEM, user_id=ada.id) == [two[0], one[0]]
    assert await login_sessions.list_login_sessions(uow, Actor.of(bob)) == []
    for stranger in (Actor.of(bob), Actor.of(root)):
        with pytest.raises(UserNotFound):
            await login_sessions.list_login_sessions(uow, stranger, user_id=ada.id)
        with pytest.raises(LoginSessionNotFound, match=f"Session id {one[0].id} not found"):
            await login_sessions.end_login_session(uow, stranger, session_id=one[0].id)
        with pytest.raises(UserNotFound):
            await login_sessions.end_login_sessions_of(uow, stranger, user_id=ada.id)
    with pytest.raises(NotAuthenticated):
        await login_sessions.list_login_sessions(uow, Actor.anonymous())
    with pytest.raises(InvalidValue, match="say whose"):
        await login_sessions.list_login_sessions(uow, SYSTEM)
    await login_sessions.end_login_session(uow, Actor.of(ada), session_id=one[0].id)
    await login_sessions.end_login_session(uow, SYSTEM, session_id=two[0].id)
    assert await login_sessions.list_login_sessions(uow, Actor.of(ada)) == []


@pytest.mark.parametrize("session_id", [0, -1, 10**9, 2**63, -(2**70)])
async def test_a_session_that_is_not_there_cannot_be_ended(store: Store, session_id: int) -> None:
    with pytest.raises(LoginSessionNotFound):
        await login_sessions.end_login_session(store.unit_of_work(), SYSTEM, session_id=LoginSessionId(session_id))


async def test_all_sessions_end_but_the_one_that_asks(store: Store) -> None:
    ada = await given_user(store, "ada")
    others = [(await given_session(store, user=ada))[1] for _ in range(2)]
    _, mine = await given_session(store, user=ada)
    me = await who_is(store, mine)
    assert await login_sessions.end_login_sessions_of(store.unit_of_work(), me, user_id=ada.id) == 2
    for tokens in others:
        with pytest.raises(TokenRevoked):
            await who_is(store, tokens)
    assert await who_is(store, mine) == me
    assert await login_sessions.end_login_sessions_of(store.unit_of_work(), SYSTEM, user_id=ada.id) == 1
    with pytest.raises(UserNotFound):
        await login_sessions.end_login_sessions_of(store.unit_of_work(), SYSTEM, user_id=UserId(10**9))


# Passwords


async def test_a_new_password_ends_every_session_but_the_one_that_asks(store: Store) -> None:
    ada, bob = await with_password(store, await given_user(store, "ada")), await given_user(store, "bob")
    _, other = await given_session(store, user=ada)
    _, mine = await given_session(store, user=ada)
    _, bobs = await given_session(store, user=bob)
    me = await who_is(store, mine)
    await users.set_password(store.unit_of_work(), me, user_id=ada.id, password_hash=NEW, instead_of=OLD)
    with pytest.raises(TokenRevoked):
        await who_is(store, other)
    await who_is(store, mine)
    await who_is(store, bobs)


async def test_a_password_that_was_replaced_meanwhile_is_not_replaced_again(store: Store) -> None:
    ada = await with_password(store, await given_user(store, "ada"))
    _, tokens = await given_session(store, user=ada)
    with pytest.raises(PasswordReplaced):
        await users.set_password(
            store.unit_of_work(), Actor.of(ada), user_id=ada.id, password_hash=NEW, instead_of=PasswordHash("older")
        )
    await who_is(store, tokens)


async def test_nobody_sets_anothers_password_but_the_system(store: Store) -> None:
    ada, root = await given_user(store, "ada"), await given_user(store, "root", role=Role.ADMIN)
    for actor in (Actor.of(root), Actor.anonymous()):
        with pytest.raises(UserNotFound):
            await users.set_password(store.unit_of_work(), actor, user_id=ada.id, password_hash=NEW)
    await users.set_password(store.unit_of_work(), SYSTEM, user_id=ada.id, password_hash=NEW)
    assert (await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)).password_hash == NEW
