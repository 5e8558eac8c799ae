"""Idempotency keys: one effect and one answer for each, in every backend."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.errors import (
    DatabaseUnavailable,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    InvalidValue,
    OutcomeUnknown,
    TokenRevoked,
)
from steward.domain.idempotency import RequestKey
from steward.domain.items import Item
from steward.domain.users import User
from steward.service_layer import idempotency, items, users
from steward.service_layer.idempotency import Answer, Keys, find_answer, run_once
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import Clock

from tests.support.given import SYSTEM, Store, every_item, given_user

KEYS = Keys(b"a secret", timedelta(hours=24))


def key_of(user: User, *request: bytes, key: str = "k-1") -> RequestKey:
    return KEYS.request_key(Actor.of(user), key, *(request or (b"POST /items",)))


def name_of(item: Item) -> bytes:
    return f"{item.id} {item.name}".encode()


async def create(store: Store, user: User, key: RequestKey, *, name: str = "Box") -> Answer:
    return await run_once(
        store.unit_of_work(), items.create_item, Actor.of(user), key=key, keys=KEYS, answer=name_of, name=name
    )


async def test_a_repetition_gets_the_first_answer_and_does_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")
    first = await create(store, ada, key_of(ada))
    again = await create(store, ada, key_of(ada), name="Lid")
    (box,) = await every_item(store)
    assert first == Answer(name_of(box), replayed=False)
    assert again == Answer(name_of(box), replayed=True)


async def test_the_answer_is_found_without_a_transaction(store: Store) -> None:
    ada = await given_user(store, "ada")
    actor, uow = Actor.of(ada), store.unit_of_work()
    assert await find_answer(uow, actor, key=key_of(ada)) is None
    done = await create(store, ada, key_of(ada))
    assert await find_answer(uow, actor, key=key_of(ada)) == done.content
    with pytest.raises(IdempotencyKeyReused):
        await find_answer(uow, actor, key=key_of(ada, b"POST /users"))


async def test_another_request_with_the_same_key_is_refused(store: Store) -> None:
    ada = await given_user(store, "ada")
    await create(store, ada, key_of(ada))
    with pytest.raises(IdempotencyKeyReused):
        await create(store, ada, key_of(ada, b"POST /items", b"another body"))
    assert len(await every_item(store)) == 1


async def test_a_key_is_its_callers_own(store: Store) -> None:
    ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
    await create(store, ada, key_of(ada))
    assert (await create(store, bob, key_of(bob))).replayed is False
    assert [item.owner_id for item in await every_item(store)] == [ada.id, bob.id]


async def test_strangers_share_a_key_only_for_the_same_request(store: Store) -> None:
    """Else one could learn what another was answered."""
    sign_up = KEYS.request_key(Actor.anonymous(), "k-1", b"POST /users", b"ada")
    another = KEYS.request_key(Actor.anonymous(), "k-1", b"POST /users", b"bob")

    async def register(key: RequestKey, name: str) -> Answer:
        return await run_once(
            store.unit_of_work(),
            users.register_user,
            Actor.anonymous(),
            key=key,
            keys=KEYS,
            answer=lambda user: user.username.encode(),
            username=name,
            email=f"{name}@example.org",
        )

    assert await register(sign_up, "ada") == Answer(b"ada", replayed=False)
    assert await register(another, "bob") == Answer(b"bob", replayed=False)
    assert await register(sign_up, "ada") == Answer(b"ada", replayed=True)


async def test_the_parts_of_a_request_are_told_apart() -> None:
    whole = KEYS.request_key(SYSTEM, "k", b"ab", b"c")
    assert whole.fingerprint != KEYS.request_key(SYSTEM, "k", b"a", b"bc").fingerprint
    assert whole == KEYS.request_key(SYSTEM, "k", b"ab", b"c")
    assert whole.hash != Keys(b"another secret", KEYS.lifetime).request_key(SYSTEM, "k", b"ab", b"c").hash
    assert whole.hash != KEYS.request_key(SYSTEM, "l", b"ab", b"c").hash


async def test_a_failure_is_not_remembered(store: Store) -> None:
    ada = await given_user(store, "ada")
    for _ in range(2):
        with pytest.raises(InvalidValue):
            await create(store, ada, key_of(ada), name="")
    corrected = await create(store, ada, key_of(ada, b"the corrected request"), name="Box")
    assert corrected.replayed is False


async def test_an_answer_that_cannot_be_made_stores_nothing(store: Store) -> None:
    ada = await given_user(store, "ada")

    def fails(_: Item) -> bytes:
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        await run_once(
            store.unit_of_work(),
            items.create_item,
            Actor.of(ada),
            key=key_of(ada),
            keys=KEYS,
            answer=fails,
            name="Box",
        )
    assert await every_item(store) == []
    assert (await create(store, ada, key_of(ada))).replayed is False


async def test_an_expired_key_counts_as_absent(store: Store, clock: Clock) -> None:
    ada = await given_user(store, "ada")
    await create(store, ada, key_of(ada))
    clock.advance(KEYS.lifetime - timedelta(microseconds=1))
    assert (await create(store, ada, key_of(ada))).replayed is True
    clock.advance(timedelta(microseconds=1))
    assert await find_answer(store.unit_of_work(), Actor.of(ada), key=key_of(ada)) is None
    assert (await create(store, ada, key_of(ada, b"another request"))).replayed is False
    assert (await create(store, ada, key_of(ada, b"another request"))).replayed is True
    assert len(await every_item(store)) == 2


async def test_expired_keys_are_swept_a_few_at_a_time(store: Store, clock: Clock) -> None:
    ada = await given_user(store, "ada")
    for number in range(30):
        await create(store, ada, key_of(ada, key=f"old {number}"))
    clock.advance(KEYS.lifetime)
    left = []
    for number in range(2):
        await create(store, ada, key_of(ada, key=f"new {number}"))
        left.append(await kept_keys(store))
    assert left == [30 - 20 + 1, 2]


async def kept_keys(store: Store) -> int:
    if isinstance(store, MemoryDatabase):
        return len(store.committed.idempotency_keys)
    from sqlalchemy import text

    async with store.reader() as session:
        return int(await session.scalar(text("SELECT count(*) FROM idempotency_keys")) or 0)


async def test_keys_go_with_their_user(store: Store) -> None:
    ada = await given_user(store, "ada")
    await create(store, ada, key_of(ada))
    await users.delete_user(store.unit_of_work(), SYSTEM, user_id=ada.id, delete_items=True)
    assert await kept_keys(store) == 0
    with pytest.raises(TokenRevoked):
        await create(store, ada, key_of(ada))


async def test_of_many_at_the_same_time_one_has_the_effect_and_all_get_its_answer(store: Store) -> None:
    ada = await given_user(store, "ada")
    done = await asyncio.gather(*(create(store, ada, key_of(ada)) for _ in range(8)))
    assert len(await every_item(store)) == 1
    assert len({each.content for each in done}) == 1
    assert [each.replayed for each in done].count(False) == 1


async def test_whoever_waits_for_a_request_that_fails_takes_its_place(store: Store) -> None:
    ada = await given_user(store, "ada")
    began, go_on = asyncio.Event(), asyncio.Event()

    async def fails(uow: UnitOfWork, actor: Actor) -> Item:
        began.set()
        await go_on.wait()
        raise InvalidValue("name", "too_short", "At least 1 characters, please")

    async def first() -> Answer:
        uow = store.unit_of_work()
        return await run_once(uow, fails, Actor.of(ada), key=key_of(ada), keys=KEYS, answer=name_of)

    failing = asyncio.create_task(first())
    await began.wait()
    waiting = asyncio.create_task(create(store, ada, key_of(ada)))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(InvalidValue):
        await failing
    assert (await waiting).replayed is False


async def test_nobody_waits_for_ever(kept_postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever waits holds no connection meanwhile. (Elsewhere units write one after the other.)"""
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", 60)
    ada = await given_user(kept_postgres, "ida")
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(uow: UnitOfWork, actor: Actor) -> Item:
        began.set()
        await go_on.wait()
        return await items.create_item(uow, actor, name="Box")

    uow = kept_postgres.unit_of_work()
    first = asyncio.create_task(run_once(uow, slow, Actor.of(ada), key=key_of(ada), keys=KEYS, answer=name_of))
    await began.wait()
    waiting = [asyncio.create_task(create(kept_postgres, ada, key_of(ada))) for _ in range(3)]
    while kept_postgres.checked_out() == 1:  # noqa: ASYNC110 - nobody tells us that one has tried
        await asyncio.sleep(0)
    while kept_postgres.checked_out() > 1:  # noqa: ASYNC110 - nor that all of them wait
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", 0)
    with pytest.raises(IdempotencyKeyInUse):
        await create(kept_postgres, ada, key_of(ada))
    go_on.set()
    assert (await first).replayed is False
    assert [(await task).replayed for task in waiting] == [True, True, True]
    assert (await create(kept_postgres, ada, key_of(ada))).replayed is True
    await users.delete_user(kept_postgres.unit_of_work(), SYSTEM, user_id=ada.id, delete_items=True)


