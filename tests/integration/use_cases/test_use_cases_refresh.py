"""Refresh tokens: rotation, the moment of grace, and reuse, in every backend."""

from datetime import timedelta

import pytest
from steward.domain.actors import Actor
from steward.domain.errors import InvalidCredentials, TokenRevoked
from steward.service_layer import users
from steward.service_layer.login_sessions import list_login_sessions
from steward.service_layer.tokens import Tokens
from steward.testing import Clock, given_session

from tests.support.given import SYSTEM, Store, given_user
from tests.support.signed_in import GRACE, refreshed, who_is

INSTANT = timedelta(microseconds=1)
NONE = timedelta()


async def refused(store: Store, tokens: Tokens, *, grace: timedelta = GRACE) -> None:
    with pytest.raises(InvalidCredentials):
        await refreshed(store, tokens, grace=grace)


async def test_a_refresh_token_is_exchanged_for_a_new_pair_of_the_same_session(store: Store, clock: Clock) -> None:
    session, first = await given_session(store)
    clock.advance(hours=1)
    second = await refreshed(store, first)
    assert (await who_is(store, second)).session_id == session.id
    third = await refreshed(store, second)
    assert (await who_is(store, third)).session_id == session.id
    (now,) = await list_login_sessions(store.unit_of_work(), SYSTEM, user_id=session.user_id)
    assert (now.id, now.created_at) == (session.id, session.created_at)
    assert now.refreshed_at == clock()
    assert now.expires_at == session.expires_at + timedelta(hours=1)


async def test_a_lost_answer_signs_nobody_out(store: Store, clock: Clock) -> None:
    """The client has not got the new pair, and sends the old token again."""
    _, first = await given_session(store)
    await refreshed(store, first)
    clock.advance(GRACE - INSTANT)
    again = await refreshed(store, first)
    await who_is(store, again)
    await refreshed(store, again)


async def test_the_grace_is_counted_from_the_exchange_and_not_from_the_last_answer(store: Store, clock: Clock) -> None:
    _, first = await given_session(store)
    await refreshed(store, first)
    clock.advance(GRACE / 2)
    again = await refreshed(store, first)
    clock.advance(GRACE / 2)
    await refused(store, first)
    with pytest.raises(TokenRevoked):
        await who_is(store, again)


async def test_a_token_whose_successor_was_used_ends_the_family_even_at_once(store: Store, clock: Clock) -> None:
    session, first = await given_session(store)
    second = await refreshed(store, first)
    third = await refreshed(store, second)
    await refused(store, first)
    for tokens in (first, second, third):
        with pytest.raises(TokenRevoked):
            await who_is(store, tokens)
        await refused(store, tokens)
    assert await list_login_sessions(store.unit_of_work(), SYSTEM, user_id=session.user_id) == []


@pytest.mark.parametrize(("grace", "later"), [(GRACE, GRACE), (GRACE, timedelta(days=1)), (NONE, NONE)])
async def test_reuse_after_the_grace_ends_this_family_alone(
    store: Store, clock: Clock, grace: timedelta, later: timedelta
) -> None:
    ada = await given_user(store, "ada")
    _, stolen = await given_session(store, user=ada)
    kept, other = await given_session(store, user=ada)
    second = await refreshed(store, stolen)
    clock.advance(later)
    await refused(store, stolen, grace=grace)
    await refused(store, second)
    assert [session.id for session in await list_login_sessions(store.unit_of_work(), Actor.of(ada))] == [kept.id]
    await refreshed(store, other)


async def test_of_two_answers_in_the_grace_both_are_good_until_one_is_used(store: Store, clock: Clock) -> None:
    _, first = await given_session(store)
    one, two = await refreshed(store, first), await refreshed(store, first)
    await who_is(store, one)
    await who_is(store, two)
    three = await refreshed(store, one)
    await who_is(store, two)
    await refused(store, first)
    with pytest.raises(TokenRevoked):
        await who_is(store, three)


async def test_an_access_token_refreshes_nothing_and_harms_nothing(store: Store) -> None:
    _, tokens = await given_session(store)
    await refused(store, Tokens(tokens.access, tokens.access))
    await who_is(store, tokens)
    await refreshed(store, tokens)


UNKNOWN: list[str] = ["", "rubbish", Tokens.draw().refresh, "stwr_" + "\ud800" * 49, "\0"]


async def test_what_is_no_known_refresh_token_is_refused(store: Store) -> None:
    _, tokens = await given_session(store)
    for unknown in UNKNOWN:
        await refused(store, Tokens(tokens.access, unknown))
        await who_is(store, tokens)


async def test_a_refresh_token_expires(store: Store, clock: Clock) -> None:
    session, tokens = await given_session(store)
    clock.set(session.expires_at - INSTANT)
    other = await refreshed(store, tokens)
    clock.set(session.expires_at)
    await refused(store, tokens)
    await refreshed(store, other)


async def test_an_exchanged_token_that_has_expired_ends_nothing(store: Store, clock: Clock) -> None:
    """Whoever finds one in an old backup must not be able to sign its owner out."""
    session, first = await given_session(store)
    clock.set(session.expires_at - INSTANT)
    second = await refreshed(store, first)
    clock.set(session.expires_at + timedelta(hours=1))
    await refused(store, first)
    await refreshed(store, second)


async def test_a_user_who_is_not_active_refreshes_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")
    _, tokens = await given_session(store, user=ada)
    async with store.unit_of_work() as uow:  # past the use case, which would end the session
        ada.change(at=uow.now, is_active=False)
        await uow.users.save(ada)
        await uow.commit()
    await refused(store, tokens)
    await users.update_user(store.unit_of_work(), SYSTEM, user_id=ada.id, is_active=True)
    await refreshed(store, tokens)


async def test_the_sessions_of_a_user_who_was_deactivated_stay_ended(store: Store) -> None:
    ada = await given_user(store, "ada")
    _, tokens = await given_session(store, user=ada)
    for is_active in (False, True):
        await users.update_user(store.unit_of_work(), SYSTEM, user_id=ada.id, is_active=is_active)
    await refused(store, tokens)
