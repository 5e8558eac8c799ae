"""What the repository of sessions promises of exchanging tokens (`steward.domain.repositories`)."""

import asyncio
from datetime import timedelta

import pytest

from ...domain.errors import Conflict
from ...domain.login_sessions import TokenPair
from ..given import Store, given_user
from .login_sessions import DAY, HOUR, NOON, begun, known, presented, rotated
from .setting import Setting
from .steps import new_tokens


class Rotation(Setting):
    async def test_a_rotation_begins_the_next_generation(self, store: Store) -> None:
        session, first = await begun(store, await given_user(store))
        second = await rotated(store, first.refresh, at=NOON + HOUR)
        old, new = await known(store, first.refresh), await known(store, second.refresh)
        assert (old.generation, new.generation) == (1, 2)
        assert old.session_generation == new.session_generation == 2
        assert (old.is_current, new.is_current) == (False, True)
        assert old.refreshed_at == NOON + HOUR
        async with store.unit_of_work().reading() as uow:
            stored = await uow.login_sessions.get(session.id)
        assert (stored.created_at, stored.refreshed_at) == (NOON, NOON + HOUR)
        assert stored.expires_at == NOON + HOUR + 30 * DAY
        assert (await known(store, first.access)).session_id == session.id, "access tokens outlive a rotation"

    async def test_a_token_that_was_exchanged_meanwhile_is_a_conflict(self, store: Store) -> None:
        _, first = await begun(store, await given_user(store))
        mine, late = await known(store, first.refresh), new_tokens(NOON)
        await rotated(store, first.refresh)
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await uow.login_sessions.rotate(mine, late, at=NOON)
        assert await presented(store, late.refresh) is None

    async def test_of_units_that_race_for_one_rotation_one_wins(self, store: Store) -> None:
        _, first = await begun(store, await given_user(store))
        mine, pairs = await known(store, first.refresh), [new_tokens(NOON) for _ in range(6)]

        async def rotate(pair: TokenPair) -> None:
            async with store.unit_of_work() as uow:
                await uow.login_sessions.rotate(mine, pair, at=NOON)
                await uow.commit()

        outcomes = await asyncio.gather(*(rotate(pair) for pair in pairs), return_exceptions=True)
        assert sorted(map(str, map(type, outcomes))) == sorted(map(str, [type(None)] + [Conflict] * 5))
        stored = [await presented(store, pair.refresh) for pair in pairs]
        assert [each is not None for each in stored] == [outcome is None for outcome in outcomes]

    async def test_a_session_that_has_ended_is_neither_rotated_nor_given_tokens(self, store: Store) -> None:
        session, first = await begun(store, await given_user(store))
        mine, late = await known(store, first.refresh), new_tokens(NOON)
        async with store.unit_of_work() as uow:
            assert await uow.login_sessions.end(session.id) is True
            await uow.commit()
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await uow.login_sessions.rotate(mine, late, at=NOON)
        async with store.unit_of_work() as uow:
            with pytest.raises(Conflict):
                await uow.login_sessions.issue(mine, late)
        assert await presented(store, late.access) is None

    async def test_more_tokens_of_a_generation_are_as_good_as_the_first(self, store: Store) -> None:
        _, first = await begun(store, await given_user(store))
        second, more = await rotated(store, first.refresh), new_tokens(NOON)
        exchanged = await known(store, first.refresh)
        async with store.unit_of_work() as uow:
            await uow.login_sessions.issue(exchanged, more)
            await uow.commit()
        assert (await known(store, more.refresh)).is_current
        assert (await known(store, second.refresh)).is_current
        await rotated(store, more.refresh)
        assert not (await known(store, second.refresh)).is_current

    async def test_a_rotation_forgets_what_expired_more_than_a_day_before(self, store: Store) -> None:
        ada = await given_user(store)
        _, first = await begun(store, ada)
        _, other = await begun(store, ada)
        a_day_after = NOON + HOUR / 4 + DAY
        second = await rotated(store, first.refresh, at=a_day_after - timedelta(microseconds=1))
        assert await presented(store, first.access) is not None
        await rotated(store, second.refresh, at=a_day_after)
        assert await presented(store, first.access) is None
        assert await presented(store, first.refresh) is not None, "it has not expired: a second use must be noticed"
        assert await presented(store, other.access) is not None, "it is another session's"

    async def test_a_rotation_that_is_rolled_back_leaves_the_token_as_it_was(self, store: Store) -> None:
        session, first = await begun(store, await given_user(store))
        mine, late = await known(store, first.refresh), new_tokens(NOON)
        async with store.unit_of_work() as uow:
            await uow.login_sessions.rotate(mine, late, at=NOON + HOUR)
            assert await uow.login_sessions.find(late.refresh) is not None
        assert await known(store, first.refresh) == mine
        assert await presented(store, late.refresh) is None
        async with store.unit_of_work().reading() as uow:
            assert await uow.login_sessions.get(session.id) == session