@pytest.mark.parametrize("stored", [True, False])
async def test_a_commit_of_which_nobody_knows_is_looked_up_and_done_again(stored: bool) -> None:
    store = MemoryDatabase()
    ada = await given_user(store, "ada")
    store.fail_next_commit(OutcomeUnknown, stored=stored)
    done = await create(store, ada, key_of(ada))
    assert done.replayed is False  # the caller has asked once
    assert [item.name for item in store.items.values()] == ["Box"]


async def test_after_an_unknown_outcome_no_error_says_that_nothing_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryDatabase()
    ada = await given_user(store, "ada")
    store.fail_next_commit(OutcomeUnknown, stored=True)
    apply = store.apply

    def apply_and_go_away(working: Any) -> Exception | None:
        failure = apply(working)
        store.fail_next_commit(DatabaseUnavailable)
        return failure

    monkeypatch.setattr(store, "apply", apply_and_go_away)
    with pytest.raises(OutcomeUnknown):
        await create(store, ada, key_of(ada))
    assert len(store.items) == 1


async def test_a_deadline_after_an_unknown_outcome_does_not_say_that_nothing_was_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever set it would take a plain cancellation for a rollback."""
    monkeypatch.setattr(idempotency, "FIRST_PAUSE", 60)
    monkeypatch.setattr(idempotency, "LONGEST_PAUSE", 60)
    store = MemoryDatabase()
    ada = await given_user(store, "ada")
    store.fail_next_commit(OutcomeUnknown, stored=True)
    asking = asyncio.create_task(create(store, ada, key_of(ada)))
    for _ in range(100):  # far more steps than the first attempt takes: it waits to find out what became of it
        await asyncio.sleep(0)
    assert len(store.items) == 1
    asking.cancel()
    with pytest.raises(OutcomeUnknown):
        await asking
    assert len(store.items) == 1


async def test_an_outcome_that_stays_unknown_is_told() -> None:
    store = MemoryDatabase()
    ada = await given_user(store, "ada")

    async def create_and_lose(uow: UnitOfWork, actor: Actor) -> Item:
        store.fail_next_commit(OutcomeUnknown)
        return await items.create_item(uow, actor, name="Box")

    with pytest.raises(OutcomeUnknown):
        await run_once(store.unit_of_work(), create_and_lose, Actor.of(ada), key=key_of(ada), keys=KEYS, answer=name_of)
    assert store.items == {}


async def test_inside_an_open_block_it_joins(store: Store) -> None:
    ada = await given_user(store, "ada")
    actor, uow = Actor.of(ada), store.unit_of_work()
    async with uow:
        first = await run_once(uow, items.create_item, actor, key=key_of(ada), keys=KEYS, answer=name_of, name="Box")
        again = await run_once(uow, items.create_item, actor, key=key_of(ada), keys=KEYS, answer=name_of, name="Box")
        assert (first.replayed, again.replayed) == (False, True)
    assert await every_item(store) == []
    assert (await create(store, ada, key_of(ada))).replayed is False
