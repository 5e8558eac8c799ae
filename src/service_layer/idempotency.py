"""Idempotency keys: a request that is repeated has its effect once, and gets the same answer again.

The key is claimed, the use case done, its answer kept, and all of it committed in one transaction: the use case joins
the block around it. So there is never an effect without its key, nor a key without its effect, wherever the server
stops. Only success is remembered: whatever raises takes the claim back, and the key may be used again.
"""

import asyncio
import hmac
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from ..domain.actors import Actor
from ..domain.errors import Conflict, IdempotencyKeyInUse, IdempotencyKeyReused, OutcomeUnknown, StorageError
from ..domain.idempotency import KeyHash, RequestKey
from ..domain.users import UserId
from .retry import UseCase, is_cancelled, run
from .unit_of_work import UnitOfWork

Result = TypeVar("Result")

LONGEST_WAIT = 2.0  # seconds, for the first request with the same key
FIRST_PAUSE = 0.01  # seconds
LONGEST_PAUSE = 0.1  # seconds
UNKNOWN_OUTCOMES = 3  # commits of which nobody knows, after which the last is told


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is what was made of the result, now or, `replayed`, when the key was first used."""

    content: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """How keys become what the database knows them by. `secret` is the server's: all processes on one database have
    the same. A key is remembered for `lifetime`."""

    secret: bytes
    lifetime: timedelta

    def request_key(self, actor: Actor, key: str, *request: bytes) -> RequestKey:
        """`request` is all that makes two requests the same. Those of nobody in particular share no key unless they
        are the same: else one could learn what another was answered."""
        fingerprint = self._digest(b"fingerprint", *request)
        caller = fingerprint if actor.user_id is None else str(actor.user_id).encode()
        return RequestKey(KeyHash(self._digest(b"key", caller, key.encode())), fingerprint, actor.user_id)

    def _digest(self, *parts: bytes) -> bytes:
        # With its length before each part, so that no two sequences of parts are written alike.
        text = b"".join(b"%d:%s" % (len(part), part) for part in (b"steward idempotency keys", *parts))
        return hmac.digest(self.secret, text, "sha256")


async def find_answer(uow: UnitOfWork, actor: Actor, *, key: RequestKey) -> bytes | None:
    """What is remembered, without beginning a transaction. Raises `IdempotencyKeyReused`."""
    async with uow.reading():
        remembered = await uow.idempotency_keys.find(key, at=uow.now)
    if remembered is None:
        return None
    _require_same_request(key, remembered.fingerprint)
    return remembered.answer


async def run_once(
    uow: UnitOfWork,
    use_case: UseCase[..., Result],
    actor: Actor,
    *,
    key: RequestKey,
    keys: Keys,
    answer: Callable[[Result], bytes],
    owner_of: Callable[[Result], UserId] | None = None,
    **arguments: Any,
) -> Answer:
    """As `run`, but with one effect for each key, and what `answer` makes of it remembered.

    Whoever comes while the first request is still under way waits, outside any transaction, for at most
    `LONGEST_WAIT`. What is remembered goes with its user: the caller, or, where nobody in particular asks, whom
    `owner_of` finds in the result. A commit of which nobody knows whether it was done is done again: the key tells.

    Raises what the use case raises, `IdempotencyKeyReused` for another request than the first, `IdempotencyKeyInUse`,
    and `OutcomeUnknown` if it could not be found out.
    """

    def act() -> Awaitable[Result]:
        return use_case(uow, actor, **arguments)

    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + LONGEST_WAIT
    unknown: list[OutcomeUnknown] = []
    pause = 0.0
    while True:
        try:
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter keeps no secret
            done = await run(
                uow, _once, actor, key=key, lifetime=keys.lifetime, act=act, answer=answer, owner_of=owner_of
            )
            # Who asked once is not told of repetitions.
            return Answer(done.content, done.replayed and not unknown)
        except IdempotencyKeyInUse as error:
            if loop.time() >= give_up_at or uow.is_open:
                raise (unknown[-1] if unknown else error) from None
        except OutcomeUnknown as error:
            unknown.append(error)
            if len(unknown) == UNKNOWN_OUTCOMES or uow.is_open or is_cancelled():
                raise
        except (StorageError, Conflict, asyncio.CancelledError):
            # They say that nothing was stored, and so does whoever set the deadline: that is no longer known.
            if unknown:
                raise unknown[-1] from None
            raise
        pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))


async def _once(
    uow: UnitOfWork,
    actor: Actor,
    *,
    key: RequestKey,
    lifetime: timedelta,
    act: Callable[[], Awaitable[Result]],
    answer: Callable[[Result], bytes],
    owner_of: Callable[[Result], UserId] | None,
) -> Answer:
    async with uow:
        remembered = await uow.idempotency_keys.claim(key, at=uow.now, until=uow.now + lifetime)
        if remembered is None:
            result = await act()
            content = answer(result)
            if key.user_id is None and owner_of is not None:
                key = replace(key, user_id=owner_of(result))
            await uow.idempotency_keys.remember(key, content, at=uow.now)
        else:
            _require_same_request(key, remembered.fingerprint)
            content = remembered.answer
        await uow.commit()
    return Answer(content, replayed=remembered is not None)


def _require_same_request(key: RequestKey, fingerprint: bytes) -> None:
    if not hmac.compare_digest(key.fingerprint, fingerprint):
        raise IdempotencyKeyReused
