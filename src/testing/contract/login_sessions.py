"""What the repository of sessions promises (`steward.domain.repositories`)."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ...domain.actors import Actor
from ...domain.errors import InvalidValue, LoginSessionNotFound, TransactionAborted, UnknownOwner
from ...domain.login_sessions import (
    Client,
    Lifetimes,
    LoginSession,
    LoginSessionId,
    PresentedToken,
    TokenHash,
    TokenKind,
    TokenPair,
)
from ...domain.users import MAX_ID, Role, User, UserId
from ...service_layer.retry import run
from ...service_layer.unit_of_work import UnitOfWork
from ..given import Store, given_user
from .setting import Setting
from .steps import NOWHERE, new_tokens

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def begun(
    store: Store, user: User, *, at: datetime = NOON, lifetimes: Lifetimes | None = None
) -> tuple[LoginSession, TokenPair]:
    """A committed session, and its tokens."""
    tokens = new_tokens(at, lifetimes)
    async with store.unit_of_work() as uow:
        session = await uow.login_sessions.add(user.id, Client("192.0.2.7", "Firefox"), tokens, at=at)
        await uow.commit()
    return session, tokens


async def presented(store: Store, token: TokenHash) -> PresentedToken | None:
    async with store.unit_of_work().reading() as uow:
        return await uow.login_sessions.find(token)


async def known(store: Store, token: TokenHash) -> PresentedToken:
    found = await presented(store, token)
    assert found is not None
    return found


async def rotated(store: Store, token: TokenHash, *, at: datetime = NOON) -> TokenPair:
    """What the token was exchanged for, committed."""
    found, tokens = await known(store, token), new_tokens(at)
    async with store.unit_of_work() as uow:
        await uow.login_sessions.rotate(found, tokens, at=at)
        await uow.commit()
    return tokens


async def ids_of(store: Store, user: User, *, at: datetime = NOON) -> list[LoginSessionId]:
    async with store.unit_of_work().reading() as uow:
        return [session.id for session in await uow.login_sessions.list_of(user.id, at=at)]


class LoginSessions(Setting):
    async def test_a_session_comes_back_as_it_was_stored(self, store: Store) -> None:
        ada = await given_user(store, role=Role.ADMIN)
        session, tokens = await begun(store, ada)
        assert session == LoginSession(session.id, ada.id, NOON, NOON, NOON + 30 * DAY, "Firefox", "192.0.2.7")
        async with store.unit_of_work().reading() as uow:
            assert await uow.login_sessions.get(session.id) == session
            assert await uow.login_sessions.list_of(ada.id, at=NOON) == [session]
            for token, kind, expires_at in (
                (tokens.access, TokenKind.ACCESS, NOON + HOUR / 4),
                (tokens.refresh, TokenKind.REFRESH, NOON + 30 * DAY),
            ):
                found = await uow.login_sessions.find(token)
                assert found == PresentedToken(kind, expires_at, 1, session.id, 1, NOON, ada.id, Role.ADMIN, True)
                assert found is not None
                assert isinstance(found.role, Role)
                assert isinstance(found.kind, TokenKind)

    async def test_times_of_sessions_come_back_in_utc(self, store: Store) -> None:
        elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
        session, tokens = await begun(store, await given_user(store), at=elsewhere)
        async with store.unit_of_work().reading() as uow:
            stored, token = await uow.login_sessions.get(session.id), await uow.login_sessions.find(tokens.access)
        assert stored.created_at.tzinfo is stored.refreshed_at.tzinfo is stored.expires_at.tzinfo is UTC
        assert stored == session
        assert token is not None
        assert (token.expires_at, token.expires_at.tzinfo) == (NOON + HOUR / 4, UTC)

    async def test_a_token_shows_its_user_as_the_user_is_now(self, store: Store) -> None:
        ada = await given_user(store)
        _, tokens = await begun(store, ada)
        async with store.unit_of_work() as uow:
            ada.change(at=uow.now, role=Role.ADMIN, is_active=False)
            await uow.users.save(ada)
            await uow.commit()
        found = await known(store, tokens.access)
        assert (found.role, found.is_active) == (Role.ADMIN, False)

    async def test_a_token_that_was_never_given_out_is_unknown(self, store: Store) -> None:
        await begun(store, await given_user(store))
        for token in (new_tokens(NOON).access, b"", b"short", b"x" * 33):
            assert await presented(store, TokenHash(token)) is None

    async def test_a_hash_of_the_wrong_length_is_not_stored(self, store: Store) -> None:
        ada = await given_user(store)
        pair = TokenPair(TokenHash(b"short"), NOON + HOUR, new_tokens(NOON).refresh, NOON + DAY)
        async with store.unit_of_work() as uow:
            with pytest.raises(InvalidValue, match="ck_tokens_hash_length"):
                await uow.login_sessions.add(ada.id, Client(), pair, at=NOON)

    async def test_a_session_of_nobody_cannot_be(self, store: Store) -> None:
        ada = await given_user(store)
        for nobody in NOWHERE:
            tokens = new_tokens(NOON)
            async with store.unit_of_work() as uow:
                with pytest.raises(UnknownOwner):
                    async with uow.savepoint():
                        await uow.login_sessions.add(UserId(nobody), Client(), tokens, at=NOON)
                await uow.login_sessions.add(ada.id, Client(), tokens, at=NOON)
                with pytest.raises(UnknownOwner):
                    await uow.login_sessions.add(UserId(nobody), Client(), new_tokens(NOON), at=NOON)
                with pytest.raises(TransactionAborted):
                    await uow.commit()

    async def test_an_id_that_no_session_and_no_user_has_is_nobodys(self, store: Store) -> None:
        ada = await given_user(store)
        session, _ = await begun(store, ada)
        async with store.unit_of_work() as uow:
            for nowhere in NOWHERE:
                with pytest.raises(LoginSessionNotFound, match=f"Session id {nowhere} not found"):
                    await uow.login_sessions.get(LoginSessionId(nowhere))
                assert await uow.login_sessions.list_of(UserId(nowhere), at=NOON) == [], nowhere
                assert await uow.login_sessions.end(LoginSessionId(nowhere)) is False, nowhere
                assert await uow.login_sessions.end_all_of(UserId(nowhere)) == 0, nowhere
                await uow.login_sessions.make_room(UserId(nowhere), keep=0, at=NOON)
            await uow.commit()
        assert await ids_of(store, ada) == [session.id]

    async def test_sessions_that_have_not_expired_are_listed_from_the_newest(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        late = [(await begun(store, ada))[0].id for _ in range(3)]
        early, _ = await begun(store, ada, at=NOON - DAY)
        await begun(store, bob)
        assert await ids_of(store, ada) == [early.id, *late[::-1]]
        assert await ids_of(store, ada, at=early.expires_at - timedelta(microseconds=1)) == [early.id, *late[::-1]]
        assert await ids_of(store, ada, at=early.expires_at) == late[::-1]

    # Ending

    async def test_a_session_ends_with_all_its_tokens_and_once(self, store: Store) -> None:
        ada = await given_user(store)
        session, first = await begun(store, ada)
        kept, others = await begun(store, ada)
        second = await rotated(store, first.refresh)
        async with store.unit_of_work() as uow:
            assert await uow.login_sessions.end(session.id) is True
            assert await uow.login_sessions.end(session.id) is False
            with pytest.raises(LoginSessionNotFound):
                await uow.login_sessions.get(session.id)
            await uow.commit()
        for token in (first.access, first.refresh, second.access, second.refresh):
            assert await presented(store, token) is None
        assert await presented(store, others.access) is not None
        assert await ids_of(store, ada) == [kept.id]

    async def test_all_sessions_of_a_user_end_and_are_counted_but_for_one(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        mine = [(await begun(store, ada))[0].id for _ in range(3)]
        kept, tokens = await begun(store, bob)
        async with store.unit_of_work() as uow:
            assert await uow.login_sessions.end_all_of(ada.id, but=mine[1]) == 2
            assert await uow.login_sessions.end_all_of(ada.id, but=kept.id) == 1
            assert await uow.login_sessions.end_all_of(ada.id) == 0
            await uow.commit()
        assert await ids_of(store, ada) == []
        assert await ids_of(store, bob) == [kept.id]
        assert await presented(store, tokens.access) is not None

    async def test_a_user_who_is_deleted_takes_sessions_and_tokens_along(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        session, tokens = await begun(store, ada)
        kept, _ = await begun(store, bob)
        async with store.unit_of_work() as uow:
            await uow.users.delete(ada)
            assert await uow.login_sessions.find(tokens.access) is None
            await uow.commit()
        assert await presented(store, tokens.refresh) is None
        assert await ids_of(store, ada) == []
        assert await ids_of(store, bob) == [kept.id]
        async with store.unit_of_work().reading() as uow:
            with pytest.raises(LoginSessionNotFound):
                await uow.login_sessions.get(session.id)

    async def test_a_session_that_was_ended_in_a_unit_that_is_rolled_back_goes_on(self, store: Store) -> None:
        ada = await given_user(store)
        session, tokens = await begun(store, ada)
        async with store.unit_of_work() as uow:
            assert await uow.login_sessions.end_all_of(ada.id) == 1
        assert await ids_of(store, ada) == [session.id]
        assert await presented(store, tokens.access) is not None

    # Room

    async def test_room_is_made_by_ending_what_was_not_refreshed_for_longest(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        begun_by_ada = [await begun(store, ada, at=NOON + number * HOUR) for number in range(5)]
        ids = [session.id for session, _ in begun_by_ada]
        other, _ = await begun(store, bob)
        await rotated(store, begun_by_ada[0][1].refresh, at=NOON + DAY)
        async with store.unit_of_work() as uow:
            await uow.login_sessions.make_room(ada.id, keep=5, at=NOON + DAY)
            assert len(await uow.login_sessions.list_of(ada.id, at=NOON + DAY)) == 5
            await uow.login_sessions.make_room(ada.id, keep=3, at=NOON + DAY)
            await uow.commit()
        assert await ids_of(store, ada) == [ids[4], ids[3], ids[0]]
        assert await ids_of(store, bob) == [other.id]

    async def test_of_sessions_refreshed_at_the_same_time_the_oldest_goes(self, store: Store) -> None:
        ada = await given_user(store)
        ids = [(await begun(store, ada))[0].id for _ in range(3)]
        async with store.unit_of_work() as uow:
            await uow.login_sessions.make_room(ada.id, keep=1, at=NOON)
            await uow.commit()
        assert await ids_of(store, ada) == [ids[2]]

    async def test_who_makes_room_sweeps_a_few_of_anybodys_that_have_expired(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        long_ago = NOON - 60 * DAY
        for number in range(25):
            await begun(store, bob, at=long_ago + number * HOUR)
        ending, _ = await begun(store, bob, at=NOON - 30 * DAY)
        kept, _ = await begun(store, bob, at=NOON - 30 * DAY + HOUR)
        for left in (7, 1, 1):
            async with store.unit_of_work() as uow:
                await uow.login_sessions.make_room(ada.id, keep=100, at=NOON)
                await uow.commit()
            there = await ids_of(store, bob, at=long_ago)
            assert len(there) == left
            assert kept.id in there
        assert ending.id not in there

    async def test_room_is_not_made_twice_by_units_at_the_same_time(self, store: Store) -> None:
        ada = await given_user(store)
        ids = [(await begun(store, ada, at=NOON + number * HOUR))[0].id for number in range(6)]

        async def make_room(uow: UnitOfWork, _: Actor) -> None:
            async with uow:
                await uow.login_sessions.make_room(ada.id, keep=2, at=NOON)
                await uow.commit()

        await asyncio.gather(*(run(store.unit_of_work(), make_room, Actor.system()) for _ in range(4)))
        assert await ids_of(store, ada) == [ids[5], ids[4]]

    async def test_ids_of_sessions_are_never_given_twice(self, store: Store) -> None:
        ada = await given_user(store)
        first, _ = await begun(store, ada)
        async with store.unit_of_work() as uow:
            await uow.login_sessions.end(first.id)
            await uow.commit()
        second, _ = await begun(store, ada)
        assert 1 <= first.id < second.id <= MAX_ID
