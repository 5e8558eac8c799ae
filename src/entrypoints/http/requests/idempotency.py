"""The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): a request that is repeated has one effect
and gets one answer."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Concatenate, TypeVar

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from ....domain.actors import Actor
from ....domain.idempotency import RequestKey
from ....domain.users import UserId
from ....service_layer.idempotency import Keys, find_answer, run_once
from ....service_layer.retry import run
from ....service_layer.unit_of_work import UnitOfWork
from ..dependencies import CurrentUnitOfWork, container_of
from ..problems.problem_responses import HttpProblem
from ..request_context import context_of
from .authentication import CurrentActor, CurrentActorOrAnonymous
from .headers import header_lines

Result = TypeVar("Result")

# RFC 8941 section 3.3.3, and the bare token that most clients send.
_QUOTED = re.compile(r'"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')
_BARE = re.compile(r"[\x21\x23-\x7e][\x21-\x7e]{0,254}")
_REPEATED_HEADERS = ("Location", "ETag", "Content-Type")


class Execution:
    """How the use case of one request is run: again on a conflict, and once for each Idempotency-Key."""

    def __init__(self, request: Request, uow: UnitOfWork, actor: Actor) -> None:
        self._request = request
        self._uow = uow
        self._actor = actor

    async def __call__(
        self,
        use_case: Callable[Concatenate[UnitOfWork, Actor, ...], Awaitable[Result]],
        *,
        answer: Callable[[Result], Response],
        owner_of: Callable[[Result], UserId] | None = None,
        **arguments: Any,
    ) -> Response:
        """What `answer` makes of the result, or made of it when the key was first used. As to `owner_of` see
        `run_once`."""
        key = self._key()
        if key is None:
            return answer(await run(self._uow, use_case, self._actor, **arguments))
        done = await run_once(
            self._uow,
            use_case,
            self._actor,
            key=key,
            keys=self._keys,
            answer=lambda result: _written(answer(result)),
            owner_of=owner_of,
            **arguments,
        )
        return _read(done.content, replayed=done.replayed)

    async def replay(self) -> Response | None:
        """The answer that is remembered, for use cases that have more to do beforehand than a transaction undoes."""
        key = self._key()
        content = None if key is None else await find_answer(self._uow, self._actor, key=key)
        return None if content is None else _read(content, replayed=True)

    @property
    def _keys(self) -> Keys:
        container = container_of(self._request)
        keys: Keys = container.idempotency_keys()
        return keys

    def _key(self) -> RequestKey | None:
        given = idempotency_key(self._request)
        if given is None:
            return None
        context = context_of(self._request.scope)
        context.is_repeatable = True
        scope, headers = self._request.scope, self._request.headers
        return self._keys.request_key(
            self._actor,
            given,
            scope["method"].encode(),
            scope["path"].encode("utf-8", "surrogateescape"),
            scope["query_string"],
            headers.get("content-type", "").encode("latin-1"),
            ",".join(headers.getlist("if-match")).encode("latin-1"),
            context.content,
        )


def idempotency_key(request: Request) -> str | None:
    """Raises `HttpProblem`."""
    given = header_lines(request.scope, b"idempotency-key")
    if not given:
        return None
    value = given[0].strip(" \t")
    if len(given) == 1 and (quoted := _QUOTED.fullmatch(value)):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if len(given) == 1 and _BARE.fullmatch(value):
        return value
    raise HttpProblem("malformed_idempotency_key", "An idempotency key is 1 to 255 visible ASCII characters, once")


def _written(answer: Response) -> bytes:
    headers = {name: answer.headers[name] for name in _REPEATED_HEADERS if name in answer.headers}
    return json.dumps([answer.status_code, headers]).encode() + b"\n" + bytes(answer.body)


def _read(content: bytes, *, replayed: bool) -> Response:
    head, _, body = content.partition(b"\n")
    status, headers = json.loads(head)
    return Response(body, status, {**headers, **({"Idempotent-Replayed": "true"} if replayed else {})})


async def get_execution(request: Request, uow: CurrentUnitOfWork, actor: CurrentActor) -> Execution:
    return Execution(request, uow, actor)


async def get_execution_or_anonymous(
    request: Request, uow: CurrentUnitOfWork, actor: CurrentActorOrAnonymous
) -> Execution:
    return Execution(request, uow, actor)


CurrentExecution = Annotated[Execution, Depends(get_execution)]
CurrentExecutionOrAnonymous = Annotated[Execution, Depends(get_execution_or_anonymous)]
