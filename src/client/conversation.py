"""What a client says to a server, and what it makes of the answers: signing in, renewing tokens, trying again.

Without I/O: a conversation is made of generators that yield what is to be done next. Two thin drivers do it, one
blocking (`blocking.py`), one for asyncio (`aio.py`).
"""

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import httpx2

from . import auth
from .auth import Tokens
from .calls import Call
from .errors import InvalidCredentials, NotAuthenticated, OutcomeUnknown, StewardError, UnexpectedAnswer, problem_of
from .failures import Failure, failure_of_connection, failure_of_problem

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Send:
    """Send the call and give its answer, or throw the `httpx2.RequestError`. `timeout` is in seconds."""

    call: Call[Any]
    token: str | None = field(repr=False)
    timeout: float

    def options(self) -> dict[str, Any]:
        """Of `httpx2.Client.build_request`, but for the body."""
        signed = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {
            "method": self.call.operation.method,
            "url": self.call.path,
            "params": self.call.query or None,
            "headers": {**self.call.headers, **signed},
            "timeout": self.timeout,
        }


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Alone:
    """Do these steps to their end while nobody else of this client does such."""

    steps: "Steps[None]"


Step = Send | Wait | Alone
Steps = Generator[Step, httpx2.Response | None, Result]


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and for how long a call is tried; times in seconds.

    After attempt n the pause is random, up to `first_pause` times 2^(n-1) and at most `longest_pause` (full jitter), on
    top of what the server asks for with Retry-After. If it asks for more than `longest_pause`, or the `deadline` would
    pass meanwhile, the call fails at once.
    """

    attempts: int = 5
    deadline: float = 30.0
    first_pause: float = 0.1
    longest_pause: float = 5.0


class Conversation:
    """Keeps the one pair of tokens. `timeout` is for each wait of an attempt: to connect, to send, for an answer."""

    def __init__(
        self,
        *,
        token: str | None,
        timeout: float,
        retries: Retries,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = None if token is None else Tokens(token)
        self._timeout = timeout
        self._retries = retries
        self._clock = clock

    def exchange(self, call: Call[Result]) -> Steps[Result]:
        """Raises `StewardError`."""
        limit = call.timeout or self._timeout
        deadline = self._clock() + max(self._retries.deadline, call.timeout or 0)
        lost = False  # whether an attempt went without an answer: it may have been the one that took effect
        for attempt in count(1):
            try:
                outcome = yield from self._attempt(call, limit)
            except StewardError as error:  # the tokens could not be renewed, or the answer not be read
                if lost and not call.operation.harmless:
                    raise _unknown(call, error) from error
                raise
            if not isinstance(outcome, Failure):
                return outcome
            pause = self._pause(outcome, attempt, deadline) if outcome.may_be_repeated(call) else None
            if pause is None:
                if outcome.is_unknown_for(call, lost=lost):
                    raise _unknown(call, outcome.error) from outcome.error
                raise outcome.error
            lost = lost or outcome.lost
            yield Wait(pause)
        raise AssertionError

    def succeeds(self, call: Call[Any]) -> Steps[bool]:
        """Tried once."""
        return not isinstance((yield from self._attempt(call, self._timeout)), Failure)

    def _attempt(self, call: Call[Result], limit: float) -> Steps[Result | Failure]:
        tokens = (yield from self._fresh_tokens()) if call.signed else None
        answer = yield from _answer(call, tokens, limit)
        if (
            isinstance(answer, Failure)
            and answer.is_expired_token
            and tokens is not None
            and tokens.refresh is not None
        ):
            yield Alone(self._renew(tokens))
            answer = yield from _answer(call, self._tokens, limit)
        return answer

    def _pause(self, failure: Failure, attempt: int, deadline: float) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        asked = failure.retry_after or 0.0
        highest = min(self._retries.longest_pause, self._retries.first_pause * 2 ** (attempt - 1))
        pause = asked + random.uniform(0, highest)  # noqa: S311 - so that clients do not all come back at once
        enough = attempt >= self._retries.attempts or asked > self._retries.longest_pause
        return None if enough or self._clock() + pause >= deadline else pause

    # Tokens

    def sign_in(self, username: str, password: str) -> Steps[None]:
        self._tokens = yield from self.exchange(auth.sign_in(username, password, now=self._clock()))

    def sign_out(self) -> Steps[None]:
        """Whoever is not signed in any more has got what was wanted."""
        try:
            if self._tokens is not None:
                yield from self.exchange(auth.log_out())
        except NotAuthenticated:
            pass
        self._tokens = None

    def _fresh_tokens(self) -> Steps[Tokens | None]:
        tokens = self._tokens
        if tokens is not None and tokens.refresh is not None and tokens.have_expired(self._clock()):
            yield Alone(self._renew(tokens))
        return self._tokens

    def _renew(self, stale: Tokens) -> Steps[None]:
        """Exchange the refresh token, once for all who wait for it."""
        if self._tokens is not stale or stale.refresh is None:
            return
        try:
            fresh = yield from self.exchange(auth.refresh(stale.refresh, now=self._clock(), timeout=self._timeout))
        except InvalidCredentials:
            # The session has ended. With the old token the server says so itself, with a 401.
            fresh = Tokens(stale.access)
        if self._tokens is stale:
            self._tokens = fresh


def _answer(call: Call[Result], tokens: Tokens | None, limit: float) -> Steps[Result | Failure]:
    try:
        response = yield Send(call, None if tokens is None else tokens.access, limit)
    except httpx2.RequestError as error:
        return failure_of_connection(error, call)
    assert response is not None
    if not response.is_success and response.status_code != 304:
        return failure_of_problem(problem_of(response))
    try:
        return call.read(response)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnexpectedAnswer(f"{call.operation.id} answered {response.status_code} with something else") from error


def _unknown(call: Call[Any], error: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(f"{call.operation.id} may or may not be stored: {error}", call.idempotency_key)
