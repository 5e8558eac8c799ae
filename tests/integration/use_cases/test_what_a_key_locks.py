"""Idempotency keys hold nobody off, and an answer stays unknown whoever ends the attempts to find it out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.users import User
from steward.service_layer.idempotency import Keys, run_once
from steward.service_layer.unit_of_work import UnitOfWork

from tests.conftest import PATIENT
from tests.support.given import Store, given_user

KEYS = Keys(b"a secret", timedelta(hours=24))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def nothing(uow: UnitOfWork, actor: Actor) -> None:
    async with uow:
        await uow.commit()


async def use(store: Store, user: User, key: str, use_case: Any = nothing) -> None:
    actor = Actor.of(user)
    request_key = KEYS.request_key(actor, key, b"a request")
    await run_once(store.unit_of_work(), use_case, actor, key=request_key, keys=KEYS, answer=lambda _: b"")


@asynccontextmanager
async def under_way(store: Store, user: User, key: str) -> AsyncIterator[None]:
    """A request of this user has claimed the key, and is still at it."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(uow: UnitOfWork, actor: Actor) -> None:
        began.set()
        await go_on.wait()
        await nothing(uow, actor)

    request = asyncio.create_task(use(store, user, key, slow))
    await began.wait()
    try:
        yield
    finally:
        go_on.set()
        await request


async def test_a_claim_does_not_lock_its_user(postgres_url: str) -> None:
    """Two who hold a lock on one user for their keys, and then change the user's name, would dead-lock."""
    async with Database(postgres_url, pool=PATIENT) as store:
        ada = await given_user(store, "ada")
        async with under_way(store, ada, "k-1"), store.session() as session:
            lock = text("SELECT id FROM users WHERE id = :id FOR UPDATE NOWAIT")
            assert await session.scalar(lock, {"id": ada.id}) == ada.id


async def test_a_claim_does_not_lock_the_expired_keys_of_others(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as store:
        ada, bob = await given_user(store, "ada"), await given_user(store, "bob")
        await use(store, ada, "k-1")
        async with store.session() as session:
            await session.execute(text("UPDATE idempotency_keys SET expires_at = :at"), {"at": LONG_AGO})
        async with under_way(store, bob, "k-2"), store.session() as session:
            lock = text("SELECT user_id FROM idempotency_keys WHERE expires_at = :at FOR UPDATE NOWAIT")
            assert await session.scalar(lock, {"at": LONG_AGO}) == ada.id
