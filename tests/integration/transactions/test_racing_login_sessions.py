"""Sessions while others change them: two `Database` objects write, as two processes do."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import InvalidCredentials, PasswordReplaced, TokenRevoked
from steward.domain.login_sessions import Client, Lifetimes, LoginSession
from steward.domain.users import PasswordHash, User
from steward.service_layer import users
from steward.service_layer.login_sessions import begin_login_session, end_login_session, list_login_sessions
from steward.service_layer.retry import run
from steward.service_layer.tokens import Tokens
from steward.testing import given_session

from tests.conftest import PATIENT
from tests.support.given import SYSTEM, Store, given_user
from tests.support.signed_in import GRACE, outcomes, refreshed, who_is

ROUNDS = 20
OLD, NEW = PasswordHash("old"), PasswordHash("new")
NONE = timedelta()


@pytest_asyncio.fixture
async def stores(server_url: str) -> AsyncIterator[tuple[Database, Database]]:
    async with Database(server_url, pool=PATIENT) as one, Database(server_url, pool=PATIENT) as other:
        yield one, other


async def sessions_of(store: Store, user: User) -> list[LoginSession]:
    return await list_login_sessions(store.unit_of_work(), SYSTEM, user_id=user.id)


async def test_of_racing_refreshes_in_the_grace_each_gets_tokens_of_the_one_family(
    stores: tuple[Database, Database],
) -> None:
    ada = await given_user(stores[0], "ada")
    session, tokens = await given_session(stores[0], user=ada)
    for _ in range(ROUNDS):
        pairs = await outcomes(*(refreshed(stores[number % 2], tokens, grace=GRACE * 100) for number in range(4)))
        for pair in pairs:
            assert isinstance(pair, Tokens), pair
            assert (await who_is(stores[0], pair)).session_id == session.id
        assert [each.id for each in await sessions_of(stores[0], ada)] == [session.id]
        tokens = pairs[2]


async def test_of_racing_refreshes_without_grace_one_wins_and_another_ends_the_family(
    stores: tuple[Database, Database],
) -> None:
    ada = await given_user(stores[0], "ada")
    for _ in range(ROUNDS):
        _, tokens = await given_session(stores[0], user=ada)
        pairs = await outcomes(*(refreshed(store, tokens, grace=NONE) for store in stores))
        assert sorted(type(pair).__name__ for pair in pairs) == ["InvalidCredentials", "Tokens"], pairs
        assert await sessions_of(stores[0], ada) == []
        (won,) = (pair for pair in pairs if isinstance(pair, Tokens))
        with pytest.raises(TokenRevoked):
            await who_is(stores[1], won)


@pytest.mark.parametrize("exchanged_before", [False, True])
async def test_a_refresh_that_races_the_end_of_its_session_does_not_bring_it_back(
    stores: tuple[Database, Database], exchanged_before: bool
) -> None:
    ada = await given_user(stores[0], "ada")
    for _ in range(ROUNDS):
        session, tokens = await given_session(stores[0], user=ada)
        if exchanged_before:
            await refreshed(stores[0], tokens)
        pair, ended = await outcomes(
            refreshed(stores[0], tokens),
            run(stores[1].unit_of_work(), end_login_session, Actor.of(ada), session_id=session.id),
        )
        assert ended is None
        assert isinstance(pair, Tokens | InvalidCredentials), pair
        assert await sessions_of(stores[0], ada) == []


async def sign_in(store: Store, user: User) -> LoginSession:
    return await run(
        store.unit_of_work(),
        begin_login_session,
        Actor.anonymous(),
        user=user,
        tokens=Tokens.draw(),
        lifetimes=Lifetimes(),
        client=Client(),
    )


ENDINGS: dict[str, Callable[[Store, User], Coroutine[Any, Any, object]]] = {
    "password": lambda store, user: run(
        store.unit_of_work(), users.set_password, SYSTEM, user_id=user.id, password_hash=NEW
    ),
    "deactivation": lambda store, user: run(
        store.unit_of_work(), users.update_user, SYSTEM, user_id=user.id, is_active=False
    ),
    "deletion": lambda store, user: run(store.unit_of_work(), users.delete_user, SYSTEM, user_id=user.id),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_no_session_that_begins_beside_it_survives_what_ends_all_sessions(
    stores: tuple[Database, Database], ending: str
) -> None:
    begun = 0
    for number in range(ROUNDS):
        user = await given_user(stores[0], f"user-{number}")
        await run(stores[0].unit_of_work(), users.set_password, SYSTEM, user_id=user.id, password_hash=OLD)
        user = await users.get_user(stores[0].unit_of_work(), SYSTEM, user_id=user.id)
        attempts = [sign_in(stores[0], user), ENDINGS[ending](stores[1], user)]
        results = await outcomes(*(attempts if number % 2 else attempts[::-1]))
        session, ended = results if number % 2 else results[::-1]
        assert not isinstance(ended, BaseException), ended
        assert isinstance(session, LoginSession | InvalidCredentials), session
        begun += isinstance(session, LoginSession)
        assert await sessions_of(stores[0], user) == []
    assert begun, "each time the ending came first: nothing was tested"


async def test_of_two_password_changes_from_one_password_one_is_done(stores: tuple[Database, Database]) -> None:
    ada = await given_user(stores[0], "ada")
    for number in range(ROUNDS):
        current, new = PasswordHash(f"{number}"), [PasswordHash(f"{number + 1}"), PasswordHash("other")]
        await run(stores[0].unit_of_work(), users.set_password, SYSTEM, user_id=ada.id, password_hash=current)
        results = await outcomes(
            *(
                run(
                    store.unit_of_work(),
                    users.set_password,
                    Actor.of(ada),
                    user_id=ada.id,
                    password_hash=password_hash,
                    instead_of=current,
                )
                for store, password_hash in zip(stores, new, strict=True)
            )
        )
        (refused,) = (result for result in results if result is not None)
        assert isinstance(refused, PasswordReplaced)
        stored = await users.get_user(stores[0].unit_of_work(), SYSTEM, user_id=ada.id)
        assert stored.password_hash == new[results.index(None)]
