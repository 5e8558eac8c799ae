"""A server that says what it was told to say, for the client's conversation: no sockets, and no time passes."""

from collections.abc import Iterable
from typing import Any, TypeVar

import httpx2
from steward.client.conversation import Alone, Conversation, Retries, Send, Steps, Wait
from steward.client.errors import StewardError

Result = TypeVar("Result")
Said = httpx2.Response | httpx2.RequestError


class Script:
    """Plays a conversation with these answers; `sent` and `waits` are what it did, `now` is the time."""

    def __init__(self, *said: Said, token: str | None = None, retries: Retries = Retries()) -> None:  # noqa: B008
        self._said = list(said)
        self.now = 1000.0
        self.sent: list[Send] = []
        self.waits: list[float] = []
        self.conversation = Conversation(token=token, timeout=10.0, retries=retries, clock=lambda: self.now)

    def says(self, *said: Said) -> None:
        self._said += said

    def play(self, steps: Steps[Result]) -> Result:
        try:
            step = next(steps)
            while True:
                try:
                    response = self._do(step)
                except (httpx2.RequestError, StewardError) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _do(self, step: Send | Wait | Alone) -> httpx2.Response | None:
        if isinstance(step, Wait):
            self.waits.append(step.seconds)
            self.now += step.seconds
            return None
        if isinstance(step, Alone):
            self.play(step.steps)
            return None
        self.sent.append(step)
        said = self._said.pop(0)
        if isinstance(said, httpx2.RequestError):
            raise said
        return said


def problem(status: int, code: str, *, retry_after: int | None = None, errors: Iterable[Any] = ()) -> httpx2.Response:
    headers = {"Content-Type": "application/problem+json", "X-Request-ID": "r-1"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = {"status": status, "code": code, "detail": f"It is {code}", "errors": list(errors)}
    return httpx2.Response(status, json=body, headers=headers)


def tokens(number: int, *, expires_in: int = 900) -> httpx2.Response:
    body = {
        "access_token": f"access-{number}",
        "token_type": "Bearer",
        "expires_in": expires_in,
        "refresh_token": f"refresh-{number}",
    }
    return httpx2.Response(200, json=body)


def item_json(**members: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "owner_id": 2,
        "name": "Box",
        "description": None,
        "quantity": 3,
        "attributes": {"colour": "green"},
        "created_at": "2026-11-22T01:18:00.123456Z",
        "updated_at": "2026-11-22T01:18:00.123456Z",
        "version": 4,
        **members,
    }


def item_answer(status: int = 200, **members: Any) -> httpx2.Response:
    return httpx2.Response(status, json=item_json(**members))
