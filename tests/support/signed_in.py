"""What the tests of sessions do again and again."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from datetime import timedelta
from typing import Any, TypeVar

from steward.domain.actors import Actor
from steward.domain.login_sessions import Lifetimes
from steward.service_layer.deadline import within
from steward.service_layer.login_sessions import authenticate, refresh_login_session
from steward.service_layer.retry import run
from steward.service_layer.tokens import Tokens

from tests.support.given import Store

Result = TypeVar("Result")
GRACE = timedelta(seconds=10)


async def who_is(store: Store, tokens: Tokens) -> Actor:
    return await authenticate(store.unit_of_work(), access_token=tokens.access)


async def refreshed(store: Store, tokens: Tokens, *, grace: timedelta = GRACE) -> Tokens:
    """What the refresh token was exchanged for."""
    new = Tokens.draw()
    await run(
        store.unit_of_work(),
        refresh_login_session,
        Actor.anonymous(),
        refresh_token=tokens.refresh,
        tokens=new,
        lifetimes=Lifetimes(grace=grace),
    )
    return new


async def patiently(attempt: Coroutine[Any, Any, Result]) -> Result:
    """Without a deadline `run` gives up after a few seconds, which a busy machine may need for one attempt."""
    async with within(60):
        return await attempt


async def outcomes(*attempts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Of each its result or its error, all having run at the same time, each as a request of its own."""
    tasks = [asyncio.create_task(patiently(attempt), context=Context()) for attempt in attempts]
    return await asyncio.gather(*tasks, return_exceptions=True)
