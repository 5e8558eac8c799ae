"""Whom a token stands for, in every backend."""

from datetime import timedelta

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import NotAuthenticated, StewardError, TokenExpired, TokenRevoked
from steward.domain.login_sessions import Lifetimes
from steward.domain.users import PasswordHash, Role
from steward.service_layer import login_sessions, users
from steward.service_layer.login_sessions import authenticate
from steward.service_layer.tokens import Tokens
from steward.testing import Clock, given_session

from tests.support.given import SYSTEM, Store, given_user
from tests.support.signed_in import refreshed, who_is


async def test_an_access_token_stands_for_its_user_and_session(store: Store) -> None:
    ada = await given_user(store, "ada", role=Role.ADMIN)
    session, tokens = await given_session(store, user=ada)
    assert await who_is(store, tokens) == Actor(ada.id, Role.ADMIN, session.id)


async def test_a_change_of_role_holds_from_the_next_use_on(store: Store) -> None:
    ada = await given_user(store, "ada")
    _, tokens = await given_session(store, user=ada)
    await users.update_user(store.unit_of_work(), SYSTEM, user_id=ada.id, role=Role.ADMIN)
    assert (await who_is(store, tokens)).role is Role.ADMIN


async def test_it_joins_a_block_that_reads_already(store: Store) -> None:
    ada = await given_user(store, "ada")
    _, tokens = await given_session(store, user=ada)
    async with store.unit_of_work().reading() as uow:
        actor = await authenticate(uow, access_token=tokens.access)
        assert await users.get_user(uow, actor, user_id=ada.id) == ada


GOOD = Tokens.draw()
PASSWORD = PasswordHash("hash")


RUBBISH: list[str] = [
    "",
    "rubbish",
    GOOD.refresh,
    GOOD.access[:-1],
    GOOD.access + "A",
    GOOD.access[:-1] + ("A" if GOOD.access[-1] != "A" else "B"),
    GOOD.access[:20] + ("A" if GOOD.access[20] != "A" else "B") + GOOD.access[21:],
    GOOD.access.upper(),
    " " + GOOD.access,
    "stwa_" + "é" * 49,
    "\0" * 54,
    "\ud800" * 54,
    "stwa_" * 100_000,
]


async def test_what_is_no_access_token_is_not_authenticated(store: Store) -> None:
    for rubbish in RUBBISH:
        with pytest.raises(NotAuthenticated) as caught:
            await authenticate(store.unit_of_work(), access_token=rubbish)
        assert type(caught.value) is NotAuthenticated
        assert rubbish == "" or rubbish not in str(caught.value)


async def test_a_refresh_token_does_not_authenticate(store: Store) -> None:
    _, tokens = await given_session(store)
    with pytest.raises(NotAuthenticated, match="not an access token"):
        await authenticate(store.unit_of_work(), access_token=tokens.refresh)


async def test_a_token_that_was_never_given_out_is_revoked(store: Store) -> None:
    with pytest.raises(TokenRevoked):
        await who_is(store, Tokens.draw())


@pytest.mark.parametrize("deed", ["deactivate", "delete", "end", "end all", "change the password", "reuse"])
async def test_what_ends_a_session_revokes_its_tokens_at_once(store: Store, deed: str) -> None:
    ada = await given_user(store, "ada")
    session, tokens = await given_session(store, user=ada)
    uow = store.unit_of_work()
    match deed:
        case "deactivate":
            await users.update_user(uow, SYSTEM, user_id=ada.id, is_active=False)
        case "delete":
            await users.delete_user(uow, SYSTEM, user_id=ada.id)
        case "end":
            await login_sessions.end_login_session(uow, Actor.of(ada), session_id=session.id)
        case "end all":
            await login_sessions.end_login_sessions_of(uow, SYSTEM, user_id=ada.id)
        case "change the password":
            await users.set_password(uow, SYSTEM, user_id=ada.id, password_hash=PASSWORD)
        case _:
            await refreshed(store, tokens)
            with pytest.raises(StewardError):
                await refreshed(store, tokens, grace=timedelta())
    with pytest.raises(TokenRevoked):
        await who_is(store, tokens)


async def test_a_session_that_outlived_a_deactivation_is_revoked_all_the_same(store: Store) -> None:
    ada = await given_user(store, "ada")
    _, tokens = await given_session(store, user=ada)
    async with store.unit_of_work() as uow:
        ada.change(at=uow.now, is_active=False)
        await uow.users.save(ada)
        await uow.commit()
    with pytest.raises(TokenRevoked):
        await who_is(store, tokens)


async def test_an_access_token_expires_and_what_was_forgotten_is_revoked(store: Store, clock: Clock) -> None:
    _, tokens = await given_session(store, lifetimes=Lifetimes(access=timedelta(seconds=90)))
    clock.advance(timedelta(seconds=90, microseconds=-1))
    await who_is(store, tokens)
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(TokenExpired):
        await who_is(store, tokens)
    clock.advance(days=1)
    await refreshed(store, tokens)
    with pytest.raises(TokenRevoked):
        await who_is(store, tokens)
