"""What the repository of idempotency keys promises (`steward.domain.repositories`)."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ...domain.errors import Conflict, IdempotencyKeyInUse, InvalidValue, TokenRevoked
from ...domain.idempotency import KeyHash, Remembered, RequestKey
from ...domain.users import UserId
from ..given import Store, given_user
from .setting import Setting
from .steps import apart, key_of

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)


def request_key(name: str, *, user_id: UserId | None = None) -> RequestKey:
    return RequestKey(KeyHash(key_of(name)), key_of(f"fingerprint of {name}"), user_id)


A = request_key("a")


async def remember(
    store: Store, key: RequestKey, answer: bytes = b"done", *, at: datetime = NOON, until: datetime = NOON + DAY
) -> Remembered | None:
    """Claim it and remember the answer, committed. What was remembered already, if anything was."""
    async with store.unit_of_work() as uow:
        before = await uow.idempotency_keys.claim(key, at=at, until=until)
        if before is None:
            await uow.idempotency_keys.remember(key, answer, at=at)
        await uow.commit()
    return before


async def find(store: Store, key: RequestKey, *, at: datetime = NOON) -> Remembered | None:
    async with store.unit_of_work().reading() as uow:
        return await uow.idempotency_keys.find(key, at=at)


class Idempotency(Setting):
    async def test_a_key_is_claimed_once_and_then_remembered(self, store: Store) -> None:
        assert await find(store, A) is None
        assert await remember(store, A, b"one") is None
        kept = Remembered(A.fingerprint, b"one", NOON + DAY)
        assert await remember(store, A, b"two") == await find(store, A) == kept
        assert await find(store, request_key("b")) is None

    async def test_a_claim_that_is_rolled_back_was_none(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            assert await uow.idempotency_keys.claim(A, at=NOON, until=NOON + DAY) is None
            assert await uow.idempotency_keys.find(A, at=NOON) is None
            await uow.idempotency_keys.remember(A, b"never", at=NOON)
            assert await uow.idempotency_keys.find(A, at=NOON) is not None
        assert await find(store, A) is None
        assert await remember(store, A, b"one") is None

    async def test_what_has_expired_is_claimed_anew(self, store: Store) -> None:
        await remember(store, A, b"old")
        end = NOON + DAY
        assert await find(store, A, at=end - INSTANT) is not None
        assert await find(store, A, at=end) is None
        other = RequestKey(A.hash, key_of("another request"), None)
        assert await remember(store, other, b"new", at=end, until=end + DAY) is None
        assert await find(store, A, at=end) == Remembered(other.fingerprint, b"new", end + DAY)

    async def test_a_claim_never_waits_for_another_and_has_its_effect_once(
        self, store: Store, serializable: bool
    ) -> None:
        async def claim() -> str:
            try:
                return "claimed" if await remember(store, A) is None else "remembered"
            except IdempotencyKeyInUse:
                return "in use"
            except Conflict:
                assert serializable
                return "conflict"

        outcomes = await asyncio.gather(*(apart(claim()) for _ in range(20)))
        assert outcomes.count("claimed") == 1
        assert await remember(store, A) is not None

    async def test_whoever_is_gone_claims_nothing(self, store: Store) -> None:
        async with store.unit_of_work() as uow:
            with pytest.raises(TokenRevoked):
                await uow.idempotency_keys.claim(request_key("b", user_id=UserId(4711)), at=NOON, until=NOON + DAY)

    async def test_keys_go_with_their_user(self, store: Store) -> None:
        ada, bob = await given_user(store), await given_user(store)
        keys = [request_key("of ada", user_id=ada.id), request_key("of bob", user_id=bob.id), A]
        for key in keys:
            await remember(store, key)
        async with store.unit_of_work() as uow:
            await uow.users.delete(ada)
            await uow.commit()
        assert [await find(store, key) is not None for key in keys] == [False, True, True]

    async def test_who_claims_deletes_a_few_that_have_expired(self, store: Store) -> None:
        old = [request_key(f"old {number}") for number in range(25)]
        for number, key in enumerate(old):
            await remember(store, key, at=NOON - 2 * DAY, until=NOON - DAY + number * INSTANT)
        for left, name in ((5, "b"), (0, "c")):
            await remember(store, request_key(name))
            there = [key for key in old if await find(store, key, at=NOON - 2 * DAY) is not None]
            assert there == old[len(old) - left :]

    async def test_an_answer_is_kept_byte_for_byte_and_its_time_comes_back_in_utc(self, store: Store) -> None:
        answer = bytes(range(256)) * 100
        elsewhere = timezone(timedelta(hours=5, minutes=45))
        await remember(store, A, answer, until=(NOON + DAY).astimezone(elsewhere))
        found = await find(store, A)
        assert found == Remembered(A.fingerprint, answer, NOON + DAY)
        assert found is not None
        assert found.expires_at.tzinfo is UTC

    @pytest.mark.parametrize("wrong", ["key", "fingerprint"])
    async def test_hashes_of_the_wrong_length_are_not_stored(self, store: Store, wrong: str) -> None:
        key = RequestKey(KeyHash(b"short"), A.fingerprint, None) if wrong == "key" else RequestKey(A.hash, b"", None)
        async with store.unit_of_work() as uow:
            with pytest.raises(InvalidValue, match=f"ck_idempotency_keys_{wrong}_length"):
                await uow.idempotency_keys.claim(key, at=NOON, until=NOON + DAY)
